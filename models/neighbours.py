"""Bounded rows of neighbours: for each item the items met with it, and a few counters for each of those.

Each row holds up to `width` neighbours in no order. When it is full, the least often met of eight sampled ones makes
room: a frequent neighbour is then lost with a probability that falls with the eighth power of its rank. A counter is
called a lane; the counters of one lane lie side by side in a row, so that a lane without weight costs nothing to read.

Every meeting also adds to the norms of the two items, one for each lane: what an item has given to rows altogether,
lost neighbours included.

Learning costs O(depth * width) compares an event; scanning costs, for each distinct item of a window, O(width) for
finding the neighbours' places and O(width) multiply-adds for each lane that has a weight. Memory: ``width * (4 + 4 *
lanes)`` bytes an item, the lane of meetings included (9 KiB for a width of 256 and seven lanes of one's own).
"""

import numpy as np
import numpy.typing as npt

from models.base import Floats, Mask, Rows
from models.lift import log_lift
from models.tables import dead_rows, grown, mixed, padded
from stream.kernels import kernel
from stream.snapshots import State

DEEPEST = 256
"""Window positions that `Neighbours.meet` can tell apart in its random numbers."""

_MEETINGS = -1  # the last lane: how often the two have met, by which a full row chooses
_SAMPLED = 8
_NAMED = 20  # older positions weigh little as a reason, and cost as much to look up
_NEW, _BIN = -1, 0  # places of an item in a scan: none yet; where the sums of excluded items end up


class Neighbours:
    """Rows of neighbours by item row, with `lanes` counters each.

    Parameters
    ----------
    lanes
        Counters of a neighbour, E below.
    width
        Neighbours kept for an item.
    seed
        Of the sampling in full rows.
    """

    def __init__(self, lanes: int, width: int, seed: int) -> None:
        self._seed = seed
        self._steps = 0
        self._keys = np.empty((0, width), np.int32)
        self._counters = np.empty((0, lanes + 1, width), np.float32)
        self._used = np.empty(0, np.int32)
        self._norms = np.empty((0, lanes))  # doubles: these sums never end
        self._met = np.empty(0)  # the norms of meetings
        self._all_met = 0.0  # sum of these

    def norms(self, items: Rows) -> Floats:
        """Norms of `items`, of any shape, rows or -1: one more axis of length E; 0 for items never met."""
        norms: Floats = _gathered(self._norms, items.ravel())
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
        self._all_met += _meet(
            items, targets, event_weights, forward, mirrored, norm,
            self._keys, self._counters, self._used, self._norms, self._met, self._seed, self._steps,
        )  # fmt: skip
        self._steps += len(targets)

    def scan(
        self, items: Rows, weights: Floats, starts: npt.NDArray[np.int64], excluded: Rows
    ) -> tuple[npt.NDArray[np.int64], Rows, Floats]:
        """Sum the rows of the window items (B, D), weighed by `weights` (B, D, E), without the `excluded` of a query.

        Returns starts (B + 1,), item rows (n,) and sums (n, E): those of query b are at [starts[b], starts[b + 1]).
        """
        result: tuple[npt.NDArray[np.int64], Rows, Floats] = _scan(
            items, weights, self._keys, self._counters, self._used, starts, excluded
        )
        return result

    def lift(self, items: Rows, candidates: Rows) -> Floats:
        """Sum the log lifts of candidates (B, C) over window items (B, D), as `lift` says: (B, C)."""
        lift: Floats = log_lift(
            items, candidates, self._keys, self._counters, _MEETINGS, self._used, self._met, self._all_met
        )
        return lift

    def strongest(self, queries: Rows, lanes: Rows, targets: Rows, items: Rows, weights: Floats) -> Rows:
        """Name the two window positions with the largest terms in a scan's sum for each of N targets: (N, 2), or -1."""
        positions: Rows = _strongest(queries, lanes, targets, items, weights, self._keys, self._counters, self._used)
        return positions

    def fade(self, lane: int, factor: float) -> None:
        """Multiply all counters of a lane."""
        self._counters[:, lane] *= np.float32(factor)

    def forget(self, dead: Mask) -> None:
        """Remove the item rows marked in `dead`, and the same as neighbours of others."""
        gone = dead_rows(dead, len(self._used))
        self._used[gone] = 0
        self._norms[gone] = 0
        self._met[gone] = 0
        self._all_met = float(self._met.sum())
        _drop(padded(dead, len(self._used)), self._keys, self._counters, self._used)

    def state(self) -> State:
        """Copy everything, rows packed one after the other."""
        rows = int(np.flatnonzero((self._used > 0) | (self._met > 0)).max(initial=-1)) + 1
        used = self._used[:rows].copy()
        keys, counters = _packed(self._keys, self._counters, _starts(used))
        return {
            "keys": keys,
            "counters": counters,
            "used": used,
            "norms": self._norms[:rows].copy(),
            "met": self._met[:rows].copy(),
            "all_met": np.array([self._all_met]),
            "steps": np.array([self._steps], np.int64),
        }

    def restore(self, state: State) -> None:
        """Take back what `state` gave."""
        _, lanes, width = self._counters.shape
        self._used = state["used"].astype(np.int32)
        self._norms = state["norms"].astype(np.float64)
        self._met = state["met"].astype(np.float64)
        self._all_met = float(state["all_met"][0])
        self._keys = np.zeros((len(self._used), width), np.int32)
        self._counters = np.zeros((len(self._used), lanes, width), np.float32)
        self._steps = int(state["steps"][0])
        _unpack(state["keys"], state["counters"], _starts(self._used), self._keys, self._counters)

    def _grow(self, rows: int) -> None:
        self._keys = grown(self._keys, rows)
        self._counters = grown(self._counters, rows)
        self._used = grown(self._used, rows)
        self._norms = grown(self._norms, rows)
        self._met = grown(self._met, rows)


