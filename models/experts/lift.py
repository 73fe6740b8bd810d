"""Lift: how much more often two items are met together than their frequencies alone would have it.

With n meetings of h and i counted, and ``e = met[h] met[i] / all`` expected if who meets whom were chance, the log lift
is ``log((n + 1) / (e + 1))``: the one added to both keeps a single meeting of two rare items from looking like a law.
Summed over the newest twenty items of the window, that at position j weighing ``.9^j``, it tells a candidate that goes
with many of them from one that is merely frequent beside one; sums of counts do not keep these apart.
"""

import numpy as np

from models.elementary import log32
from models.experts.blocks import counter_of, keys_of
from stream.kernels import kernel

_WEIGHTS = np.float32(0.9) ** np.arange(20, dtype=np.float32)


@kernel
def log_lift(items, candidates, blocks, met, total):
    """Sum the log lifts of candidates (B, C) over the window items (B, D) that they have met: (B, C).

    Row h of `blocks` holds the neighbours of h, their meetings as the last counter; `met` (rows,) are the meetings of
    each item, `total` those of all.
    """
    queries, width = candidates.shape
    result = np.zeros((queries, width), np.float32)
    known = len(blocks.used)
    place = np.empty(known, np.int32)  # never filled: a place counts where the candidate standing there says so
    one = np.float32(1)
    for b in range(queries):
        for c in range(width):
            if 0 <= candidates[b, c] < known:
                place[candidates[b, c]] = c
        for j in range(min(items.shape[1], len(_WEIGHTS))):
            h = items[b, j]
            if not 0 <= h < known:
                continue
            share = met[h] / total if total > 0 else 0.0
            keys, meetings = keys_of(blocks, h), counter_of(blocks, h, blocks.depth - 1)
            for s in range(len(keys)):
                i = keys[s]
                c = place[i]
                if 0 <= c < width and candidates[b, c] == i:
                    expected = np.float32(share * met[i])
                    result[b, c] += _WEIGHTS[j] * log32((meetings[s] + one) / (expected + one))
    return result
