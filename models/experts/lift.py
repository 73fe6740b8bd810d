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
from models.experts.blocks import counter_of
from stream.kernels import kernel


@kernel
def log_lift(pairs, weights, least, blocks, norms, totals, lane):
    """Sum the log lifts of candidates (B, C) over the items (B, D) that they have met, by `weights` (B, D): (B, C).

    Row h of `blocks` holds the counters of the neighbours of h; compared are those of `lane`, of which `norms`
    (rows, lanes) holds what each item has, and `totals` what all have. `least` is l above.
    """
    result = np.zeros(pairs.candidates.shape, np.float32)
    for b in range(len(result)):
        for j in range(weights.shape[1]):
            if weights[b, j] == 0 or pairs.starts[b, j] == pairs.ends[b, j]:
                continue
            h = pairs.items[b, j]
            share = norms[h, lane] / totals[lane] if totals[lane] > 0 else 0.0
            counts = counter_of(blocks, h, lane)
            for n in range(pairs.starts[b, j], pairs.ends[b, j]):
                c = pairs.columns[n]
                expected = np.float32(share * norms[pairs.candidates[b, c], lane])
                result[b, c] += weights[b, j] * log32((counts[pairs.slots[n]] + least) / (expected + least))
    return result