def _starts(used: Rows) -> npt.NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(used, dtype=np.int64)])


@kernel
def _gathered(table, rows):
    gathered = np.zeros((len(rows), table.shape[1]), np.float32)
    for n in range(len(rows)):
        if 0 <= rows[n] < len(table):
            for lane in range(table.shape[1]):
                gathered[n, lane] = table[rows[n], lane]
    return gathered


@kernel
def _scan(items, weights, keys, counters, used, starts, excluded):
    """See Neighbours.scan. What is excluded shares one place, so that the inner loops need not ask."""
    queries, _, lanes = weights.shape
    place = np.full(len(used), _NEW, np.int64)
    places = np.empty(keys.shape[1], np.int64)
    rows, sums = np.empty(1024, np.int32), np.zeros((1024, lanes), np.float32)
    ends = np.zeros(queries + 1, np.int64)
    count = _BIN + 1
    for b in range(queries):
        first = count
        _send(excluded[starts[b] : starts[b + 1]], _BIN, place)
        window, weight = _distinct(items[b], weights[b], len(used))
        for j in range(len(window)):
            q = window[j]
            rows, sums = _with_room(rows, sums, count, used[q])
            count = _enter(keys[q], used[q], place, places, rows, count)
            for lane in range(lanes):
                if weight[j, lane] != 0:
                    _add(counters[q, lane], used[q], weight[j, lane], places, sums, lane)
        _send(excluded[starts[b] : starts[b + 1]], _NEW, place)
        _send(rows[first:count], _NEW, place)
        ends[b + 1] = count - 1
    return ends, rows[1:count].copy(), sums[1:count].copy()


@kernel
def _send(items, to, place):
    for item in items:
        if item < len(place):
            place[item] = to


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
def _with_room(rows, sums, count, more):
    """`rows` and `sums` themselves, or longer copies with room for `more` behind `count`; new sums are 0."""
    if count + more <= len(rows):
        return rows, sums
    longer_rows = np.empty(2 * (count + more), np.int32)
    longer_sums = np.zeros((2 * (count + more), sums.shape[1]), np.float32)
    longer_rows[:count], longer_sums[:count] = rows[:count], sums[:count]
    return longer_rows, longer_sums


@kernel
def _enter(neighbours, used, place, places, rows, count):
    """Find the place of each neighbour, giving new ones the next; return how many places are taken."""
    for s in range(used):
        n = place[neighbours[s]]
        if n == _NEW:
            n = count
            place[neighbours[s]] = n
            rows[n] = neighbours[s]
            count += 1
        places[s] = n
    return count


@kernel
def _add(counters, used, weight, places, sums, lane):
    for s in range(used):
        sums[places[s], lane] += weight * counters[s]


