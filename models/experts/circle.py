"""Whom those have met whom this user met: where items are users too, people who are together meet each other.

The ties of a being are the newest distinct others whom it came to or who came to it. With d(a, b) minutes since a and b
met last, an item x scores

    sum over the others k of the user: 1 / (1 + d(user, k))  *  1 / (1 + d(k, x))

At ages of more than some minutes that is as good as 1 / age, which knows no scale. It is silent unless the items of
events were among the ten best of their users' circles 1.2 times as often as among those of others' circles, and thirty
times more.

That who has a common acquaintance is likely to meet is triadic closure: Rapoport 1953, "Spread of information through
a population with socio-structural bias"; and the common neighbours of link prediction, Liben-Nowell & Kleinberg 2007.

O(16^2) an event and a query; 193 bytes for each being, and 4 a user.
"""

import numpy as np

from models.base import Column, Events, Queries, Reading, Rows
from models.experts.evidence import Evidence
from models.experts.repeats import newest_place
from models.experts.ties import OfPeople, somebody_else, tie
from stream.kernels import kernel

_HALF_MS = 60_000.0
_PRIOR = 0.1
_BEST = 10


class Circle(OfPeople):
    """One column over the others of the user's others.

    Parameters
    ----------
    times_as_often, more
        The proof that items are users; see `Ties`.
    """

    name = "circle"
    columns = (Column("circle", 20),)

    def __init__(self, times_as_often: float = 1.2, more: int = 30) -> None:
        super().__init__(times_as_often, more)

    def read(self, queries: Queries) -> Reading:
        """See Expert."""
        windows = queries.windows
        starts, rows, scores, through = _circles(
            self._ties.selves(queries), self._ties.others, self._ties.met_ms,
            windows.now_ms, queries.starts, queries.excluded,
        )  # fmt: skip

        def because(queries: Rows, columns: Rows, items: Rows) -> Rows:
            """Where the window has whoever leads to an item with the largest term."""
            return newest_place(windows)(queries, columns, _leaders(queries, items, starts, rows, through))

        return Evidence(self.columns, (_PRIOR,), starts, rows, scores, because)

    def learn(self, events: Events) -> None:
        """See Expert."""
        selves, ties = self._ties.meet(events), self._ties
        _meet(selves, events.items, events.before.now_ms, ties.others, ties.met_ms, ties.earlier, ties.turn, ties.found)


@kernel
def _circle(me, now_ms, others, met_ms, place, rows, scores, through, terms):
    """Fill in the items of one circle, their scores, and who leads to each with the largest term; returns how many."""
    count = 0
    for j in range(others.shape[1] if 0 <= me < len(others) else 0):
        other = others[me, j] - 1
        if other < 0:
            break
        near = 1 / (1 + max(now_ms - met_ms[me, j], 0) / _HALF_MS)
        for k in range(others.shape[1]):
            item = others[other, k] - 1
            if item < 0:
                break
            if item == me:
                continue
            n = place[item]
            if not (0 <= n < count and rows[n] == item):
                n, count = count, count + 1
                place[item], rows[n], scores[n], terms[n] = n, item, 0, 0
            term = np.float32(near / (1 + max(now_ms - met_ms[other, k], 0) / _HALF_MS))
            scores[n] += term
            if term > terms[n]:
                terms[n], through[n] = term, other
    return count


@kernel
def _is_among_best(item, rows, scores):
    own = np.float32(0)
    for n in range(len(rows)):
        if rows[n] == item:
            own = scores[n]
    return own > 0 and (scores > own).sum() < _BEST


@kernel
def _meet(selves, items, now_ms, others, met_ms, earlier, turn, found):
    most = others.shape[1] ** 2
    place = np.empty(len(others), np.int32)  # never filled: a place counts where the item standing there says so
    rows, through = np.empty(most, np.int32), np.empty(most, np.int32)
    scores, terms = np.empty(most, np.float32), np.empty(most, np.float32)
    for e in range(len(items)):
        me, item = selves[e], items[e]
        if me < 0:
            continue
        other = somebody_else(me, earlier, turn)
        if other >= 0:
            count = _circle(me, now_ms[e], others, met_ms, place, rows, scores, through, terms)
            found[0] += _is_among_best(item, rows[:count], scores[:count])
            count = _circle(other, now_ms[e], others, met_ms, place, rows, scores, through, terms)
            found[1] += _is_among_best(item, rows[:count], scores[:count])
        if me != item:
            tie(others, met_ms, item, me, now_ms[e])
            tie(others, met_ms, me, item, now_ms[e])


@kernel
def _circles(selves, others, met_ms, now_ms, starts, excluded):
    most = others.shape[1] ** 2
    place = np.empty(len(others), np.int32)
    rows, through = np.empty(len(selves) * most, np.int32), np.empty(len(selves) * most, np.int32)
    scores = np.empty((len(selves) * most, 1), np.float32)
    terms = np.empty(most, np.float32)
    ends = np.zeros(len(selves) + 1, np.int64)
    for b in range(len(selves)):
        at = ends[b]
        count = _circle(selves[b], now_ms[b], others, met_ms, place, rows[at:], scores[at:, 0], through[at:], terms)
        barred = excluded[starts[b] : starts[b + 1]]
        kept = at
        for n in range(at, at + count):
            if not (barred == rows[n]).any():
                rows[kept], scores[kept, 0], through[kept] = rows[n], scores[n, 0], through[n]
                kept += 1
        ends[b + 1] = kept
    count = ends[-1]
    return ends, rows[:count].copy(), scores[:count].copy(), through[:count].copy()


@kernel
def _leaders(queries, items, starts, rows, through):
    """Who leads to each item in the circle of its query, -2 where it is in none: -1 stands in windows, for no item."""
    leaders = np.full(len(items), -2, np.int32)
    for n in range(len(items)):
        for k in range(starts[queries[n]], starts[queries[n] + 1]):
            if rows[k] == items[n]:
                leaders[n] = through[k]
    return leaders
