"""Counts of pairs without bound: for each item a row of numbers by other item, exact and as large as it must be.

A row is a small hash table while few others are in it, and a plain one, a number for every item, once that costs about
as much. All rows stand in one pool; a row that becomes too full moves to its end, twice as large. So a pair takes about
32 bytes, what is left behind included, and reading a row is one sweep. For measuring, where nothing may be forgotten;
the experts have the bounded `neighbours`.
"""

import numpy as np

from stream.kernels import kernel

ALL = -1
"""Said in place of the number of items touched: it may be any of them."""

_PLAIN = 4
"""A row becomes plain where a hash table would take more than one place for so many items."""

# A pool is (starts, sizes, filled, keys, counts, ends): where each row is, its places, how many of them are taken; the
# item and the number at each place; in `ends[0]` where the pool ends. An empty place holds the item `nobody`, which is
# the number of items. A row of `nobody` places is plain; other sizes are powers of two.


@kernel
def pool_of(items):
    """Make a pool of empty rows for so many items."""
    starts, sizes, filled = np.zeros(items, np.int64), np.zeros(items, np.int64), np.zeros(items, np.int64)
    return starts, sizes, filled, np.full(1024, items, np.int32), np.zeros(1024, np.float32), np.zeros(1, np.int64)


@kernel
def add(pool, row, item, amount):
    """Add to the number of `item` in a row; return the pool to go on with."""
    starts, sizes, filled, keys, counts, ends = pool
    nobody, size = len(starts), sizes[row]
    if size < nobody and 4 * filled[row] >= 3 * size:
        larger = max(4, 2 * size) if _PLAIN * max(4, 2 * size) < nobody else nobody
        start = ends[0]
        if start + larger > len(keys):
            more = max(len(keys), larger)
            keys = np.concatenate((keys, np.full(more, nobody, np.int32)))
            counts = np.concatenate((counts, np.zeros(more, np.float32)))
        for old in range(starts[row], starts[row] + size):
            if keys[old] != nobody:
                new = _place(keys, start, larger, nobody, keys[old])
                keys[new], counts[new] = keys[old], counts[old]
        starts[row], sizes[row] = start, larger
        ends[0] += larger
    place = _place(keys, starts[row], sizes[row], nobody, item)
    filled[row] += keys[place] == nobody
    keys[place] = item
    counts[place] += amount
    return starts, sizes, filled, keys, counts, ends


@kernel
def add_row(pool, row, weight, scores, touched, count):
    """Add ``weight`` times a row to `scores` (items + 1,), which began as zeros and one 1 at the end.

    The items whose scores are no longer 0 stand in the first `count` of `touched` (items + 1,). Returns the new count,
    ALL after a plain row.
    """
    starts, sizes, _, keys, counts, _ = pool
    nobody, first, last = len(starts), starts[row], starts[row] + sizes[row]
    if sizes[row] == nobody:
        for item in range(nobody):
            scores[item] += weight * counts[first + item]
        return ALL
    if count == ALL:
        for place in range(first, last):
            scores[keys[place]] += weight * counts[place]
        return ALL
    for place in range(first, last):
        item = keys[place]
        touched[count] = item
        count += scores[item] == 0
        scores[item] += weight * counts[place]
    return count


@kernel
def _place(keys, start, size, nobody, item):
    """Where `item` is, or can be, in the row at ``[start, start + size)``."""
    if size == nobody:
        return start + item
    place = (item * 0x9E3779B1) & (size - 1)
    while keys[start + place] != nobody and keys[start + place] != item:
        place = (place + 1) & (size - 1)
    return start + place
