"""What each user has consumed for good, further back than a window reaches.

For things that are not wanted twice (a film rated, an item dismissed) a list must leave out everything a user ever
consumed. One ring of fixed capacity holds these notes of all users: each note names an item and how many notes further
back the same user's previous one is, so that a user's items are a chain from the newest note back. New notes overwrite
the oldest of all, and a chain ends where the next step would lead out of the ring. Notes are numbered by a sequence
that never restarts; a note's slot is its number modulo the capacity.

An item noted twice is in the chain twice.

Bytes: 8 for each note, 8 for each user row.
"""

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from stream.errors import SnapshotError
from stream.kernels import kernel
from stream.snapshots import State

Rows = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]

Number = TypeVar("Number", np.int32, np.int64)

_NONE = -1  # no item, no note
_ITEM, _BACK = 0, 1  # columns of the ring: item row; notes back to the same user's previous one, 0 for none


class ConsumedItems:
    """The newest `capacity` notes "this user consumed this item", by user row; `capacity` is below 2**31."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._next = 0  # sequence number of the next note
        self._ring = np.empty((0, 2), np.int32)  # by slot
        self._heads = np.empty(0, np.int64)  # by user row: newest note

    @property
    def following(self) -> int:
        """Number of the next note."""
        return self._next

    def add(self, users: Rows, items: Rows) -> None:
        """Note that each of B users consumed an item; both (B,), rows, in order, numbered from `following` on."""
        self._ring = _grown(self._ring, min(self._next + len(users), self._capacity), self._capacity)
        self._heads = _grown(self._heads, int(users.max(initial=-1)) + 1)
        _add(self._ring, self._heads, self._capacity, self._next, users, items)
        self._next += len(users)

    def of(self, users: Rows, before: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], Rows]:
        """Items of each of B users, newest first; an unknown row or -1 has none.

        Of user b only the notes numbered below ``before[b]`` count: what was known at some turn within a batch.

        Returns
        -------
        starts, items
            User b's item rows stand at ``items[starts[b] : starts[b + 1]]``; `starts` is (B + 1,).
        """
        starts = np.zeros(len(users) + 1, np.int64)
        items: Rows = _collect(self._ring, self._heads, self._capacity, self._next, users, before, starts)
        return starts, items

    def forget_users(self, dead: Mask) -> None:
        """Remove the notes of the user rows marked in `dead`; rows beyond its end live on."""
        _forget_users(self._ring, self._heads, self._capacity, self._next, dead)

    def forget_items(self, dead: Mask) -> None:
        """Remove the item rows marked in `dead` from all notes; rows beyond its end live on."""
        items = self._ring[:, _ITEM]
        known = (items >= 0) & (items < len(dead))
        known[known] = dead[items[known]]
        items[known] = _NONE

    def state(self) -> State:
        """Copy the ring as far as it is filled, the chains' heads, and the number of the next note."""
        with_notes = np.flatnonzero(self._heads >= 0)
        return {
            "ring": self._ring[: min(self._next, self._capacity)].copy(),
            "heads": self._heads[: with_notes[-1] + 1 if len(with_notes) else 0].copy(),
            "next": np.array([self._next], np.int64),
        }

    def restore(self, state: State) -> None:
        """Take back what `state` gave; raises SnapshotError if it was of another capacity."""
        following = int(state["next"][0])
        if len(state["ring"]) != min(following, self._capacity):
            message = "The snapshot's consumed items are of another capacity; set that one again, or rebuild the state."
            raise SnapshotError(message)
        self._next = following
        self._ring = state["ring"].astype(np.int32)
        self._heads = state["heads"].astype(np.int64)


def _grown(held: npt.NDArray[Number], size: int, limit: int | None = None) -> npt.NDArray[Number]:
    """Make room for `size` rows, at least doubling but not beyond `limit`; what is new holds -1."""
    if size <= len(held):
        return held
    room = max(size, 2 * len(held))
    grown = np.full((room if limit is None else min(room, limit), *held.shape[1:]), _NONE, held.dtype)
    grown[: len(held)] = held
    return grown


@kernel
def _add(ring, heads, capacity, following, users, items):  # type: ignore[no-untyped-def]
    for b in range(len(users)):
        note = following + b
        head = heads[users[b]]
        back = note - head if head != _NONE and note - head < capacity else 0
        ring[note % capacity, _ITEM] = items[b]
        ring[note % capacity, _BACK] = back
        heads[users[b]] = note


@kernel
def _collect(ring, heads, capacity, following, users, before, starts):  # type: ignore[no-untyped-def]
    """Walk each chain once, as most of its notes are far apart in memory; return the items and set `starts`."""
    oldest = max(following - capacity, 0)
    items = np.empty(16 * len(users), np.int32)
    place = 0
    for b in range(len(users)):
        user = users[b]
        note = heads[user] if 0 <= user < len(heads) else _NONE
        while note >= oldest:
            item = ring[note % capacity, _ITEM]
            back = ring[note % capacity, _BACK]
            if item != _NONE and note < before[b]:
                if place == len(items):
                    longer = np.empty(2 * place, np.int32)
                    longer[:place] = items
                    items = longer
                items[place] = item
                place += 1
            if back == 0:
                break
            note -= back
        starts[b + 1] = place
    return items[:place]


@kernel
def _forget_users(ring, heads, capacity, following, dead):  # type: ignore[no-untyped-def]
    oldest = max(following - capacity, 0)
    for user in range(min(len(dead), len(heads))):
        if dead[user]:
            note = heads[user]
            heads[user] = _NONE
            while note >= oldest:
                slot = note % capacity
                back = ring[slot, _BACK]
                ring[slot, _ITEM] = _NONE
                ring[slot, _BACK] = 0
                if back == 0:
                    break
                note -= back
