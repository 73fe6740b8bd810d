"""Others who were where the user is now: what came before and after the window's items in sequences like the user's.

Session-kNN (Jannach & Ludewig 2017, "When recurrent neural networks meet the neighborhood for session-based
recommendation") on a stream. h_j are the newest eight distinct items of the window, newest 0: the heads. The last
``60 * .85^j`` times that anybody met h_j are its moments, the k-th newest of weight ``w = .7^j .98^k (.2 + s)``. s is
the cosine of what came before h_j then and now: the number of items that the sixteen before each have in common,
divided by the geometric mean of how many there are. A moment gives ``w .85^d`` to the (d + 1)-th item after it and half
as much to the (d + 1)-th distinct item before it, d < 8.

What differs from the paper: the neighbours are moments, not whole sessions, so that position and order count (as in
STAN, Garg et al. 2019) and a user who never stops is as good as a session; the newest are taken, not the most similar
of a sample; the user's own past is among them. No clock: months of silence change nothing.

Most of what it knows stands in the co-occurrence counts too; the rest is which items come *together* with which. It
pays where many users walk the same way (ratings), least where sessions are short.

O(300 * (16 + 16)) a query, O(16^2) an event. Memory: 58 MB, see `occurrences`.
"""

import numpy as np

from models.base import Column, Events, Expert, Mask, Queries, Reading, Rows
from models.experts.evidence import Evidence
from models.experts.occurrences import Occurrences
from models.tables import with_room
from stream.kernels import kernel
from stream.snapshots import State

_HEADS, _MOMENTS = 8, 60
_MOST = (_MOMENTS * 0.85 ** np.arange(_HEADS)).astype(np.int64)
_BY_HEAD = 0.7 ** np.arange(_HEADS, dtype=np.float32)
_BY_AGE = 0.98 ** np.arange(_MOMENTS, dtype=np.float32)
_UNLIKE = 0.2
_BEFORE, _AFTER = 16, 8
_BY_PLACE = 0.85 ** np.arange(_AFTER, dtype=np.float32)
_BACKWARDS = np.float32(0.5)


class SimilarSessions(Expert):
    """One column over the newest events.

    Parameters
    ----------
    capacity
        Events among which moments are looked for.

    Attributes
    ----------
    occurrences
        The moments; others read them too.
    """

    name = "sessions"
    columns = (Column("similar_sessions", 20),)

    def __init__(self, capacity: int = 500_000) -> None:
        self.occurrences = Occurrences(capacity, _BEFORE, _AFTER)

    def read(self, queries: Queries) -> Reading:
        """See Expert."""
        met = self.occurrences
        firsts, slots, weights, heads = _moments(queries.windows.items, met.newest, met.older, met.oldest, met.before)
        starts, rows, scores = _given(
            firsts, slots, weights, met.before, met.after, queries.starts, queries.excluded, len(met.newest)
        )

        def because(queries: Rows, columns: Rows, rows: Rows) -> Rows:
            positions: Rows = _strongest(queries, rows, firsts, slots, weights, heads, met.before, met.after)
            return positions

        return Evidence(self.columns, (1.0,), starts, rows, scores, because)

    def learn(self, events: Events) -> None:
        """See Expert."""
        self.occurrences.learn(events)

    def forget_items(self, dead: Mask) -> None:
        """See Expert."""
        self.occurrences.forget_items(dead)

    def forget_users(self, dead: Mask) -> None:
        """See Expert."""
        self.occurrences.forget_users(dead)

    def state(self) -> State:
        """See Expert."""
        return self.occurrences.state()

    def restore(self, state: State) -> None:
        """See Expert."""
        self.occurrences.restore(state)


@kernel
def _moments(items, newest, older, oldest, before):
    """Find and weigh the moments of B windows.

    Returns firsts (B + 1,), and of each moment its slot, weight, and the position of its head in the window (n,).
    """
    slots = np.empty(len(items) * _HEADS * _MOMENTS, np.int64)
    weights = np.empty(len(slots), np.float32)
    heads = np.empty(len(slots), np.int32)
    firsts = np.zeros(len(items) + 1, np.int64)
    rank = np.full(len(newest), -1, np.int8)  # of the items of one window, distinct, newest 0
    count = 0
    for b in range(len(items)):
        positions = _ranked(items[b], newest, rank)
        count = _walk(items[b], positions[:_HEADS], newest, older, oldest, slots, weights, heads, count)
        for n in range(firsts[b], count):
            j = rank[items[b, heads[n]]]
            weights[n] *= _UNLIKE + _similarity(before[slots[n]], rank, j, min(len(positions) - j - 1, _BEFORE))
        for position in positions:
            rank[items[b, position]] = -1
        firsts[b + 1] = count
    return firsts, slots[:count], weights[:count], heads[:count]


