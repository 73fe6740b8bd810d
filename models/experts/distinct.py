"""The newest distinct items of a window: where somebody is, whatever was met twice on the way."""

import numpy as np

from stream.kernels import kernel


@kernel
def newest_distinct(items, most):
    """Positions (B, most) of the newest distinct items of windows (B, L), newest first; -1 where there are fewer."""
    positions = np.full((len(items), most), -1, np.int32)
    for b in range(len(items)):
        found = 0
        for j in range(items.shape[1]):
            if items[b, j] < 0 or found == most:
                break
            known = False
            for n in range(found):
                known |= items[b, positions[b, n]] == items[b, j]
            if not known:
                positions[b, found] = j
                found += 1
    return positions