@kernel
def _strongest(queries, lanes, targets, items, weights, keys, counters, used):
    best = np.full((len(queries), 2), -1, np.int32)
    for n in range(len(queries)):
        b, lane = queries[n], lanes[n]
        first, second = np.float32(0), np.float32(0)
        for j in range(min(items.shape[1], _NAMED)):
            q = items[b, j]
            if not 0 <= q < len(used) or weights[b, j, lane] == 0:
                continue
            s = _find(targets[n], keys[q, : used[q]])
            if s < 0:
                continue
            term = weights[b, j, lane] * counters[q, lane, s]
            if term > first:
                best[n, 1], second = best[n, 0], first
                best[n, 0], first = j, term
            elif term > second:
                best[n, 1], second = j, term
    return best


@kernel
def _find(neighbour, neighbours):
    """Slot of `neighbour`, or -1. No early return: a loop without exits compares many at once."""
    found = np.int32(-1)
    for s in range(len(neighbours)):
        if neighbours[s] == neighbour:
            found = np.int32(s)
    return found


@kernel
def _slot(row, neighbour, keys, counters, used, seed, step):
    """Where `neighbour` stands in `row`, making room for it if need be."""
    s = _find(neighbour, keys[row, : used[row]])
    if s >= 0:
        return s
    width = keys.shape[1]
    if used[row] < width:
        s = used[row]
        used[row] += 1
    else:
        for k in range(_SAMPLED):
            at = np.int64(mixed(seed, step * _SAMPLED + k) % np.uint64(width))
            if s < 0 or counters[row, _MEETINGS, at] < counters[row, _MEETINGS, s]:
                s = at
    keys[row, s] = neighbour
    counters[row, :, s] = 0
    return s


@kernel
def _count(row, s, counters, norms, met, gains, norm_gains, weight):
    """Add one meeting to the counters of neighbour `s` in `row` and to the row's norms."""
    counters[row, _MEETINGS, s] += weight
    met[row] += weight
    for lane in range(len(gains)):
        norms[row, lane] += weight * norm_gains[lane]
        if gains[lane] != 0:
            counters[row, lane, s] += weight * gains[lane]


@kernel
def _meet(items, targets, event_weights, forward, mirrored, norm, keys, counters, used, norms, met, seed, steps):
    """Count, and return by how much the norms of meetings have grown together."""
    gained = 0.0
    for b in range(len(targets)):
        t = targets[b]
        for j in range(items.shape[1]):
            q = items[b, j]
            if q < 0:
                break
            if q == t and j > 0:
                continue
            step = (steps + b) * DEEPEST + j
            s = _slot(q, t, keys, counters, used, seed, step)
            _count(q, s, counters, norms, met, forward[b, j], norm[b, j], event_weights[b])
            gained += event_weights[b]
            if q == t:
                continue
            s = _slot(t, q, keys, counters, used, seed + 1, step)
            _count(t, s, counters, norms, met, mirrored[b, j], norm[b, j], event_weights[b])
            gained += event_weights[b]
    return gained


@kernel
def _drop(dead, keys, counters, used):
    """Take dead neighbours out of every row, keeping the order of the others."""
    for row in range(len(used)):
        kept = 0
        for s in range(used[row]):
            if dead[keys[row, s]]:
                continue
            if kept != s:
                keys[row, kept] = keys[row, s]
                counters[row, :, kept] = counters[row, :, s]
            kept += 1
        used[row] = kept


@kernel
def _packed(keys, counters, starts):
    packed_keys = np.empty(starts[-1], np.int32)
    packed_counters = np.empty((starts[-1], counters.shape[1]), np.float32)
    for row in range(len(starts) - 1):
        n = starts[row + 1] - starts[row]
        packed_keys[starts[row] : starts[row + 1]] = keys[row, :n]
        packed_counters[starts[row] : starts[row + 1]] = counters[row, :, :n].T
    return packed_keys, packed_counters


@kernel
def _unpack(packed_keys, packed_counters, starts, keys, counters):
    for row in range(len(starts) - 1):
        n = starts[row + 1] - starts[row]
        keys[row, :n] = packed_keys[starts[row] : starts[row + 1]]
        counters[row, :, :n] = packed_counters[starts[row] : starts[row + 1]].T
