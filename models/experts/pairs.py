"""Where candidates stand in the rows of other items: found once, and asked for several things.

Finding them costs a look at every neighbour of every item, which is nearly all that `lift` and `precedence` cost; what
they ask of the pairs that are found is little beside it.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.base import Rows
from models.experts.blocks import Blocks, keys_of
from stream.kernels import kernel

Places = npt.NDArray[np.int64]


class Pairs(NamedTuple):
    """Items (B, D), candidates (B, C), and where these have met.

    Item ``items[b, j]`` has met the candidates ``columns[n]`` of query b, which stand at ``slots[n]`` in its row, for n
    in [starts[b, j], ends[b, j]). A row that is looked up twice is found once.
    """

    items: Rows
    candidates: Rows
    starts: Places
    ends: Places
    columns: Rows
    slots: Rows


def together(items: Rows, candidates: Rows, blocks: Blocks) -> Pairs:
    """Find the candidates (B, C) in the rows of `items` (B, D)."""
    return Pairs(items, candidates, *_found(items, candidates, blocks))


@kernel
def _found(items, candidates, blocks):
    width, known = candidates.shape[1], len(blocks.used)
    place = np.empty(known, np.int32)  # never filled: a place counts where the candidate standing there says so
    starts, ends = np.zeros(items.shape, np.int64), np.zeros(items.shape, np.int64)
    columns, slots = np.empty(1024, np.int32), np.empty(1024, np.int32)
    count = 0
    for b in range(len(items)):
        for c in range(width):
            if 0 <= candidates[b, c] < known:
                place[candidates[b, c]] = c
        for j in range(items.shape[1]):
            h, twin = items[b, j], 0
            if not 0 <= h < known:
                continue
            while items[b, twin] != h:
                twin += 1
            if twin < j:
                starts[b, j], ends[b, j] = starts[b, twin], ends[b, twin]
                continue
            columns, slots = _with_room(columns, count + width), _with_room(slots, count + width)
            starts[b, j] = count
            keys = keys_of(blocks, h)
            for s in range(len(keys)):
                c = place[keys[s]]
                if 0 <= c < width and candidates[b, c] == keys[s]:
                    columns[count], slots[count] = c, s
                    count += 1
            ends[b, j] = count
    return starts, ends, columns[:count].copy(), slots[:count].copy()


@kernel
def _with_room(values, length):
    if length <= len(values):
        return values
    longer = np.empty(2 * length, np.int32)
    longer[: len(values)] = values
    return longer
