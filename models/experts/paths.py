"""What came next where others had come the same way: the newest two items, or more of them, in the same order.

All-kth-order Markov models (Deshpande & Karypis 2004, "Selective Markov models for predicting Web page accesses"),
where longer matches count for more, as in compression by partial matching (Cleary & Witten 1984). h_j are the newest
distinct items of the window, newest 0. The last sixty times that anybody met h_0 are its moments; the length of a
moment's path is the number of items just before it that are h_1, h_2, ... in this order, five at most. With n(i, l)
moments of a path of length l whose next item was i:

``sum_{l > 0} 4^(l - 1) n(i, l)``

What differs from the papers: an item met again at once, or again later, does not break a path; the newest moments
are counted, not all. It pays where things come in an order of their own: the tracks of an album, episodes, steps.

O(60 * 60) compares a query at most, a few hundred mostly, and nothing an event. It keeps nothing: the moments are those
of `sessions`.
"""

import numpy as np

from models.base import Column, Queries, Reading, Rows, Stateless
from models.experts.distinct import newest_distinct
from models.experts.evidence import Evidence
from models.experts.sessions import SimilarSessions
from stream.kernels import kernel

_MOMENTS, _LONGEST = 60, 5
_BY_LENGTH = 4.0 ** np.arange(-1, _LONGEST, dtype=np.float32)


class Paths(Stateless):
    """One column over the moments of `sessions`."""

    name = "paths"
    columns = (Column("same_path", 10),)

    def __init__(self, sessions: SimilarSessions) -> None:
        self._occurrences = sessions.occurrences

    def read(self, queries: Queries) -> Reading:
        """See Expert."""
        met = self._occurrences
        positions = newest_distinct(queries.windows.items, 1 + _LONGEST)
        starts, rows, scores = _next(
            queries.windows.items, positions, met.newest, met.older, met.oldest, met.before, met.after,
            queries.starts, queries.excluded,
        )  # fmt: skip

        def because(queries: Rows, columns: Rows, items: Rows) -> Rows:
            named: Rows = _ends(queries, items, starts, rows, positions)
            return named

        return Evidence(self.columns, (1.0,), starts, rows, scores, because)


@kernel
def _next(windows, positions, newest, older, oldest, before, after, first, excluded):
    """Sum over the moments of B windows: starts (B + 1,), item rows (n,) and scores (n, 1) without the excluded."""
    rows = np.empty(len(windows) * _MOMENTS, np.int32)
    scores = np.zeros((len(rows), 1), np.float32)
    starts = np.zeros(len(windows) + 1, np.int64)
    count = 0
    for b in range(len(windows)):
        begin = count
        head = windows[b, positions[b, 0]] if positions[b, 1] >= 0 else -1
        event = newest[head] if 0 <= head < len(newest) else -1
        for _ in range(_MOMENTS):
            if event < 0 or event < oldest:
                break
            slot = event % len(older)
            event = older[slot]
            length = _length(before[slot], windows[b], positions[b])
            item = after[slot, 0]
            if length == 0 or item < 0:
                continue
            place = begin
            while place < count and rows[place] != item:
                place += 1
            if place == count:
                if _among(item, excluded[first[b] : first[b + 1]]):
                    continue
                rows[place], scores[place, 0] = item, 0
                count += 1
            scores[place, 0] += _BY_LENGTH[length]
        starts[b + 1] = count
    return starts, rows[:count].copy(), scores[:count].copy()


@kernel
def _length(before, window, positions):
    """How many of the items `before` a moment are those of the window behind its newest, in order."""
    length = 0
    while length < _LONGEST and positions[1 + length] >= 0 and before[length] == window[positions[1 + length]]:
        length += 1
    return length


@kernel
def _among(item, items):
    for other in items:
        if other == item:
            return True
    return False


@kernel
def _ends(queries, items, starts, rows, positions):
    """Positions (N, 2) of the newest two items of the paths that N items end, -1 where there is no path."""
    named = np.full((len(items), 2), -1, np.int32)
    for n in range(len(items)):
        if _among(items[n], rows[starts[queries[n]] : starts[queries[n] + 1]]):
            named[n] = positions[queries[n], :2]
    return named
