"""The situation a list is made in: numbers by which the gate and the ranker choose whom to trust.

One row x of `WIDTH` numbers a query, each about in [0, 1]: how long the user has been away, how much is known of the
user and of the newest item, how repetitive the user is, how much evidence the sharpest experts hold. All from the
window, the item statistics and the experts' readings; O(L^2) a query for finding repeats.
"""

import numpy as np

from models.base import Floats, Queries
from models.items import COUNT, ItemStatistics
from stream.kernels import kernel

EVIDENCE_COLUMNS = ("last_transition", "transitions", "own_sequence")
"""Columns whose mass of evidence is part of the context."""

_EVIDENCE_SCALES = (5.0, 5.0, 3.0)
_GAP_KNOTS = np.log1p(np.array([1.0, 30.0, 300.0, 1_800.0, 7_200.0, 28_800.0, 172_800.0, 1_209_600.0]))
_LENGTH_STEPS = np.array([2, 5, 20, 50])
_RARE = 5
WIDTH = 12 + len(_GAP_KNOTS) + len(_LENGTH_STEPS) + 1
TIMES = (1, 8, 9, *range(12, 12 + len(_GAP_KNOTS)))
"""Columns that are spans of time."""


def contexts(queries: Queries, items: ItemStatistics, evidence: Floats) -> Floats:
    """Context x of each query (B, WIDTH).

    `evidence` (B, 3) is the mass behind each of EVIDENCE_COLUMNS.
    """
    windows = queries.windows
    x: Floats = _contexts(windows.items, windows.times_ms, windows.lengths, windows.now_ms, items.table[:, COUNT])
    x[:, 5:8] = np.log1p(evidence) / np.array(_EVIDENCE_SCALES, np.float32)
    return x


@kernel
def _contexts(items, times_ms, lengths, now_ms, counts):
    x = np.zeros((len(lengths), WIDTH), np.float32)
    for b in range(len(lengths)):
        length = lengths[b]
        x[b, 0] = 1
        x[b, 11] = 1 / (1 + length)
        steps = 12 + len(_GAP_KNOTS)
        for k in range(len(_LENGTH_STEPS)):
            x[b, steps + k] = length < _LENGTH_STEPS[k]
        if length == 0:
            continue
        gap_s = max(now_ms[b] - times_ms[b, 0], 0) / 1000
        newest = items[b, 0]
        met = counts[newest] if newest < len(counts) else 0
        repeated, rare = _repeats_and_rare(items[b, :length], counts)
        x[b, 1] = np.log1p(gap_s) / 10
        x[b, 2] = np.log1p(length) / 5
        x[b, 3] = (repeated + 1) / (length + 2)
        x[b, 4] = np.log1p(met) / 6
        x[b, 8] = np.exp(-gap_s / 1800)
        x[b, 9] = np.log1p(_since_last(items[b, :length], times_ms[b, :length]) / 1000) / 10
        x[b, 10] = rare / length
        _triangular(np.log1p(gap_s), x[b, 12 : 12 + len(_GAP_KNOTS)])
        x[b, WIDTH - 1] = met < _RARE
    return x


@kernel
def _repeats_and_rare(items, counts):
    repeated, rare = 0, 0
    for j in range(len(items)):
        rare += items[j] >= len(counts) or counts[items[j]] < _RARE
        for older in range(j + 1, len(items)):
            if items[older] == items[j]:
                repeated += 1
                break
    return repeated, rare


@kernel
def _since_last(items, times_ms):
    """Milliseconds between the newest item and its previous occurrence; 0 if there is none."""
    for j in range(1, len(items)):
        if items[j] == items[0]:
            return times_ms[0] - times_ms[j]
    return 0


@kernel
def _triangular(value, bins):
    """Linear interpolation weights of `value` between the two knots around it."""
    if value <= _GAP_KNOTS[0]:
        bins[0] = 1
        return
    for k in range(1, len(_GAP_KNOTS)):
        if value <= _GAP_KNOTS[k]:
            upper = (value - _GAP_KNOTS[k - 1]) / (_GAP_KNOTS[k] - _GAP_KNOTS[k - 1])
            bins[k - 1] = 1 - upper
            bins[k] = upper
            return
    bins[len(bins) - 1] = 1
