"""What each user did lately: the newest entries of every user, bounded in number and in span.

A window holds up to L entries (item row, event time, kind) of one user, newest first. That is the layout in which they
are read: a view is a straight copy, and a new event shifts at most L entries by one. Entries are ordered by event time,
equal times by arrival (what arrived later counts as newer), so a late event stands where it would have stood in time.
An entry leaves when L newer ones are there, or when it is older than the newest by more than the span.

Most users come a few times and some for years, so a window takes room as it fills, four times as much each time
(`rooms`).

The kind of an entry is what was done with the item, such as a look or a purchase: a hash of its name from 1 to 255, 0
where nobody says.

An event is learned from what was known *before* it, and answered from what is known *after* it. Both views are taken at
the event's turn, so that several events of one user in one batch each see the previous ones.

Bytes: 16 for each user row, and 13 for each entry that there is room for: 8, 32, 128 and so on for a window that once
held so many, a third more for what grown windows left behind, and a quarter more in reserve.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream.kernels import kernel
from stream.rooms import leave, room, rooms_for, size_for, take
from stream.snapshots import State

Rows = npt.NDArray[np.int32]
Times = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Kinds = npt.NDArray[np.uint8]

KINDS = 256
"""One more than the largest kind."""


@dataclass(frozen=True, slots=True)
class WindowView:
    """Copies of B windows as seen at B moments, of length L each.

    No entry is newer than the view's moment, and none is older than it by more than the span.
    """

    users: Rows  # (B,)
    now_ms: Times  # (B,)
    items: Rows  # (B, L) newest first, then -1
    times_ms: Times  # (B, L) newest first, then 0
    lengths: Rows  # (B,) number of entries
    kinds: Kinds  # (B, L) newest first, then 0

    def __len__(self) -> int:
        return len(self.users)

    def part(self, start: int, stop: int) -> "WindowView":
        """Return the views [start, stop), without a copy."""
        own = slice(start, stop)
        return self.take(own)

    def take(self, places: npt.NDArray[np.integer] | Mask | slice) -> "WindowView":
        """Return the views at `places`: positions in [0, B), a mask (B,), or a slice."""
        return WindowView(
            self.users[places],
            self.now_ms[places],
            self.items[places],
            self.times_ms[places],
            self.lengths[places],
            self.kinds[places],
        )


class UserWindows:
    """The windows of all users, by user row; rows are bounded by the users' vocabulary.

    Parameters
    ----------
    length
        L, the most entries a window holds.
    span_ms
        How much older than the newest entry, or than the moment of a view, an entry may be.
    """

    def __init__(self, length: int, span_ms: int) -> None:
        self._length = length
        self._span_ms = span_ms
        self._clear(0)

    def _clear(self, rows: int, entries: int = 0) -> None:
        self._counts = np.zeros(rows, np.int32)
        self._rooms = np.zeros(rows, np.int32)
        self._firsts = np.zeros(rows, np.int64)
        self._items = np.empty(entries, np.int32)
        self._times = np.empty(entries, np.int64)
        self._kinds = np.empty(entries, np.uint8)
        self._free = np.full(size_for(self._length, self._length) + 1, -1, np.int64)
        self._used = np.zeros(1, np.int64)

    def extend(
        self, users: Rows, items: Rows, times_ms: Times, kinds: Kinds | None = None
    ) -> tuple[WindowView, WindowView]:
        """Enter B events in arrival order; return each one's window just before it and just after it.

        The view before holds the entries up to the event's time, which is its moment. The view after holds the whole
        window; its moment is the event's time or that of the newest entry, whichever is later. An item of -1 enters
        nothing (a request only looks), and the user -1 has an empty window.

        Parameters
        ----------
        users, items
            User and item rows: (B,), -1 or more.
        times_ms
            Event times: (B,), in any order.
        kinds
            What was done: (B,); None where nobody says.
        """
        kinds = np.zeros(len(users), np.uint8) if kinds is None else kinds
        self._grow(int(users.max(initial=-1)) + 1)
        before = self._blank_view(users, times_ms)
        after = self._blank_view(users, times_ms)
        done = 0
        while done < len(users):
            done = _extend(
                self._counts, self._rooms, self._firsts, self._items, self._times, self._kinds, self._free, self._used,
                self._length, self._span_ms, users, items, times_ms, kinds, done,
                before.items, before.times_ms, before.kinds, before.lengths,
                after.now_ms, after.items, after.times_ms, after.kinds, after.lengths,
            )  # fmt: skip
            if done < len(users):
                self._make_room()
        return before, after

    def view(self, users: Rows, now_ms: Times) -> WindowView:
        """Whole windows of B user rows, as after an event: the moment is `now_ms` or that of the newest entry.

        Changes nothing; an unknown row or -1 has an empty window.
        """
        view = self._blank_view(users, now_ms)
        _view(
            self._counts, self._firsts, self._items, self._times, self._kinds, self._span_ms, users,
            view.now_ms, view.items, view.times_ms, view.kinds, view.lengths,
        )  # fmt: skip
        return view

    def forget_users(self, dead: Mask) -> None:
        """Empty the windows of the user rows marked in `dead`; rows beyond its end live on."""
        _forget_users(self._counts, self._rooms, self._firsts, self._times, self._free, self._length, dead)

    def forget_items(self, dead: Mask) -> None:
        """Take the item rows marked in `dead` out of every window; rows beyond its end live on."""
        _forget_items(self._counts, self._firsts, self._items, self._times, self._kinds, dead)

    def state(self) -> State:
        """Copy the entries of all windows one after the other, and how many each user row has."""
        used = int(np.flatnonzero(self._counts)[-1]) + 1 if self._counts.any() else 0
        counts = self._counts[:used].copy()
        entries = self._entries(used)
        return {
            "counts": counts,
            "items": self._items[entries],
            "times_ms": self._times[entries],
            "kinds": self._kinds[entries],
        }

    def restore(self, state: State) -> None:
        """Take back what `state` gave; windows longer than L are refused."""
        counts = state["counts"]
        if counts.max(initial=0) > self._length:
            message = f"A window of {counts.max()} entries does not fit into windows of {self._length}."
            raise ValueError(message)
        rooms = rooms_for(counts, self._length)
        self._clear(len(counts), _with_reserve(int(rooms.sum()), self._length))
        self._counts[:], self._rooms[:] = counts, rooms
        self._firsts[1:] = np.cumsum(rooms)[:-1]
        self._used[0] = rooms.sum()
        entries = self._entries(len(counts))
        self._items[entries], self._times[entries] = state["items"], state["times_ms"]
        self._kinds[entries] = state["kinds"]

    def _entries(self, rows: int) -> npt.NDArray[np.int64]:
        """Places of the entries of the first windows, one window after the other."""
        counts = self._counts[:rows]
        ends = np.cumsum(counts, dtype=np.int64)
        return np.repeat(self._firsts[:rows] - (ends - counts), counts) + np.arange(counts.sum())

    def _grow(self, rows: int) -> None:
        """Make place for `rows` user rows, at least doubling, so that growth costs little for each event."""
        held = len(self._counts)
        if rows <= held:
            return
        more = max(rows, 2 * held) - held
        self._counts = np.concatenate([self._counts, np.zeros(more, np.int32)])
        self._rooms = np.concatenate([self._rooms, np.zeros(more, np.int32)])
        self._firsts = np.concatenate([self._firsts, np.zeros(more, np.int64)])

    def _make_room(self) -> None:
        """Make room for a quarter more entries, and for a window at least."""
        more = _with_reserve(len(self._items), self._length) - len(self._items)
        self._items = np.concatenate([self._items, np.empty(more, np.int32)])
        self._times = np.concatenate([self._times, np.empty(more, np.int64)])
        self._kinds = np.concatenate([self._kinds, np.empty(more, np.uint8)])

    def _blank_view(self, users: Rows, now_ms: Times) -> WindowView:
        batch = len(users)
        return WindowView(
            users.copy(),
            now_ms.copy(),
            np.empty((batch, self._length), np.int32),
            np.empty((batch, self._length), np.int64),
            np.empty(batch, np.int32),
            np.empty((batch, self._length), np.uint8),
        )


def _with_reserve(entries: int, length: int) -> int:
    return entries + entries // 4 + length


@kernel
def _move(user, counts, rooms, firsts, items, times, kinds, free, used, length):  # type: ignore[no-untyped-def]
    """Take a user's window to room of the next size; whether there is any."""
    size = size_for(rooms[user] + 1, length)
    first, old = take(size, times, free, used, length), firsts[user]
    if first < 0:
        return False
    for j in range(counts[user]):
        items[first + j] = items[old + j]
        times[first + j] = times[old + j]
        kinds[first + j] = kinds[old + j]
    if rooms[user] > 0:
        leave(old, rooms[user], times, free, length)
    firsts[user], rooms[user] = first, room(size, length)
    return True


