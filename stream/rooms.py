"""Room that grows with what it holds: stretches of one flat array, handed out, and taken back to be handed out again.

A stretch holds 8 entries, 32, 128 and so on, and `length` at the most: these are its sizes, counted from 0. What is
free is a chain for each size, linked in an array of 64 bits an entry which nobody else reads there; behind `used` the
array was never handed out. Who needs more takes a stretch of the next size and leaves the old one to whoever needs that
much. Where nobody does, all that was left is a third of what is held at the most.
"""

import numpy as np

from stream.kernels import kernel

_SMALLEST = 8  # entries
_DOUBLINGS = 2  # from one size to the next


@kernel
def room(size, length):  # type: ignore[no-untyped-def]
    """How many entries a stretch of this size holds."""
    return min(_SMALLEST << _DOUBLINGS * size, length)


@kernel
def size_for(entries, length):  # type: ignore[no-untyped-def]
    """Return the smallest size that holds so many entries, `length` at most."""
    size = 0
    while room(size, length) < entries:
        size += 1
    return size


@kernel
def rooms_for(counts, length):  # type: ignore[no-untyped-def]
    """Room of each of n stretches (n,) that hold so many entries; none for none."""
    rooms = np.zeros(len(counts), np.int32)
    for n in range(len(counts)):
        if counts[n] > 0:
            rooms[n] = room(size_for(counts[n], length), length)
    return rooms


@kernel
def take(size, links, free, used, length):  # type: ignore[no-untyped-def]
    """Return the first entry of a stretch of this size, -1 where there is no room for it."""
    first = free[size]
    if first >= 0:
        free[size] = links[first]
    elif used[0] + room(size, length) <= len(links):
        first = used[0]
        used[0] += room(size, length)
    return first


@kernel
def leave(first, entries, links, free, length):  # type: ignore[no-untyped-def]
    """Give back a stretch with room for so many entries."""
    size = size_for(entries, length)
    links[first] = free[size]
    free[size] = first
