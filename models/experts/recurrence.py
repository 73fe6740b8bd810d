"""Which of the user's own items comes back: by how deep it lies, after how deep the last ones lay.

The *depth* of an item is how many other items the user has met since: 0 for the newest (the stack distance of caches,
Mattson et al. 1970). Who goes back and forth between two things always takes depth 1, who goes round among three 2, and
who comes for new things none. So the next depth is foreseen from the last two, with counts over all users, and where
these are few from the last one, and from none: it backs off, as text compression does (Cleary & Witten 1984),

``P_n(d) = (N[last n depths, d] + 3 P_{n-1}(d)) / (N[last n depths] + 3)``, ``P_{-1}(d) = (d + 3)^-1.5``.

Depths up to 19 are told apart, deeper items count as new. Of the last two depths those from 6 on are one. The score of
an item at depth d is ``P_2(d) / P_2(new)``, which a prior of 1 makes the share of P_2(d) in all that can come: the
depths there are, and new.

O(L^2) a query and an event, for finding depths; 15 KB.
"""

import numpy as np

from models.base import Column, Events, Expert, Mask, Queries, Reading
from models.experts.distinct import newest_distinct
from models.experts.evidence import Evidence
from models.experts.repeats import newest_place
from stream.kernels import kernel
from stream.snapshots import State

_DEPTHS = 20
_TOLD_APART = 6
_NEW, _NONE = _TOLD_APART + 1, _TOLD_APART + 2  # of the last depths: new, and where there was no event
_LAST = _NONE + 1
_BACK_OFF = 3.0


class Recurrence(Expert):
    """One column: the user's own items by depth."""

    name = "recurrence"
    columns = (Column("recurrence", _DEPTHS),)

    def __init__(self) -> None:
        self._counts = np.zeros((1 + _LAST + _LAST**2, _DEPTHS + 1))  # the last: deeper or new

    def read(self, queries: Queries) -> Reading:
        """See Expert."""
        windows = queries.windows
        positions = newest_distinct(windows.items, _DEPTHS)
        starts, rows, scores = _scores(
            windows.items, windows.lengths, positions, queries.starts, queries.excluded, self._counts
        )
        return Evidence(self.columns, (1.0,), starts, rows, scores, newest_place(windows))

    def learn(self, events: Events) -> None:
        """See Expert."""
        before = events.before
        _learn(events.items, before.items, before.lengths, newest_distinct(before.items, _DEPTHS), self._counts)

    def forget_items(self, dead: Mask) -> None:
        """Do nothing: no item is known by name."""

    def forget_users(self, dead: Mask) -> None:
        """Do nothing: no user is known by name."""

    def state(self) -> State:
        """See Expert."""
        return {"counts": self._counts.copy()}

    def restore(self, state: State) -> None:
        """See Expert."""
        self._counts = state["counts"].astype(np.float64)


@kernel
def _past_depth(items, length, place):
    """How deep the item at `place` of a window lay, at most _TOLD_APART, _NEW where it was new, _NONE beyond."""
    if place >= length:
        return _NONE
    depth = 0
    for j in range(place + 1, length):
        if items[j] == items[place]:
            return min(depth, _TOLD_APART)
        known = False
        for i in range(place + 1, j):
            known |= items[i] == items[j]
        depth += not known
        if depth == _DEPTHS:
            break
    return _NEW


@kernel
def _told_by(items, length):
    """Rows of the counts: no depth known, the last one, the last two."""
    last, before = _past_depth(items, length, 0), _past_depth(items, length, 1)
    return 0, 1 + last, 1 + _LAST + _LAST * last + before


@kernel
def _probabilities(items, length, counts):
    """Of each depth, and of what is new: (_DEPTHS + 1,). That is counted, not left over, as it may be very little."""
    shares = np.empty(_DEPTHS + 1)
    shares[:_DEPTHS] = (np.arange(_DEPTHS) + 3.0) ** -1.5
    shares[_DEPTHS] = 1 - shares[:_DEPTHS].sum()
    for row in _told_by(items, length):
        total = counts[row].sum()
        shares = (counts[row] + _BACK_OFF * shares) / (total + _BACK_OFF)
    return shares


@kernel
def _scores(items, lengths, positions, excluded_starts, excluded, counts):
    starts = np.zeros(len(items) + 1, np.int64)
    rows = np.empty(positions.size, np.int32)
    scores = np.empty((positions.size, 1), np.float32)
    count = 0
    for b in range(len(items)):
        shares = _probabilities(items[b], lengths[b], counts)
        for depth in range(positions.shape[1]):
            if positions[b, depth] < 0:
                break
            item = items[b, positions[b, depth]]
            if item in excluded[excluded_starts[b] : excluded_starts[b + 1]]:
                continue
            rows[count], scores[count, 0] = item, shares[depth] / shares[_DEPTHS]
            count += 1
        starts[b + 1] = count
    return starts, rows[:count].copy(), scores[:count].copy()


@kernel
def _learn(targets, items, lengths, positions, counts):
    for b in range(len(targets)):
        if lengths[b] == 0:
            continue
        depth = _DEPTHS
        for d in range(positions.shape[1]):
            if positions[b, d] >= 0 and items[b, positions[b, d]] == targets[b]:
                depth = d
        for row in _told_by(items[b], lengths[b]):
            counts[row, depth] += 1
