"""The list that was last out for each user: what subscribers really had when the next event came.

Not what the models would say now, as in the prequential test, but what stood in the topic; it may be days old. The rank
of an event's item in it is the published quality. Memory: ``4 k + 8`` bytes a user.
"""

import numpy as np
import numpy.typing as npt

from models.base import Mask, Rows
from models.metrics import MISS
from models.tables import dead_rows, grown, padded
from stream.snapshots import State

Times = npt.NDArray[np.int64]
_NEVER = -1


class PublishedLists:
    """The newest published list of each user, at most `k` items."""

    def __init__(self, k: int) -> None:
        self._k = k
        self._items = np.full((0, k), -1, np.int32)
        self._times = np.full(0, _NEVER, np.int64)

    def ranks(self, users: Rows, items: Rows, times_ms: Times) -> tuple[Rows, Times]:
        """Place (B,) of each item in its user's list, MISS where it is not there, and the age (B,) of that list.

        The age is in milliseconds of event time, -1 where no list was out.
        """
        known = users < len(self._times)
        rows = np.where(known, users, 0)
        if not len(self._times):
            return np.full(len(users), MISS, np.int32), np.full(len(users), _NEVER, np.int64)
        met = (self._items[rows] == items[:, None]) & known[:, None]
        ranks = np.where(met.any(axis=1), met.argmax(axis=1), MISS).astype(np.int32)
        out = known & (self._times[rows] != _NEVER)
        ages = np.where(out, np.maximum(times_ms - self._times[rows], 0), _NEVER)
        return ranks, ages

    def publish(self, users: Rows, items: Rows, times_ms: Times) -> None:
        """Replace the lists of B users by `items` (B, any width), in order: of several for one user the last stays."""
        rows = int(users.max(initial=-1)) + 1
        self._items = grown(self._items, rows, -1)
        self._times = grown(self._times, rows, _NEVER)
        width = min(items.shape[1], self._k)
        for user, row, time in zip(users.tolist(), items, times_ms.tolist(), strict=True):
            self._items[user] = -1
            self._items[user, :width] = row[:width]
            self._times[user] = time

    def forget_users(self, dead: Mask) -> None:
        """Forget the lists of the marked users."""
        gone = dead_rows(dead, len(self._times))
        self._items[gone] = -1
        self._times[gone] = _NEVER

    def forget_items(self, dead: Mask) -> None:
        """Take the marked items out of all lists; their places stay empty."""
        if not len(self._items):
            return
        mask = padded(dead, int(self._items.max(initial=-1)) + 1)
        listed = self._items >= 0
        self._items[listed] = np.where(mask[self._items[listed]], -1, self._items[listed])

    def state(self) -> State:
        """Return a copy of all lists."""
        rows = int(np.flatnonzero(self._times != _NEVER).max(initial=-1)) + 1
        return {"items": self._items[:rows].copy(), "times_ms": self._times[:rows].copy()}

    def restore(self, state: State) -> None:
        """Take back what `state` gave."""
        self._items = state["items"].astype(np.int32)
        self._times = state["times_ms"].astype(np.int64)
