"""Bounded rows of neighbours: for each item the items met with it, and a few counters for each of those.

Each row holds up to `width` neighbours in no order; the width shrinks when many items share the memory (`blocks`). When
a row is full, the least often met of eight sampled ones makes room: a frequent neighbour is then lost with a
probability that falls with the eighth power of its rank. A counter is called a lane; the counters of one lane lie side
by side in a row, so that a lane without weight costs nothing to read.

Every meeting also adds to the norms of the two items, one for each lane: what an item has given to rows altogether,
lost neighbours included.

With n neighbours in a row, learning costs O(depth * n) compares an event; scanning costs, for each distinct item of a
window, O(n) for finding the neighbours' places and O(n) multiply-adds for each lane that has a weight. Memory:
``4 + 4 * lanes`` bytes a neighbour, the lane of meetings included, and ``8 * lanes`` an item.
"""

import numpy as np
import numpy.typing as npt

from models.base import Floats, Mask, Rows
from models.experts.blocks import Pool, add, counter_of, fitting, keys_of, replace
from models.experts.lift import log_lift
from models.experts.pairs import Pairs, together
from models.experts.precedence import log_precedence
from models.tables import grown, mixed, padded, rise, with_room
from stream.kernels import kernel
from stream.snapshots import State

Places = npt.NDArray[np.int64]

MEETINGS = -1
"""The lane that counts meetings, after all others."""

DEEPEST = 256
"""Window positions that `Neighbours.meet` can tell apart in its random numbers."""

BUDGET = 1 << 23
"""Neighbours of all items together, about: 300 MB with seven lanes of one's own."""

_SAMPLED = 8
_NAMED = 20  # older positions weigh little as a reason, and cost as much to look up
_BIN = 0  # the place in a scan where the sums of excluded items end up