@kernel
def _copy(items, times, kinds, first, end, since, items_out, times_out, kinds_out):  # type: ignore[no-untyped-def]
    """Copy the entries [first, end) of a window that are not older than `since`, pad, and return their number."""
    while end > first and times[end - 1] < since:
        end -= 1
    count = end - first
    for j in range(count):
        items_out[j] = items[first + j]
        times_out[j] = times[first + j]
        kinds_out[j] = kinds[first + j]
    for j in range(count, len(items_out)):
        items_out[j] = -1
        times_out[j] = 0
        kinds_out[j] = 0
    return count


@kernel
def _extend(  # type: ignore[no-untyped-def]
    counts, rooms, firsts, items, times, kinds, free, used,
    length, span, users, new_items, new_times, new_kinds, begin,
    before_items, before_times, before_kinds, before_lengths,
    after_now, after_items, after_times, after_kinds, after_lengths,
):  # fmt: skip
    """Enter the events from place `begin` on; return the place of the first for whose window there is no room."""
    for b in range(begin, len(users)):
        user, time = users[b], new_times[b]
        count = counts[user] if user >= 0 else 0
        place = 0
        while place < count and times[firsts[user] + place] > time:
            place += 1
        enters = user >= 0 and new_items[b] >= 0 and place < length
        if (
            enters
            and count == rooms[user]
            and count < length
            and not _move(user, counts, rooms, firsts, items, times, kinds, free, used, length)
        ):
            return b
        first = firsts[user] if user >= 0 else 0
        before_lengths[b] = _copy(
            items, times, kinds, first + place, first + count, time - span,
            before_items[b], before_times[b], before_kinds[b],
        )  # fmt: skip
        if enters:
            count = min(count + 1, length)
            for j in range(first + count - 1, first + place, -1):
                items[j] = items[j - 1]
                times[j] = times[j - 1]
                kinds[j] = kinds[j - 1]
            items[first + place] = new_items[b]
            times[first + place] = time
            kinds[first + place] = new_kinds[b]
            while times[first] - times[first + count - 1] > span:
                count -= 1
            counts[user] = count
        now = max(time, times[first]) if count > 0 else time
        after_now[b] = now
        after_lengths[b] = _copy(
            items, times, kinds, first, first + count, now - span, after_items[b], after_times[b], after_kinds[b]
        )
    return len(users)


