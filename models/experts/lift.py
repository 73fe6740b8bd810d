"""Lift: how much more often two items are met together than their frequencies alone would have it.

With n meetings of h and i counted, and ``e = met[h] met[i] / all`` expected if who meets whom were chance, the log lift
is ``log((n + l) / (e + l))``: the l added to both keeps a single meeting of two rare items from looking like a law.
Summed over the newest twenty items of the window, it tells a candidate that goes with many of them from one that is
merely frequent beside one; sums of counts do not keep these apart. It is asked twice: of all meetings, l = 1, the item
at position j weighing ``.9^j``; and of those in one burst, counted as `bursts` does, l = 1/2, an item that was met D
seconds ago weighing ``exp(-D / 120)``, or nothing below .001.
"""

import numpy as np

from models.elementary import log32
from models.experts.blocks import counter_of, keys_of
from stream.kernels import kernel


@kernel
def log_lift(items, weights, candidates, least, blocks, norms, totals, lane):
    """Sum the log lifts of candidates (B, C) over `items` (B, D) that they have met, by `weights` (B, D): (B, C).

    Row h of `blocks` holds the neighbours of h and their counters; compared are those of `lane`, of which `norms`
    (rows, lanes) holds what each item has, and `totals` what all have. `least` is l above.
    """
    queries, width = candidates.shape
    result = np.zeros((queries, width), np.float32)
    known = len(blocks.used)
    place = np.empty(known, np.int32)  # never filled: a place counts where the candidate standing there says so
    for b in range(queries):
        for c in range(width):
            if 0 <= candidates[b, c] < known:
                place[candidates[b, c]] = c
        for j in range(items.shape[1]):
            h = items[b, j]
            if not 0 <= h < known or weights[b, j] == 0:
                continue
            share = norms[h, lane] / totals[lane] if totals[lane] > 0 else 0.0
            keys, counts = keys_of(blocks, h), counter_of(blocks, h, lane)
            for s in range(len(keys)):
                i = keys[s]
                c = place[i]
                if 0 <= c < width and candidates[b, c] == i:
                    expected = np.float32(share * norms[i, lane])
                    result[b, c] += weights[b, j] * log32((counts[s] + least) / (expected + least))
    return result