@kernel
def _walk(window, positions, newest, older, oldest, slots, weights, heads, count):
    """List the occurrences of each head by its own weight; return how many are listed.

    All chains are followed a step at a time: they lead all over memory, which answers several at once.
    """
    events = newest[window[positions]]
    for step in range(_MOMENTS):
        before = count
        for j in range(len(positions)):
            if events[j] < oldest or step >= _MOST[j]:
                continue
            slots[count] = events[j] % len(older)
            weights[count] = _BY_HEAD[j] * _BY_AGE[step]
            heads[count] = positions[j]
            events[j] = older[slots[count]]
            count += 1
        if count == before:
            break
    return count


@kernel
def _ranked(window, newest, rank):
    """Enter the ranks of the newest distinct known items of a window; return their positions.

    Whether a table has room for an item says nothing: one that was restored has less.
    """
    positions = np.empty(_HEADS + _BEFORE, np.int32)
    count = 0
    for position in range(len(window)):
        item = window[position]
        if item < 0 or count == len(positions):
            break
        if item < len(rank) and newest[item] >= 0 and rank[item] < 0:
            rank[item] = count
            positions[count] = position
            count += 1
    return positions[:count]


@kernel
def _similarity(theirs, rank, head, mine):
    """Cosine between the items `theirs` before a moment and the `mine` items of the window before its head."""
    common, others = 0, 0
    for item in theirs:
        if item >= 0:
            others += 1
            common += head < rank[item] <= head + _BEFORE
    return common / np.sqrt(max(mine * others, 1))


@kernel
def _given(firsts, slots, weights, before, after, starts, excluded, known):
    """Sum what moments give: starts (B + 1,), item rows (n,) and scores (n, 1), without the excluded of a query.

    The inner loops ask nothing: what is no item has the place behind all items, and is barred like the excluded.
    """
    sums = np.zeros(known + 1, np.float32)
    barred = np.zeros(known + 1, np.bool_)
    barred[known] = True
    met = np.empty(known + 2, np.int32)
    rows, scores = np.empty(1024, np.int32), np.empty((1024, 1), np.float32)
    ends = np.zeros_like(firsts)
    total = 0
    for b in range(len(firsts) - 1):
        count = 0
        for n in range(firsts[b], firsts[b + 1]):
            count = _give(weights[n], after[slots[n]], sums, met, count)
            count = _give(weights[n] * _BACKWARDS, before[slots[n]], sums, met, count)
        _bar(excluded[starts[b] : starts[b + 1]], barred, True)
        rows, scores = with_room(rows, scores, total, count + 1)
        for item in met[:count]:
            rows[total], scores[total, 0] = item, sums[item]
            total += not barred[item]
            sums[item] = 0
        _bar(excluded[starts[b] : starts[b + 1]], barred, False)
        ends[b + 1] = total
    return ends, rows[:total].copy(), scores[:total].copy()


@kernel
def _give(weight, items, sums, met, count):
    """Add to the nearest items; list those that had nothing yet, and return how many are listed."""
    for place in range(_AFTER):
        item = items[place]
        met[count] = item
        count += sums[item] == 0
        sums[item] += weight * _BY_PLACE[place]
    return count


@kernel
def _bar(items, barred, value):
    for item in items:
        if item < len(barred) - 1:
            barred[item] = value


@kernel
def _strongest(queries, items, firsts, slots, weights, heads, before, after):
    """Window positions of the two heads whose moments give most to each of N items (N, 2), -1 for none."""
    best = np.full((len(queries), 2), -1, np.int32)
    for n in range(len(queries)):
        own = slice(firsts[queries[n]], firsts[queries[n] + 1])
        parts = np.zeros(heads[own].max() + 1 if own.stop > own.start else 0, np.float32)  # by position
        for m in range(own.start, own.stop):
            for place in range(_AFTER):
                if after[slots[m], place] == items[n]:
                    parts[heads[m]] += weights[m] * _BY_PLACE[place]
                if before[slots[m], place] == items[n]:
                    parts[heads[m]] += weights[m] * _BY_PLACE[place] * _BACKWARDS
        for reason in range(2):
            if len(parts) and parts.max() > 0:
                best[n, reason] = parts.argmax()
                parts[best[n, reason]] = 0
    return best
