"""Precedence: whether an item comes after others rather than before them.

Of two items that are both likely, the one that is usually met first is the likelier one now: pages list things in an
order, series have one, and news is read from the newest down. With f[h, i] the near followers that `transitions`
counts, and others h of weight w, the log precedence of i is ``sum_h w log((f[h, i] + 1/2) / (f[i, h] + 1/2))``, over
the h in whose row i is kept: the log odds of paired comparisons (Bradley & Terry 1952), each as sure as its counts are.
What counts both ways, as most readouts do, does not tell the two apart. It is asked twice: beside the newest twenty
items of the window, ``w = .9^j``, and beside the ten likeliest candidates, w the mixture's probability of each.
"""

import numpy as np

from models.elementary import log32
from models.experts.blocks import counter_of
from stream.kernels import kernel


@kernel
def log_precedence(pairs, weights, blocks, forward, both):
    """Sum over items (B, D), by `weights` (B, D), how surely candidates (B, C) come after them: (B, C).

    Row h of `blocks` holds the counters of the neighbours of h: `forward` is f[h, i] and `both` f[h, i] + f[i, h].
    """
    result = np.zeros(pairs.candidates.shape, np.float32)
    half = np.float32(0.5)
    for b in range(len(result)):
        for j in range(weights.shape[1]):
            if pairs.starts[b, j] == pairs.ends[b, j]:
                continue
            h = pairs.items[b, j]
            followers, all_near = counter_of(blocks, h, forward), counter_of(blocks, h, both)
            for n in range(pairs.starts[b, j], pairs.ends[b, j]):
                c, s = pairs.columns[n], pairs.slots[n]
                if pairs.candidates[b, c] != h:
                    followed = all_near[s] - followers[s]
                    result[b, c] += weights[b, j] * log32((followers[s] + half) / (followed + half))
    return result