class Neighbours:
    """Rows of neighbours by item row, with `lanes` counters each.

    Parameters
    ----------
    lanes
        Counters of a neighbour, E below.
    width
        Neighbours kept for an item at most.
    seed
        Of the sampling in full rows.
    budget
        Neighbours kept altogether, about: beyond it the width is halved, down to 8.
    """

    def __init__(self, lanes: int, width: int, seed: int, budget: int = BUDGET) -> None:
        self._seed = seed
        self._steps = 0
        self._pool = Pool(lanes + 1, width, budget)  # the last counter: how often the two have met
        self._norms = np.empty((0, lanes + 1))  # doubles: these sums never end
        self._totals = np.zeros(lanes + 1)  # of the norms of all items

    def norms(self, items: Rows) -> Floats:
        """Norms of `items`, of any shape, rows or -1: one more axis of length E; 0 for items never met."""
        norms: Floats = _gathered(self._norms[:, :-1], items.ravel())
        return norms.reshape(*items.shape, norms.shape[1])

    def meet(
        self, items: Rows, targets: Rows, event_weights: Floats, forward: Floats, mirrored: Floats, norm: Floats
    ) -> None:
        """Count each of B targets with each item of its window `items` (B, D), in both rows.

        `forward` (B, D, E) is added for the target in the window item's row, `mirrored` for the window item in the
        target's row, `norm` to the norms of both, all times the event's weight (B,). A target that is its own window
        item counts once and only from the newest position; D is at most DEEPEST.
        """
        self._grow(int(max(targets.max(initial=-1), items.max(initial=-1))) + 1)
        done = 0
        while done < len(targets):  # as far as there is room
            self._pool.make_room(_wanted(self._pool.blocks, items[done], targets[done]))
            done = _meet(
                done, items, targets, event_weights, forward, mirrored, norm,
                self._pool.blocks, self._pool.width, self._pool.most, self._norms, self._totals,
                self._seed, self._steps,
            )  # fmt: skip
        self._steps += len(targets)

    def scan(
        self, items: Rows, weights: Floats, starts: Places, excluded: Rows, lanes: Places | None = None
    ) -> tuple[Places, Rows, Floats]:
        """Sum the rows of the window items (B, D), weighed by `weights` (B, D, E), without the `excluded` of a query.

        The weights are those of `lanes` (E,), or of all. Returns starts (B + 1,), item rows (n,) and sums (n, E): those
        of query b are at [starts[b], starts[b + 1]).
        """
        result: tuple[Places, Rows, Floats] = _scan(
            items, weights, self._lanes(lanes), self._pool.blocks, self._pool.width, starts, excluded
        )
        return result

    def together(self, items: Rows, candidates: Rows) -> Pairs:
        """Find where candidates (B, C) have met `items` (B, D), to ask `lift` and `precedence` at once."""
        return together(items, candidates, self._pool.blocks)

    def lift(self, pairs: Pairs, weights: Floats, least: float, lane: int = MEETINGS) -> Floats:
        """Sum the log lifts of candidates over items weighed by `weights` (B, D), as `lift` says: (B, C).

        Compared are the counts of `lane`, which must not fade, as norms do not; `least` is added to both sides.
        """
        own = lane % self._norms.shape[1]
        lift: Floats = log_lift(pairs, weights, np.float32(least), self._pool.blocks, self._norms, self._totals, own)
        return lift

    def precedence(self, pairs: Pairs, weights: Floats, forward: int, both: int) -> Floats:
        """Sum how surely candidates come after items weighed by `weights` (B, D), as `precedence` says: (B, C).

        `forward` and `both` are the lanes of the followers and of the same counts both ways.
        """
        order: Floats = log_precedence(pairs, weights, self._pool.blocks, forward, both)
        return order

    def strongest(
        self, queries: Rows, columns: Rows, targets: Rows, items: Rows, weights: Floats, lanes: Places | None = None
    ) -> Rows:
        """Name the two window positions with the largest terms in a scan's sum for each of N targets: (N, 2), or -1.

        Target n is asked for in column ``columns[n]`` of what `scan` returned for the other arguments.
        """
        positions: Rows = _strongest(queries, columns, targets, items, weights, self._lanes(lanes), self._pool.blocks)
        return positions

    def strongest_neighbours(self, items: Rows, lane: int, most: int, shrink: float) -> tuple[Rows, Floats]:
        """Find the neighbours of `items` (B, D) of largest ``counter / (sqrt norm + shrink)``, itself left out.

        Returns their rows and these values, (B, D, most) each, largest first; -1 and 0 where there are fewer.
        """
        found: tuple[Rows, Floats] = _strongest_neighbours(items, self._pool.blocks, self._norms, lane, most, shrink)
        return found

    def fade(self, lane: int, factor: float) -> None:
        """Multiply all counters of a lane."""
        _fade(self._pool.blocks, lane, np.float32(factor))

    def forget(self, dead: Mask) -> None:
        """Remove the item rows marked in `dead`, and the same as neighbours of others."""
        marks = padded(dead, len(self._pool))
        self._pool.drop(marks)
        gone = np.flatnonzero(marks)
        self._norms[gone] = 0
        self._totals = self._norms.sum(axis=0)

    def state(self) -> State:
        """Copy everything, rows packed one after the other."""
        used, keys, counters = self._pool.packed()
        rows = int(np.flatnonzero((used > 0) | (self._norms[: len(used), MEETINGS] > 0)).max(initial=-1)) + 1
        return {
            "keys": keys,
            "counters": counters,
            "used": used[:rows],
            "width": np.array([self._pool.width], np.int64),
            "norms": self._norms[:rows].copy(),
            "totals": self._totals.copy(),
            "steps": np.array([self._steps], np.int64),
        }

    def restore(self, state: State) -> None:
        """Take back what `state` gave."""
        self._pool.restore(state["used"], state["keys"], state["counters"], int(state["width"][0]))
        self._norms = state["norms"].astype(np.float64)
        self._totals = state["totals"].astype(np.float64)
        self._steps = int(state["steps"][0])

    def _lanes(self, some: Places | None) -> Places:
        return np.arange(self._norms.shape[1] - 1) if some is None else some

    def _grow(self, rows: int) -> None:
        self._pool.grow(rows)
        self._norms = grown(self._norms, len(self._pool))


