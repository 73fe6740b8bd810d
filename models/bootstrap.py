"""How sure a mean over events is: the block bootstrap.

Events are not independent draws: those of one user share a taste and a habit, so a mean over 10,000 events of 100 users
is far less sure than one over 10,000 users. The blocks that are drawn again, with replacement and as many as there are,
are therefore the users, each with all of their events: the interval says what other users of the same kind might
have shown on the same days. It does not say what another year would show.

Field and Welsh, Bootstrapping clustered data, 2007.
"""

import numpy as np
import numpy.typing as npt

from models.base import Rows

RESAMPLES = 1_000
LEVEL = 0.95

Values = npt.NDArray[np.float64]


def resampled_means(blocks: Rows, values: Values, seed: int) -> Values:
    """Means of each column of `values` (n, C) over RESAMPLES draws of blocks: (RESAMPLES, C).

    `blocks` (n,) says which block an event belongs to; n is at least 1.
    """
    _, places = np.unique(blocks, return_inverse=True)
    columns = np.column_stack([np.ones(len(values)), values])
    sums = np.column_stack([np.bincount(places, column) for column in columns.T])  # (blocks, 1 + C)
    rng = np.random.default_rng(seed)
    draws = (rng.integers(0, len(sums), len(sums)) for _ in range(RESAMPLES))
    totals = np.array([np.bincount(draw, minlength=len(sums)) @ sums for draw in draws])
    means: Values = totals[:, 1:] / totals[:, :1]
    return means


def interval(samples: Values) -> tuple[float, float]:
    """Bounds of the middle LEVEL of `samples`."""
    low, high = np.quantile(samples, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
