"""What the network has been taught, kept for a while so that it can be taught again.

A ring of the newest examples: what the network saw of a window, and the item that came next. Live examples enter at its
newest end and wait there until enough have gathered for an update; old ones are drawn from all of it. A network that
learns a stream in one pass forgets slowly learned, rare patterns; old examples beside the new ones keep them.

Bytes: 6 W + 13 an example, W the number of events that the network reads.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from models.base import Floats, Mask, Rows
from models.network.tokens import gap_buckets, hours_of_week
from models.tables import padded
from stream.snapshots import State
from stream.windows import WindowView

Buckets = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]


class Inputs(NamedTuple):
    """B windows as the network reads them: the newest W events, newest first."""

    items: Rows  # (B, W), -1 where there is none
    gaps: Buckets  # (B, W) bucket of the time from each event to the one after it, for the newest to now
    ages: Buckets  # (B, W) bucket of the time from each event to now
    hours: Buckets  # (B,) hour of the week of now, UTC


class Examples(NamedTuple):
    """B windows, the item that came next, what that is worth, and whose it was."""

    inputs: Inputs
    targets: Rows  # (B,)
    weights: Floats  # (B,)
    users: Rows  # (B,)

    def part(self, start: int, stop: int) -> "Examples":
        """Return the examples [start, stop)."""
        return _examples([column[start:stop] for column in _columns(self)])

    def take(self, places: Places) -> "Examples":
        """Copy the examples at `places`, in that order."""
        return _examples([column[places] for column in _columns(self)])

    @classmethod
    def joined(cls, parts: Sequence["Examples"]) -> "Examples":
        """Return the examples of several parts, one after the other; there is at least one part."""
        return _examples([np.concatenate(columns) for columns in zip(*map(_columns, parts), strict=True)])


def inputs_of(windows: WindowView, width: int) -> Inputs:
    """Give the newest `width` events of each window, with their times as buckets; shorter windows have empty places."""
    items, times_ms = windows.items[:, :width], windows.times_ms[:, :width]
    if (missing := width - items.shape[1]) > 0:
        items = np.pad(items, ((0, 0), (0, missing)), constant_values=-1)
        times_ms = np.pad(times_ms, ((0, 0), (0, missing)))
    now_ms = windows.now_ms[:, None]
    after_ms = np.concatenate([now_ms, times_ms[:, :-1]], axis=1)
    absent = items < 0
    gaps, ages = gap_buckets(after_ms - times_ms), gap_buckets(now_ms - times_ms)
    gaps[absent] = 0
    ages[absent] = 0
    return Inputs(items, gaps, ages, hours_of_week(windows.now_ms))


class ReplayBuffer:
    """The newest `capacity` examples, in order.

    Parameters
    ----------
    capacity
        Most examples held; the oldest make room.
    width
        W, the number of events in an example's window.
    """

    def __init__(self, capacity: int, width: int) -> None:
        self._capacity = capacity
        self._width = width
        self._clear()

    def _clear(self) -> None:
        self._size = 0
        self._end = 0  # where the next example goes
        rows, width = self._capacity, self._width
        self._examples = Examples(
            Inputs(
                np.zeros((rows, width), np.int32),
                np.zeros((rows, width), np.uint8),
                np.zeros((rows, width), np.uint8),
                np.zeros(rows, np.uint8),
            ),
            np.zeros(rows, np.int32),
            np.zeros(rows, np.float32),
            np.zeros(rows, np.int32),
        )

    def __len__(self) -> int:
        return self._size

    def append(self, examples: Examples) -> None:
        """Enter examples in order."""
        count = len(examples.targets)
        places = (self._end + np.arange(count)) % self._capacity
        for table, added in zip(_columns(self._examples), _columns(examples), strict=True):
            table[places] = added
        self._end = (self._end + count) % self._capacity
        self._size = min(self._size + count, self._capacity)

    def take(self, ages: Places) -> Examples:
        """Copy the examples of the given ages: 0 is the newest, ``len(self) - 1`` the oldest."""
        places = (self._end - 1 - ages) % self._capacity
        return self._examples.take(places)

    def drop(self, count: int) -> None:
        """Take back the newest `count` examples."""
        self._size -= count
        self._end = (self._end - count) % self._capacity

    def forget(self, dead_items: Mask, dead_users: Mask) -> Mask:
        """Drop the examples that hold an item or belong to a user marked as dead.

        Returns which examples were dropped, by age.
        """
        held = self.take(np.arange(self._size))
        items = padded(dead_items, 1 + int(max(held.targets.max(initial=-1), held.inputs.items.max(initial=-1))))
        users = padded(dead_users, 1 + int(held.users.max(initial=-1)))
        in_window = (held.inputs.items >= 0) & items[held.inputs.items]
        dropped = in_window.any(axis=1) | items[held.targets] | users[held.users]
        if dropped.any():
            self._keep(_examples([table[~dropped][::-1] for table in _columns(held)]))
        return dropped

    def state(self) -> State:
        """Copy the examples, oldest first."""
        held = self.take(np.arange(self._size)[::-1])
        return dict(zip(_NAMES, _columns(held), strict=True))

    def restore(self, state: State) -> None:
        """Take back what `state` gave."""
        self._keep(_examples([state[name] for name in _NAMES]))

    def _keep(self, examples: Examples) -> None:
        self._clear()
        self.append(examples)


_NAMES = ("items", "gaps", "ages", "hours", "targets", "weights", "users")


def _columns(examples: Examples) -> list[npt.NDArray[Any]]:
    return [*examples.inputs, examples.targets, examples.weights, examples.users]


def _examples(columns: Sequence[npt.NDArray[Any]]) -> Examples:
    items, gaps, ages, hours, targets, weights, users = columns
    return Examples(Inputs(items, gaps, ages, hours), targets, weights, users)
