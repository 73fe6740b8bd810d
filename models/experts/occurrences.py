"""The newest events, each with what the same user did just before and just after it.

A ring of the last `capacity` events of the stream. An event is known by its number: event n lies in slot n % capacity
until event n + capacity takes its place, so that a number tells by itself whether it still leads somewhere. The events
of an item form a chain, the newest first; so do those of a user, by which a new event finds the ones that it follows.
What stood around an event is copied to it rather than linked: whoever walks an item's chain then finds all there is to
know of an occurrence in a few cache lines.

Learning costs O(before^2 + after) an event, forgetting O(capacity). Memory: ``4 (before + after) + 20`` bytes an event
(116 for 16 and 8), 8 bytes an item and 8 bytes a user.
"""

import numpy as np
import numpy.typing as npt

from models.base import Events, Mask, Rows
from models.tables import dead_rows, grown, padded
from stream.kernels import kernel
from stream.snapshots import State

_NOTHING = -1


class Occurrences:
    """The newest `capacity` events, with the `before` newest distinct other items before and the `after` items after.

    Attributes
    ----------
    learned
        Number of events met so far, which is also the number of the next one.
    newest
        Number of each item's newest event, by item row; below `oldest` where there is none.
    older
        Number of the event before of the same item, by slot.
    before, after
        Item rows (capacity, before) and (capacity, after), nearest first, -1 where there is none or no more.
    """

    def __init__(self, capacity: int, before: int, after: int) -> None:
        self.learned = 0
        self.newest = np.zeros(0, np.int64)
        self._latest = np.zeros(0, np.int64)  # `newest` and `older` of users
        self.older = np.empty(capacity, np.int64)
        self._previous = np.empty(capacity, np.int64)
        self._users = np.empty(capacity, np.int32)
        self.before = np.empty((capacity, before), np.int32)
        self.after = np.empty((capacity, after), np.int32)

    @property
    def oldest(self) -> int:
        """Number of the oldest event that is still there."""
        return max(self.learned - len(self.older), 0)

    def learn(self, events: Events) -> None:
        """Enter each event, and name it to those before it of the same user."""
        self._grow(events.before.users, events.items, events.before.items)
        _learn(
            events.before.users, events.items, events.before.items, self.learned,
            self.newest, self._latest, self.older, self._previous, self._users, self.before, self.after,
        )  # fmt: skip
        self.learned += len(events)

    def forget_items(self, dead: Mask) -> None:
        """Remove the item rows marked in `dead`, and their events."""
        gone = padded(dead, len(self.newest))
        _unchain(np.flatnonzero(gone), self.newest, self.older, self.oldest)
        held = min(self.learned, len(self.older))
        for around in (self.before[:held], self.after[:held]):
            around[(around >= 0) & gone[around]] = _NOTHING

    def forget_users(self, dead: Mask) -> None:
        """Remove the events of the user rows marked in `dead`."""
        self._latest[dead_rows(dead, len(self._latest))] = _NOTHING
        gone = np.zeros(len(self.older), np.bool_)  # by slot
        held = min(self.learned, len(self.older))
        gone[:held] = padded(dead, len(self._latest))[self._users[:held]] & (self._users[:held] >= 0)
        _bridge(gone, self.newest, self.older, self.oldest, self.learned)
        for table in (self.older, self._previous, self._users, self.before, self.after):
            table[gone] = _NOTHING

    def state(self) -> State:
        """Copy everything."""
        held = min(self.learned, len(self.older))
        return {
            "learned": np.array([self.learned], np.int64),
            "newest": _trimmed(self.newest),
            "latest": _trimmed(self._latest),
            "older": self.older[:held].copy(),
            "previous": self._previous[:held].copy(),
            "users": self._users[:held].copy(),
            "before": self.before[:held].copy(),
            "after": self.after[:held].copy(),
        }

    def restore(self, state: State) -> None:
        """Take back what `state` gave."""
        self.learned = int(state["learned"][0])
        self.newest = state["newest"].astype(np.int64)
        self._latest = state["latest"].astype(np.int64)
        held = len(state["older"])
        self.older[:held] = state["older"]
        self._previous[:held] = state["previous"]
        self._users[:held] = state["users"]
        self.before[:held] = state["before"]
        self.after[:held] = state["after"]

    def _grow(self, users: Rows, *items: Rows) -> None:
        self._latest = grown(self._latest, int(users.max(initial=-1)) + 1, _NOTHING)
        self.newest = grown(self.newest, max(int(rows.max(initial=-1)) for rows in items) + 1, _NOTHING)


def _trimmed(chains: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Copy without the unused rows at the end."""
    return chains[: int(np.flatnonzero(chains >= 0).max(initial=-1)) + 1].copy()


@kernel
def _learn(users, items, windows, learned, newest, latest, older, previous, users_of, before, after):
    capacity = len(older)
    for b in range(len(users)):
        number = learned + b
        slot = number % capacity
        user, item = users[b], items[b]
        older[slot], newest[item] = newest[item], number
        previous[slot], latest[user] = latest[user], number
        users_of[slot] = user
        after[slot] = _NOTHING
        _others(windows[b], item, before[slot])
        earlier = previous[slot]
        for place in range(after.shape[1]):
            if earlier <= max(number - capacity, _NOTHING):
                break
            after[earlier % capacity, place] = item
            earlier = previous[earlier % capacity]


@kernel
def _others(window, item, kept):
    """Fill `kept` with the newest distinct items of a window that are not `item`, then -1."""
    count = 0
    for row in window:
        if row < 0 or count == len(kept):
            break
        known = row == item
        for place in range(count):
            known |= kept[place] == row
        if not known:
            kept[count] = row
            count += 1
    kept[count:] = _NOTHING


@kernel
def _unchain(items, newest, older, oldest):
    """Take apart the chains of `items`."""
    for item in items:
        number = newest[item]
        newest[item] = _NOTHING
        while number >= oldest:
            slot = number % len(older)
            number = older[slot]
            older[slot] = _NOTHING


@kernel
def _bridge(gone, newest, older, oldest, learned):
    """Lead every chain past the events in the slots `gone`: in order, so that what a link is led to is led already."""
    for number in range(oldest, learned):
        earlier = older[number % len(older)]
        if earlier >= oldest and gone[earlier % len(older)]:
            older[number % len(older)] = older[earlier % len(older)]
    for item in range(len(newest)):
        if newest[item] >= oldest and gone[newest[item] % len(older)]:
            newest[item] = older[newest[item] % len(older)]