@kernel
def _view(counts, firsts, items, times, kinds, span, users, now, items_out, times_out, kinds_out, lengths):  # type: ignore[no-untyped-def]
    for b in range(len(users)):
        user = users[b]
        count, first = 0, 0
        if 0 <= user < len(counts):
            count, first = counts[user], firsts[user]
        if count > 0:
            now[b] = max(now[b], times[first])
        lengths[b] = _copy(
            items, times, kinds, first, first + count, now[b] - span, items_out[b], times_out[b], kinds_out[b]
        )


@kernel
def _forget_users(counts, rooms, firsts, times, free, length, dead):  # type: ignore[no-untyped-def]
    for user in range(min(len(dead), len(counts))):
        if dead[user]:
            counts[user] = 0
            if rooms[user] > 0:
                leave(firsts[user], rooms[user], times, free, length)
                rooms[user] = 0


@kernel
def _forget_items(counts, firsts, items, times, kinds, dead):  # type: ignore[no-untyped-def]
    for user in range(len(counts)):
        first, kept = firsts[user], 0
        for j in range(first, first + counts[user]):
            item = items[j]
            if item >= len(dead) or not dead[item]:
                items[first + kept] = item
                times[first + kept] = times[j]
                kinds[first + kept] = kinds[j]
                kept += 1
        counts[user] = kept
