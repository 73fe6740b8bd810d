"""Rows of very different lengths in one pool: a block for each row, and a width that none may exceed.

A row begins in a block of 8 entries and moves to one twice as large when that is full, so that a rare item costs
little and a frequent one may keep a thousand neighbours. What is left behind is garbage until the pool is packed anew,
at the latest when it would outgrow the live blocks by half; so an entry that moves does so O(1) times.

Memory is bounded by a budget of entries over all rows: whenever it is spent, the width is halved, and what longer rows
have beyond it makes room, those entries first whose value in the last counter is least. So few items have long rows and
many have short ones, without a setting that says which. All of this depends on the rows alone and not on where they
lie: a restored table goes on exactly as the one that was copied.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.base import Floats, Mask, Rows
from models.tables import grown
from stream.kernels import kernel

LEAST = 8
"""Entries in the smallest block; rows are never made narrower than this."""

_SLACK = 1024


class Blocks(NamedTuple):
    """The arrays of a pool as kernels see them; the first three are by row."""

    starts: npt.NDArray[np.int64]
    """Where the block of a row begins, in entries."""
    rooms: Rows
    """Entries that the block can hold: 0, or a power of two."""
    used: Rows
    """Entries in it, in no order."""
    keys: Rows
    """By entry."""
    counters: Floats
    """By entry, flat: in a block of n entries each counter has n values side by side."""
    depth: int
    """Counters of an entry."""
    ends: npt.NDArray[np.int64]
    """Where the last block ends; and how many entries the rows would take in the smallest blocks that hold them."""


class Pool:
    """Growing rows of entries with `depth` counters each, at most `width` in a row and about `budget` altogether."""

    def __init__(self, depth: int, width: int, budget: int) -> None:
        none = np.empty(0, np.int32)
        ends = np.zeros(2, np.int64)
        self.width = width
        self._budget = budget
        self.blocks = Blocks(np.empty(0, np.int64), none, none, none, np.empty(0, np.float32), depth, ends)

    @property
    def most(self) -> int:
        """Entries after which `make_room` is to be asked again."""
        return self._budget if self.width > LEAST else np.iinfo(np.int64).max

    def __len__(self) -> int:
        """How many rows there are; those from there on are empty."""
        return len(self.blocks.used)

    def grow(self, rows: int) -> None:
        """Have at least so many rows."""
        blocks = self.blocks
        self.blocks = blocks._replace(
            starts=grown(blocks.starts, rows), rooms=grown(blocks.rooms, rows), used=grown(blocks.used, rows)
        )

    def make_room(self, entries: int) -> None:
        """Be ready for blocks of so many entries, and keep to the budget."""
        blocks = self.blocks
        while blocks.ends[1] > self._budget and self.width > LEAST:
            self.width = max(self.width // 2, LEAST)
            _narrow(blocks, self.width)
        if blocks.ends[0] + entries > len(blocks.keys):
            self._pack(entries)

    def drop(self, dead: Mask) -> None:
        """Empty the rows marked in `dead`, one mark a row, and take the same keys out of all others."""
        _drop(self.blocks, dead)

    def packed(self) -> tuple[Rows, Rows, Floats]:
        """Copy the rows one after the other: how long each is, keys (n,), and counters (n, depth)."""
        blocks = self.blocks
        keys, counters = _unblocked(blocks, int(blocks.used.sum()))
        return blocks.used.copy(), keys, counters

    def restore(
        self,
        used: npt.NDArray[np.generic],
        keys: npt.NDArray[np.generic],
        counters: npt.NDArray[np.generic],
        width: int,
    ) -> None:
        """Take back what `packed` gave, and the width of that time."""
        self.width = width
        rooms = np.zeros(len(used), np.int32)
        blocks = self.blocks._replace(starts=np.zeros(len(used), np.int64), rooms=rooms, used=used.astype(np.int32))
        self.blocks = blocks._replace(ends=np.zeros(2, np.int64))
        _measure(self.blocks)
        self._pack(0)
        _reblock(self.blocks, keys.astype(np.int32), counters.astype(np.float32))

    def _pack(self, entries: int) -> None:
        old = self.blocks
        live = int(old.ends[1])
        room = live + live // 2 + entries + _SLACK
        self.blocks = old._replace(
            starts=old.starts.copy(), rooms=old.rooms.copy(), ends=old.ends.copy(),
            keys=np.empty(room, np.int32), counters=np.empty(room * old.depth, np.float32),
        )  # fmt: skip
        _pack(old, self.blocks)


@kernel
def keys_of(blocks, row):
    """Keys of a row, as a view."""
    start = blocks.starts[row]
    return blocks.keys[start : start + blocks.used[row]]


@kernel
def counter_of(blocks, row, counter):
    """One counter of all entries of a row, as a view."""
    start = blocks.starts[row] * blocks.depth + counter * np.int64(blocks.rooms[row])
    return blocks.counters[start : start + blocks.used[row]]


@kernel
def fitting(entries):
    """Entries of the smallest block that holds so many."""
    room = LEAST if entries > 0 else 0
    while room < entries:
        room *= 2
    return room


@kernel
def add(blocks, row, key):
    """Add an entry with all counters 0 at the end of a row, and return its place; `make_room` came before."""
    s = blocks.used[row]
    if s == blocks.rooms[row]:
        _move(blocks, row)
    blocks.ends[1] += fitting(s + 1) - fitting(s)
    blocks.used[row] = s + 1
    replace(blocks, row, s, key)
    return s


@kernel
def replace(blocks, row, s, key):
    """Make entry s of a row one of `key`, with all counters 0."""
    blocks.keys[blocks.starts[row] + s] = key
    for counter in range(blocks.depth):
        counter_of(blocks, row, counter)[s] = 0


@kernel
def _move(blocks, row):
    """Give a row a block twice as large."""
    old, room, new = blocks.starts[row], np.int64(blocks.rooms[row]), blocks.ends[0]
    larger = fitting(room + 1)
    _copy(blocks, old, room, blocks, new, larger, blocks.used[row])
    blocks.starts[row], blocks.rooms[row] = new, larger
    blocks.ends[0] += larger


@kernel
def _copy(source, old, room, target, new, larger, used):
    """Copy the entries of a block of `room` entries at `old` to one of `larger` at `new`."""
    for s in range(used):
        target.keys[new + s] = source.keys[old + s]
    for counter in range(source.depth):
        a, b = old * source.depth + counter * room, new * source.depth + counter * larger
        for s in range(used):
            target.counters[b + s] = source.counters[a + s]


@kernel
def _pack(old, packed):
    """Copy all rows of `old` side by side, each into the smallest block that holds it."""
    end = 0
    for row in range(len(old.used)):
        used = old.used[row]
        room = fitting(used)
        if old.rooms[row] > 0:
            _copy(old, old.starts[row], np.int64(old.rooms[row]), packed, end, room, used)
        packed.starts[row], packed.rooms[row] = end, room
        end += room
    packed.ends[0] = end


@kernel
def _measure(blocks):
    blocks.ends[1] = 0
    for used in blocks.used:
        blocks.ends[1] += fitting(used)


@kernel
def _keep(blocks, row, kept):
    """Keep the marked entries of a row, in their order."""
    start, count = blocks.starts[row], 0
    for s in range(len(kept)):
        if kept[s]:
            blocks.keys[start + count] = blocks.keys[start + s]
            for counter in range(blocks.depth):
                values = counter_of(blocks, row, counter)
                values[count] = values[s]
            count += 1
    blocks.used[row] = count


@kernel
def _narrow(blocks, width):
    """Keep the `width` entries of each longer row whose last counter is largest, the older of equals."""
    for row in range(len(blocks.used)):
        if blocks.used[row] > width:
            order = np.argsort(-counter_of(blocks, row, blocks.depth - 1), kind="mergesort")
            kept = np.zeros(len(order), np.bool_)
            kept[order[:width]] = True
            _keep(blocks, row, kept)
    _measure(blocks)


@kernel
def _drop(blocks, dead):
    for row in range(len(blocks.used)):
        if dead[row]:
            blocks.used[row] = 0
            continue
        keys = keys_of(blocks, row)
        kept = np.ones(len(keys), np.bool_)
        for s in range(len(keys)):
            kept[s] = not dead[keys[s]]
        if not kept.all():
            _keep(blocks, row, kept)
    _measure(blocks)


@kernel
def _unblocked(blocks, entries):
    keys, counters = np.empty(entries, np.int32), np.empty((entries, blocks.depth), np.float32)
    end = 0
    for row in range(len(blocks.used)):
        used = blocks.used[row]
        keys[end : end + used] = keys_of(blocks, row)
        for counter in range(blocks.depth):
            counters[end : end + used, counter] = counter_of(blocks, row, counter)
        end += used
    return keys, counters


@kernel
def _reblock(blocks, keys, counters):
    end = 0
    for row in range(len(blocks.used)):
        used = blocks.used[row]
        keys_of(blocks, row)[:] = keys[end : end + used]
        for counter in range(blocks.depth):
            counter_of(blocks, row, counter)[:] = counters[end : end + used, counter]
        end += used
