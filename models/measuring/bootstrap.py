"""How sure a mean over events is: the block bootstrap.

Events are not independent draws. Those of one user share a taste and a habit, so a mean over 10,000 events of 100 users
is far less sure than one over 10,000 users; those of one week share a fashion, and models that knew as much. So whole
blocks are drawn again, with replacement and as many as there are, and the spread of the means shows how much depends on
which blocks happened to come. There are two kinds of blocks:

- users, each with all of their events: what other users of the same kind might have shown on the same days;
- stretches of the stream, of equally many events: what the same users might have shown on other days.

Either can be the wider one (check-ins have few users, shop sessions come in waves), so an interval is taken from the
kind that gives the wider. It still does not say what another shop or another year would show.

Field and Welsh, Bootstrapping clustered data, 2007; Künsch, The jackknife and the bootstrap for general stationary
observations, 1989.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.base import Rows

RESAMPLES = 1_000
LEVEL = 0.95
STRETCHES = 20

_FEWEST = 10
"""Fewer blocks say nothing about how much blocks differ."""

Values = npt.NDArray[np.float64]


class Interval(NamedTuple):
    """The middle LEVEL of all resampled values, and the kind of blocks that they were resampled by."""

    low: float
    high: float
    block: str


def resampled(users: Rows, values: Values, seed: int) -> dict[str, Values]:
    """Resample the means of each column of `values` (n, C): (RESAMPLES, C) for each kind of blocks.

    Parameters
    ----------
    users
        Whose the n events are, in the order of time (n,).
    values
        A number of each event in each column.
    seed
        Of the draws.

    Returns
    -------
    dict
        By kind, ``user`` and ``time``; without a kind of which there are fewer than ten blocks.
    """
    stretches = (np.arange(len(users)) * STRETCHES // max(len(users), 1)).astype(np.int32)
    kinds = {"user": users, "time": stretches}
    return {kind: _means(blocks, values, seed) for kind, blocks in kinds.items() if len(np.unique(blocks)) >= _FEWEST}


def widest(samples: Mapping[str, Values]) -> Interval:
    """Interval of one figure, from its resampled values (RESAMPLES,) by kind of blocks: the widest."""
    bounds = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
    quantiles = ((kind, np.quantile(values, bounds)) for kind, values in samples.items())
    intervals = [Interval(float(low), float(high), kind) for kind, (low, high) in quantiles]
    return max(intervals, key=lambda interval: interval.high - interval.low)


def _means(blocks: Rows, values: Values, seed: int) -> Values:
    _, places = np.unique(blocks, return_inverse=True)
    columns = np.column_stack([np.ones(len(values)), values])
    sums = np.column_stack([np.bincount(places, column) for column in columns.T])  # (blocks, 1 + C)
    rng = np.random.default_rng(seed)
    draws = (rng.integers(0, len(sums), len(sums)) for _ in range(RESAMPLES))
    totals = np.array([np.bincount(draw, minlength=len(sums)) @ sums for draw in draws])
    means: Values = totals[:, 1:] / totals[:, :1]
    return means