@kernel
def _gathered(table, rows):
    gathered = np.zeros((len(rows), table.shape[1]), np.float32)
    for n in range(len(rows)):
        if 0 <= rows[n] < len(table):
            for lane in range(table.shape[1]):
                gathered[n, lane] = table[rows[n], lane]
    return gathered


@kernel
def _scan(items, weights, counters, blocks, width, starts, excluded):
    """See Neighbours.scan. What is excluded shares one place, so that the inner loops need not ask."""
    queries, _, columns = weights.shape
    known = len(blocks.used)
    place = np.empty(known, np.int32)  # never filled: a place counts where the item standing there says so
    places = np.empty(width, np.int32)  # of one row's neighbours
    rows, sums = np.empty(1024, np.int32), np.zeros((1024, columns), np.float32)
    ends = np.zeros(queries + 1, np.int64)
    count = _BIN + 1
    for b in range(queries):
        first, barred = count, excluded[starts[b] : starts[b + 1]]
        for n in range(len(barred)):
            if barred[n] < known:
                place[barred[n]] = ~n
        window, weight = _distinct(items[b], weights[b], known)
        for j in range(len(window)):
            neighbours = keys_of(blocks, window[j])
            rows, sums = with_room(rows, sums, count, len(neighbours))
            count = _enter(neighbours, place, places, rows, first, count, barred)
            for e in range(columns):
                if weight[j, e] != 0:
                    _add(counter_of(blocks, window[j], counters[e]), weight[j, e], places, sums, e)
        ends[b + 1] = count - 1
    return ends, rows[1:count].copy(), sums[1:count].copy()


@kernel
def _distinct(items, weights, known):
    """Known items of one window, each once, with the sum of the weights (n, E) of all its positions."""
    window, summed = np.empty_like(items), np.zeros_like(weights)
    count = 0
    for j in range(len(items)):
        if not 0 <= items[j] < known:
            continue
        n = 0
        while n < count and window[n] != items[j]:
            n += 1
        window[n] = items[j]
        for lane in range(weights.shape[1]):
            summed[n, lane] += weights[j, lane]
        count = max(count, n + 1)
    return window[:count], summed[:count]


@kernel
def _enter(neighbours, place, places, rows, first, count, barred):
    """Find the place of each neighbour, giving new ones the next; return how many places are taken."""
    for s in range(len(neighbours)):
        item = neighbours[s]
        n = place[item]
        if n < 0 and ~n < len(barred) and barred[~n] == item:
            places[s] = _BIN
            continue
        if not (first <= n < count and rows[n] == item):
            n = count
            place[item] = n
            rows[n] = item
            count += 1
        places[s] = n
    return count


@kernel
def _add(counters, weight, places, sums, column):
    for s in range(len(counters)):
        sums[places[s], column] += weight * counters[s]


@kernel
def _strongest(queries, columns, targets, items, weights, counters, blocks):
    best = np.full((len(queries), 2), -1, np.int32)
    for n in range(len(queries)):
        b, e = queries[n], columns[n]
        first, second = np.float32(0), np.float32(0)
        for j in range(min(items.shape[1], _NAMED)):
            q = items[b, j]
            if not 0 <= q < len(blocks.used) or weights[b, j, e] == 0:
                continue
            s = _find(targets[n], keys_of(blocks, q))
            if s < 0:
                continue
            term = weights[b, j, e] * counter_of(blocks, q, counters[e])[s]
            if term > first:
                best[n, 1], second = best[n, 0], first
                best[n, 0], first = j, term
            elif term > second:
                best[n, 1], second = j, term
    return best


