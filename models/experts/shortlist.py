"""The items that entered last: what is worth scoring for everybody when a catalogue is too long to be scored whole.

A model that has a score for every item would pay for each list with the length of the catalogue. It need not: what is
popular now has been met lately, and what has not been met among the last thousands of items is rarely the next one. An
item that is not here enters when it is met, and leaves when as many others as there are places have entered since.

Memory: 4 bytes a place and 1 byte an item.
"""

import numpy as np

from models.base import Mask, Rows
from models.tables import dead_rows, grown, rise
from stream.kernels import kernel
from stream.snapshots import State


class Shortlist:
    """Up to `places` distinct item rows, those that entered last."""

    def __init__(self, places: int) -> None:
        self._ring = np.full(places, -1, np.int32)
        self._next = 0  # where the next one enters
        self._listed = np.zeros(0, np.bool_)  # by item row

    @property
    def rows(self) -> Rows:
        """The item rows (n,), in no order."""
        return self._ring[self._ring >= 0]

    def enter(self, items: Rows) -> None:
        """Enter the items that are not listed, in order."""
        self._listed = grown(self._listed, int(items.max(initial=-1)) + 1)
        self._next = int(_enter(items, self._ring, self._next, self._listed))

    def forget(self, dead: Mask) -> None:
        """Take out the item rows marked in `dead`; rows beyond its end stay."""
        self._listed[dead_rows(dead, len(self._listed))] = False
        in_order = np.roll(self._ring, -self._next)  # oldest first
        kept = in_order[(in_order >= 0) & self._listed[in_order]] if len(self._listed) else in_order[:0]
        self._ring[:] = -1
        self._ring[: len(kept)] = kept
        self._next = len(kept) % len(self._ring)

    def state(self) -> State:
        """Copy everything."""
        return {"ring": self._ring.copy(), "next": np.array([self._next], np.int64)}

    def restore(self, state: State) -> None:
        """Take back what `state` gave."""
        self._ring = state["ring"].astype(np.int32)
        self._next = int(state["next"][0])
        self._listed = np.zeros(int(self._ring.max(initial=-1)) + 1, np.bool_)
        self._listed[self.rows] = True


@kernel
def _enter(items, ring, place, listed):
    for item in items:
        if listed[item]:
            continue
        if ring[place] >= 0:
            listed[ring[place]] = False
        ring[place] = item
        listed[item] = True
        place = (place + 1) % len(ring)
    return place


@kernel
def best_listed(items, scores, limits, starts, excluded):
    """Of n `items` those of the largest scores (B, n, E) above 0, ties in their order: (B, E, P), P the largest limit.

    Column e has ``limits[e]`` at most; what must not be offered to query b is ``excluded[starts[b] : starts[b + 1]]``.
    """
    queries, columns = len(scores), len(limits)
    best = np.full((queries, columns, limits.max()), -1, np.int32)
    values = np.zeros((columns, limits.max()), np.float32)
    barred = np.empty(items.max() + 1 if len(items) else 0, np.int64)  # never filled, as in popularity
    for b in range(queries):
        values[:] = 0
        for n in range(starts[b], starts[b + 1]):
            if excluded[n] < len(barred):
                barred[excluded[n]] = n
        for c in range(len(items)):
            n = barred[items[c]]
            if starts[b] <= n < starts[b + 1] and excluded[n] == items[c]:
                continue
            for e in range(columns):
                value, last = scores[b, c, e], limits[e] - 1
                if value > values[e, last]:
                    rise(best[b, e], values[e], last, items[c], value)
    return best
