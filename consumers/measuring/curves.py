"""Moving curves: how quality went while the stream ran, each point over equally many events."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from models.metrics import Ranks, ndcg

_POINTS = 100
_WINDOW = 0.05
"""Share of the events that a point is the mean of: short enough to see a change, long enough to stand still."""


def curves(places: npt.NDArray[np.int64], ranks: Mapping[str, Ranks]) -> dict[str, Any]:
    """Compute moving NDCG@10 by name.

    Parameters
    ----------
    places
        Of n events, their places in the stream, rising.
    ranks
        Of these events (n,), by name.

    Returns
    -------
    dict
        ``window``, the number of events that a point is the mean of; ``events``, the place in the stream of the last of
        them; ``ndcg@10`` by name, as many numbers as there are ``events``.
    """
    window = max(int(len(places) * _WINDOW), 1)
    ends = np.unique(np.linspace(window, len(places), _POINTS).astype(np.int64)) if len(places) else np.zeros(0, int)
    return {
        "window": window,
        "events": (places[ends - 1] + 1).tolist(),
        "ndcg@10": {name: _means(ndcg(column), ends, window) for name, column in ranks.items()},
    }


def _means(values: npt.NDArray[np.float64], ends: npt.NDArray[np.int64], window: int) -> list[float]:
    sums = np.concatenate([[0.0], np.cumsum(values)])
    means: list[float] = ((sums[ends] - sums[ends - window]) / window).tolist()
    return means
