"""Ids and rows: the strings of the outside, and the small integers that every table inside is indexed by.

A vocabulary of bounded capacity gives each id a row when it is first admitted. When it is full, the rows used least
recently are expired; they are handed out again afterwards, lowest first. Between the two, whoever drops rows must have
them swept from every table that holds rows (`forget_users`, `forget_items`), so that a reused row never changes what an
old window or counter means.

Only `admit` adds or touches; `find` is for reading and leaves no trace.

Bytes: about 200 for each id, its string and the dictionary's entry included.
"""

import heapq
from array import array

import msgspec
import numpy as np
import numpy.typing as npt

from stream.snapshots import State

Mask = npt.NDArray[np.bool_]

_FREE = -1  # "last used" of a row that has no id


class Vocabulary:
    """Up to `capacity` ids, each at a row in [0, capacity)."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._clear()

    def _clear(self) -> None:
        self._rows: dict[str, int] = {}
        self._ids: list[str | None] = []  # by row
        self._last_used = array("q")  # by row
        self._freed: list[int] = []  # a heap

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def rows_used(self) -> int:
        """Highest row ever given out, plus one: what a table indexed by row must hold."""
        return len(self._ids)

    @property
    def free(self) -> int:
        """How many new ids can be admitted before rows must expire."""
        return self.capacity - len(self._rows)

    def admit(self, id_: str, at: int) -> int:
        """Return the id's row, a new one if need be, and note that it was used at event sequence number `at` (>= 0).

        Raises IndexError when the id is new and no row is free: call `expire` before a batch that may need more.
        """
        row = self._rows.get(id_, -1)
        if row < 0:
            row = self._take_row()
            self._rows[id_] = row
            self._ids[row] = id_
        self._last_used[row] = at
        return row

    def find(self, id_: str) -> int:
        """Return the id's row, or -1."""
        return self._rows.get(id_, -1)

    def id_of(self, row: int) -> str:
        """Return the id at a row; raises KeyError where there is none."""
        found = self._ids[row] if 0 <= row < len(self._ids) else None
        if found is None:
            raise KeyError(row)
        return found

    def expire(self, share: float = 0.1) -> Mask:
        """Drop the least recently used ids, `share` of the capacity but at least one; return a mask of their rows.

        Of ids last used at the same time, those at lower rows go first. All tables must forget the rows in the mask
        before the next `admit`.
        """
        count = min(len(self), max(1, int(share * self.capacity)))
        last_used = np.array(self._last_used, np.int64)
        by_age = np.argsort(last_used, kind="stable")
        oldest = by_age[len(self._freed) :][:count]  # free rows sort first
        for row in oldest.tolist():
            self._drop(row)
        dropped = np.zeros(self.rows_used, np.bool_)
        dropped[oldest] = True
        return dropped

    def forget(self, id_: str) -> int:
        """Drop one id; return its row, which all tables must forget before the next `admit`, or -1 if unknown."""
        row = self.find(id_)
        if row >= 0:
            self._drop(row)
        return row

    def state(self) -> State:
        """Copy the ids in order of rows (null where a row is free), as JSON, and when each was last used."""
        return {
            "ids": np.frombuffer(msgspec.json.encode(self._ids), np.uint8).copy(),
            "last_used": np.array(self._last_used, np.int64),
        }

    def restore(self, state: State) -> None:
        """Take back what `state` gave."""
        self._clear()
        self._ids = msgspec.json.decode(state["ids"].tobytes(), type=list[str | None])
        self._last_used = array("q", state["last_used"].astype(np.int64).tobytes())
        self._rows = {id_: row for row, id_ in enumerate(self._ids) if id_ is not None}
        self._freed = [row for row, id_ in enumerate(self._ids) if id_ is None]  # ascending, hence a heap

    def _take_row(self) -> int:
        if self._freed:
            return heapq.heappop(self._freed)
        if len(self._ids) >= self.capacity:
            message = f"All {self.capacity} rows of the vocabulary are taken."
            raise IndexError(message)
        self._ids.append(None)
        self._last_used.append(_FREE)
        return len(self._ids) - 1

    def _drop(self, row: int) -> None:
        del self._rows[self.id_of(row)]
        self._ids[row] = None
        self._last_used[row] = _FREE
        heapq.heappush(self._freed, row)
