"""Candidates: the union of what the experts propose.

Taken in rounds, every column's best first, then every column's second best, so that a crowd of proposals cuts each
column's tail and nobody's head. An item nobody proposes cannot be in the list, and counts as a miss in every test.

This is the only way into a list. What is barred, such as what is not available, is stopped here, whoever proposes it.
"""

import numpy as np

from models.base import Mask, Rows
from models.tables import padded
from stream.kernels import kernel

MOST = 160
"""Candidates of one query at most; bounds the cost of scoring it."""


def union(proposals: Rows, barred: Mask | None = None, most: int = MOST) -> Rows:
    """Distinct rows of (B, K, P) proposals in rounds, but for those marked in `barred`.

    Returns (B, C), -1 behind the last; C at least 1.
    """
    item_rows = int(proposals.max(initial=0)) + 1
    if barred is not None:
        proposals = np.where(padded(barred, item_rows)[proposals], np.int32(-1), proposals)
    merged = _in_rounds(proposals, most, item_rows)
    widest = int((merged >= 0).sum(axis=1).max(initial=1))
    return np.ascontiguousarray(merged[:, : max(widest, 1)])


@kernel
def _in_rounds(proposals, most, item_rows):
    queries, columns, rounds = proposals.shape
    merged = np.full((queries, most), -1, np.int32)
    taken = np.empty(item_rows, np.int32)  # never filled: a place counts where the item standing there says so
    for b in range(queries):
        count = 0
        for place in range(rounds):
            for column in range(columns):
                item = proposals[b, column, place]
                if item < 0 or count == most:
                    continue
                if 0 <= taken[item] < count and merged[b, taken[item]] == item:
                    continue
                taken[item] = count
                merged[b, count] = item
                count += 1
    return merged
