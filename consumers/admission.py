"""Accepted events as columns of rows, and the room that their ids need.

Behind this door there are no strings: users and items are rows. When a vocabulary has too little room for a batch,
the ids used least recently leave first, and everybody who holds rows forgets them before a row is given out again.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from models.base import Floats, Mask, Rows
from stream.cleaning import Accepted
from stream.events import Event, Interaction
from stream.policy import Role
from stream.snapshots import State, nest, pick
from stream.vocabulary import Vocabulary
from stream.windows import KINDS, Kinds, Times

NOBODY = -1


@dataclass(frozen=True, slots=True)
class Turns:
    """B accepted events in order, each one's turn; all columns (B,).

    `items` is -1 for a request; `selves` are the items that have the users' ids, -1 where there is none yet. `learned`
    marks interactions to learn from, `negative` those that turn an item down.
    `kinds` is what was done, by the event type, as in windows.
    """

    accepted: Sequence[Accepted]
    users: Rows
    items: Rows
    selves: Rows
    times_ms: Times
    weights: Floats
    learned: Mask
    negative: Mask
    kinds: Kinds

    def __len__(self) -> int:
        return len(self.accepted)


class Admission:
    """The vocabularies of users and items, bounded by `users` and `items`.

    Parameters
    ----------
    forget_users, forget_items
        Called with a mask of rows that are about to be reused.
    """

    def __init__(
        self, users: int, items: int, forget_users: Callable[[Mask], None], forget_items: Callable[[Mask], None]
    ) -> None:
        self.users = Vocabulary(users)
        self.items = Vocabulary(items)
        self._forget_users = forget_users
        self._forget_items = forget_items
        self._turns = 0
        self.expired_users = 0
        self.expired_items = 0

    def begin(self, items: Sequence[str]) -> None:
        """Give items, for which there is room, the rows from 0 on before the first event.

        Of those that are never met the first ones expire first.
        """
        for item in items:
            self.items.admit(item, 0)

    def stock(self, item: str) -> int:
        """Return the row of an item that nobody may have met, a free one if it has none; NOBODY where none is free."""
        row = self.items.find(item)
        return self.items.admit(item, self._turns) if row == NOBODY and self.items.free else row

    def fitting(self, accepted: Sequence[Accepted]) -> tuple[list[Accepted], list[Accepted]]:
        """Split a batch in two: the longest part from the start whose ids all fit at once, and the rest.

        There is a rest only where a vocabulary is smaller than one batch. The events of one record are not split.
        """
        users: set[str] = set()
        items: set[str] = set()
        begin = 0  # of the record
        for place, one in enumerate(accepted):
            if one.decoded is not accepted[begin].decoded:
                begin = place
            users.add(one.event.user_id)
            if isinstance(one.event, Interaction):
                items.add(one.event.item_id)
            if len(users) > self.users.capacity or len(items) > self.items.capacity:
                return list(accepted[:begin]), list(accepted[begin:])
        return list(accepted), []

    def admit(self, accepted: Sequence[Accepted]) -> Turns:
        """Give every id its row, after making room where there is too little; `accepted` is `fitting`."""
        users = [one.event.user_id for one in accepted]
        items = [one.event.item_id if isinstance(one.event, Interaction) else None for one in accepted]
        self.expired_users += _make_room(self.users, users, self._forget_users)
        self.expired_items += _make_room(self.items, items, self._forget_items)
        first, self._turns = self._turns, self._turns + len(accepted)
        rows = np.full((3, len(accepted)), NOBODY, np.int32)
        for turn, (user, item) in enumerate(zip(users, items, strict=True)):
            rows[0, turn] = self.users.admit(user, first + turn)
            if item is not None:
                rows[1, turn] = self.items.admit(item, first + turn)
            rows[2, turn] = self.items.find(user)
        return Turns(
            accepted,
            rows[0],
            rows[1],
            rows[2],
            np.array([one.event.event_time_ms for one in accepted], np.int64),
            np.array([one.weight for one in accepted], np.float32),
            np.array([one.role is Role.LEARN for one in accepted], np.bool_),
            np.array([one.role is Role.NEGATIVE for one in accepted], np.bool_),
            np.array([_kind(one.event) for one in accepted], np.uint8),
        )

    def erase(self, users: Iterable[str]) -> set[str]:
        """Forget users, everywhere; return those of them who were known."""
        rows = {user: row for user in users if (row := self.users.forget(user)) != NOBODY}
        if rows:
            dead = np.zeros(self.users.rows_used, np.bool_)
            dead[list(rows.values())] = True
            self._forget_users(dead)
        return set(rows)

    def state(self) -> State:
        """Return a copy of both vocabularies and the number of turns."""
        turns = {"turns": np.array([self._turns], np.int64)}
        return turns | nest("users", self.users.state()) | nest("items", self.items.state())

    def restore(self, state: State) -> None:
        """Take back what `state` gave."""
        self._turns = int(state["turns"][0])
        self.users.restore(pick("users", state))
        self.items.restore(pick("items", state))


def _kind(event: Event) -> int:
    """Return what was done: the same number for the same event type, everywhere; 0 where it has none.

    Two types may share a number, which is then as if they were one.
    """
    named = isinstance(event, Interaction) and event.event_type
    return 1 + crc32(named.encode()) % (KINDS - 1) if named else 0


def _make_room(vocabulary: Vocabulary, ids: Sequence[str | None], forget: Callable[[Mask], None]) -> int:
    """Expire until all of `ids` fit; return how many rows that took."""
    expired = 0
    while vocabulary.free < len(ids) and vocabulary.free < _strangers(vocabulary, ids):
        dead = vocabulary.expire()
        forget(dead)
        expired += int(dead.sum())
    return expired


def _strangers(vocabulary: Vocabulary, ids: Sequence[str | None]) -> int:
    return len({id_ for id_ in ids if id_ is not None and vocabulary.find(id_) == NOBODY})
