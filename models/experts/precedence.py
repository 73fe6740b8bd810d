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
from models.experts.blocks import counter_of, keys_of
from stream.kernels import kernel


@kernel
def log_precedence(others, weights, candidates, blocks, forward, both):
    """Sum over `others` (B, D) of `weights` (B, D) how surely candidates (B, C) come after them: (B, C).

    Row h of `blocks` holds the neighbours of h; its counters `forward` and `both` hold f[h, i] and f[h, i] + f[i, h].
    """
    queries, width = candidates.shape
    result = np.zeros((queries, width), np.float32)
    known = len(blocks.used)
    place = np.empty(known, np.int32)  # never filled: a place counts where the candidate standing there says so
    half = np.float32(0.5)
    for b in range(queries):
        for c in range(width):
            if 0 <= candidates[b, c] < known:
                place[candidates[b, c]] = c
        for j in range(others.shape[1]):
            h = others[b, j]
            if not 0 <= h < known:
                continue
            keys, followers, all_near = keys_of(blocks, h), counter_of(blocks, h, forward), counter_of(blocks, h, both)
            for s in range(len(keys)):
                i = keys[s]
                c = place[i]
                if 0 <= c < width and candidates[b, c] == i and i != h:
                    followed = all_near[s] - followers[s]
                    result[b, c] += weights[b, j] * log32((followers[s] + half) / (followed + half))
    return result