@kernel
def _strongest_neighbours(items, blocks, norms, lane, most, shrink):
    queries, depth = items.shape
    best, values = np.full((queries, depth, most), -1, np.int32), np.zeros((queries, depth, most), np.float32)
    for b in range(queries):
        for j in range(depth):
            q = items[b, j]
            if not 0 <= q < len(blocks.used):
                continue
            neighbours, counters = keys_of(blocks, q), counter_of(blocks, q, lane)
            for s in range(len(neighbours)):
                value = np.float32(counters[s] / (np.sqrt(norms[neighbours[s], lane]) + shrink))
                if value > values[b, j, most - 1] and neighbours[s] != q:
                    rise(best[b, j], values[b, j], most - 1, neighbours[s], value)
    return best, values


@kernel
def _find(neighbour, neighbours):
    """Slot of `neighbour`, or -1. No early return: a loop without exits compares many at once."""
    found = np.int32(-1)
    for s in range(len(neighbours)):
        if neighbours[s] == neighbour:
            found = np.int32(s)
    return found


@kernel
def _slot(row, neighbour, blocks, width, seed, step):
    """Where `neighbour` stands in `row`, making room for it if need be."""
    s = _find(neighbour, keys_of(blocks, row))
    if s >= 0:
        return s
    if blocks.used[row] < width:
        return add(blocks, row, neighbour)
    meetings = counter_of(blocks, row, blocks.depth - 1)
    for k in range(_SAMPLED):
        at = np.int64(mixed(seed, step * _SAMPLED + k) % np.uint64(width))
        if s < 0 or meetings[at] < meetings[s]:
            s = at
    replace(blocks, row, s, neighbour)
    return s


@kernel
def _count(row, s, blocks, norms, totals, gains, norm_gains, weight):
    """Add one meeting to the counters of neighbour `s` in `row`, to the row's norms and to those of all."""
    lanes = blocks.depth - 1
    counter_of(blocks, row, lanes)[s] += weight
    norms[row, lanes] += weight
    totals[lanes] += weight
    for lane in range(lanes):
        norms[row, lane] += weight * norm_gains[lane]
        totals[lane] += weight * norm_gains[lane]
        if gains[lane] != 0:
            counter_of(blocks, row, lane)[s] += weight * gains[lane]


@kernel
def _wanted(blocks, window, target):
    """Entries of new blocks that one event may ask for."""
    length, wanted = 0, 0
    for q in window:
        if q < 0:
            break
        length += 1
        if blocks.used[q] == blocks.rooms[q]:
            wanted += fitting(blocks.used[q] + 1)
    return wanted + 2 * fitting(blocks.used[target] + length + 1)


@kernel
def _meet(
    first, items, targets, event_weights, forward, mirrored, norm, blocks, width, most, norms, totals, seed, steps
):
    """Count the events from the first on, as far as there is room for the next, at least one; return how many."""
    for b in range(first, len(targets)):
        t = targets[b]
        full = blocks.ends[1] > most or blocks.ends[0] + _wanted(blocks, items[b], t) > len(blocks.keys)
        if full and b > first:
            return b
        for j in range(items.shape[1]):
            q = items[b, j]
            if q < 0:
                break
            if q == t and j > 0:
                continue
            step = (steps + b) * DEEPEST + j
            s = _slot(q, t, blocks, width, seed, step)
            _count(q, s, blocks, norms, totals, forward[b, j], norm[b, j], event_weights[b])
            if q == t:
                continue
            s = _slot(t, q, blocks, width, seed + 1, step)
            _count(t, s, blocks, norms, totals, mirrored[b, j], norm[b, j], event_weights[b])
    return len(targets)


@kernel
def _fade(blocks, lane, factor):
    for row in range(len(blocks.used)):
        counter_of(blocks, row, lane)[:] *= factor
