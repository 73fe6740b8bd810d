"""What each user did lately: the newest entries of every user, bounded in number and in span.

A window holds up to L entries (item row, event time) of one user, newest first. That is the layout in which they are
read: a view is a straight copy, and a new event shifts at most L entries by one. Entries are ordered by event time,
equal times by arrival (what arrived later counts as newer), so a late event stands where it would have stood in time.
An entry leaves when L newer ones are there, or when it is older than the newest by more than the span.

An event is learned from what was known *before* it, and answered from what is known *after* it. Both views are taken at
the event's turn, so that several events of one user in one batch each see the previous ones.

Bytes: 12 L + 4 for each user row.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream.kernels import kernel
from stream.snapshots import State

Rows = npt.NDArray[np.int32]
Times = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


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

    def __len__(self) -> int:
        return len(self.users)

    def part(self, start: int, stop: int) -> "WindowView":
        """Return the views [start, stop), without a copy."""
        own = slice(start, stop)
        return WindowView(self.users[own], self.now_ms[own], self.items[own], self.times_ms[own], self.lengths[own])

    def take(self, places: npt.NDArray[np.integer] | Mask) -> "WindowView":
        """Return the views at `places`: positions in [0, B), or a mask (B,)."""
        return WindowView(
            self.users[places], self.now_ms[places], self.items[places], self.times_ms[places], self.lengths[places]
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

    def _clear(self, rows: int) -> None:
        self._counts = np.zeros(rows, np.int32)
        self._items = np.empty((rows, self._length), np.int32)
        self._times = np.empty((rows, self._length), np.int64)

    def extend(self, users: Rows, items: Rows, times_ms: Times) -> tuple[WindowView, WindowView]:
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
        """
        self._grow(int(users.max(initial=-1)) + 1)
        before = self._blank_view(users, times_ms)
        after = self._blank_view(users, times_ms)
        _extend(
            self._counts, self._items, self._times, self._span_ms, users, items, times_ms,
            before.items, before.times_ms, before.lengths, after.now_ms, after.items, after.times_ms, after.lengths,
        )  # fmt: skip
        return before, after

    def view(self, users: Rows, now_ms: Times) -> WindowView:
        """Whole windows of B user rows, as after an event: the moment is `now_ms` or that of the newest entry.

        Changes nothing; an unknown row or -1 has an empty window.
        """
        view = self._blank_view(users, now_ms)
        _view(self._counts, self._items, self._times, self._span_ms, users, view.now_ms, view.items, view.times_ms,
              view.lengths)  # fmt: skip
        return view

    def forget_users(self, dead: Mask) -> None:
        """Empty the windows of the user rows marked in `dead`; rows beyond its end live on."""
        rows = min(len(dead), len(self._counts))
        self._counts[:rows][dead[:rows]] = 0

    def forget_items(self, dead: Mask) -> None:
        """Take the item rows marked in `dead` out of every window; rows beyond its end live on."""
        _forget_items(self._counts, self._items, self._times, dead)

    def state(self) -> State:
        """Copy the entries of all windows one after the other, and how many each user row has."""
        used = int(np.flatnonzero(self._counts)[-1]) + 1 if self._counts.any() else 0
        counts = self._counts[:used].copy()
        items, times_ms = _packed(counts, self._items, self._times, int(counts.sum()))
        return {"counts": counts, "items": items, "times_ms": times_ms}

    def restore(self, state: State) -> None:
        """Take back what `state` gave."""
        used = len(state["counts"])
        self._clear(used)
        self._counts[:] = state["counts"]
        entries = self._entries(used)
        self._items[entries] = state["items"]
        self._times[entries] = state["times_ms"]

    def _entries(self, used: int) -> Mask:
        return np.arange(self._length) < self._counts[:used, None]  # (used, L)

    def _grow(self, rows: int) -> None:
        """Make room for `rows` user rows, at least doubling, so that growth costs little for each event."""
        held = len(self._counts)
        if rows <= held:
            return
        counts, items, times = self._counts, self._items, self._times
        self._clear(max(rows, 2 * held))
        self._counts[:held], self._items[:held], self._times[:held] = counts, items, times

    def _blank_view(self, users: Rows, now_ms: Times) -> WindowView:
        batch = len(users)
        return WindowView(
            users.copy(),
            now_ms.copy(),
            np.empty((batch, self._length), np.int32),
            np.empty((batch, self._length), np.int64),
            np.empty(batch, np.int32),
        )


@kernel
def _copy(items, times, user, first, end, since, items_out, times_out):  # type: ignore[no-untyped-def]
    """Copy a user's entries [first, end) that are not older than `since`, pad, and return their number."""
    while end > first and times[user, end - 1] < since:
        end -= 1
    count = end - first
    for j in range(count):
        items_out[j] = items[user, first + j]
        times_out[j] = times[user, first + j]
    for j in range(count, len(items_out)):
        items_out[j] = -1
        times_out[j] = 0
    return count


@kernel
def _extend(  # type: ignore[no-untyped-def]
    counts, items, times, span, users, new_items, new_times,
    before_items, before_times, before_lengths, after_now, after_items, after_times, after_lengths,
):  # fmt: skip
    length = items.shape[1]
    for b in range(len(users)):
        user, time = users[b], new_times[b]
        count = counts[user] if user >= 0 else 0
        place = 0
        while place < count and times[user, place] > time:
            place += 1
        before_lengths[b] = _copy(items, times, user, place, count, time - span, before_items[b], before_times[b])
        if user >= 0 and new_items[b] >= 0 and place < length:
            count = min(count + 1, length)
            for j in range(count - 1, place, -1):
                items[user, j] = items[user, j - 1]
                times[user, j] = times[user, j - 1]
            items[user, place] = new_items[b]
            times[user, place] = time
            while times[user, 0] - times[user, count - 1] > span:
                count -= 1
            counts[user] = count
        now = max(time, times[user, 0]) if count > 0 else time
        after_now[b] = now
        after_lengths[b] = _copy(items, times, user, 0, count, now - span, after_items[b], after_times[b])


@kernel
def _view(counts, items, times, span, users, now, items_out, times_out, lengths):  # type: ignore[no-untyped-def]
    for b in range(len(users)):
        user = users[b]
        count = counts[user] if 0 <= user < len(counts) else 0
        if count > 0:
            now[b] = max(now[b], times[user, 0])
        lengths[b] = _copy(items, times, user, 0, count, now[b] - span, items_out[b], times_out[b])


@kernel
def _packed(counts, items, times, total):  # type: ignore[no-untyped-def]
    """Entries of all windows, one after the other."""
    packed_items, packed_times = np.empty(total, np.int32), np.empty(total, np.int64)
    end = 0
    for user in range(len(counts)):
        for j in range(counts[user]):
            packed_items[end] = items[user, j]
            packed_times[end] = times[user, j]
            end += 1
    return packed_items, packed_times


@kernel
def _forget_items(counts, items, times, dead):  # type: ignore[no-untyped-def]
    for user in range(len(counts)):
        kept = 0
        for j in range(counts[user]):
            item = items[user, j]
            if item >= len(dead) or not dead[item]:
                items[user, kept] = item
                times[user, kept] = times[user, j]
                kept += 1
        counts[user] = kept
