"""Who goes with whom: one bounded row of neighbours for each item, learned by counting.

When a user meets an item t, each of the user's last items q meets it too. The row of q then counts t, the row of t counts
q, each with several weights at once: by position in the window, by time between the two, forwards only or both ways. A
`Readout` defines one such weight and how it is read back as a score; `transitions`, `covisitation` and `bursts` hold the
readouts, and share this table, its learning loop and its scan.

Learning costs O(depth * width) compares an event, reading O(depth * width * LANES) multiply-adds a query, in one pass for
all readouts. Memory: ``width * (4 + 4 * LANES)`` bytes an item (9 KiB at the default width of 256).

When a row is full, the least often met of eight sampled neighbours makes room: a frequent neighbour is then lost with a
probability that falls with the eighth power of its rank.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.base import Column, Events, Expert, Floats, Mask, Queries, Reading, Rows
from models.evidence import Evidence
from models.tables import dead_rows, grown, mixed, padded
from stream.kernels import kernel
from stream.snapshots import State
from stream.windows import WindowView

LANES = 8
"""Counters of one neighbour: up to seven readouts and, in the last one, how often the two have met. One vector register."""

_MEETINGS = LANES - 1
_SAMPLED = 8
_NAMED = 20
"""Newest window items that may be named as a reason; older ones weigh little and cost as much to look up."""

_NOTHING = -1


class Readout(ABC):
    """One way to weigh a meeting, and to read the weights back as a score.

    The score of item i is ``sum_j weight(j) * counter[h_j, i] * factor(norm[i])`` over the window's items h_j.
    `positions` j count from the newest (0); `ages_s` are seconds between h_j and the event or query.
    """

    column: Column
    prior: float = 0.0
    """See `evidence`."""

    half_life_s: float | None = None
    """Half-life of the counters, or None when they never fade."""

    @abstractmethod
    def meeting(self, positions: Floats, ages_s: Floats) -> tuple[Floats, Floats, Floats]:
        """What one meeting adds (B, L): to the later item in the earlier one's row, the other way, to both norms."""

    @abstractmethod
    def weight(self, positions: Floats, ages_s: Floats, norms: Floats) -> Floats:
        """Weight (B, L) of each window item's row, given that item's norm."""

    def factor(self, norms: Floats) -> Floats | None:
        """Factor (n,) of each scored item, given its norm; None for 1."""
        return None


class Cooccurrence(Expert):
    """All readouts over one table.

    Parameters
    ----------
    readouts
        At most seven; each is one column.
    width
        Neighbours kept for an item.
    depth
        Newest window items that are read and learned from.
    seed
        Of the sampling in full rows.
    """

    name = "cooccurrence"

    def __init__(self, readouts: Sequence[Readout], width: int = 256, depth: int = 100, seed: int = 0) -> None:
        self._readouts = tuple(readouts)
        self.columns = tuple(readout.column for readout in readouts)
        self._priors = [readout.prior for readout in readouts]
        self._depth = depth
        self._seed = seed
        self._steps = 0
        self._keys = np.empty((0, width), np.int32)
        self._counters = np.empty((0, width, LANES), np.float32)
        self._used = np.empty(0, np.int32)
        self._norms = np.empty((0, LANES), np.float32)
        self._origin_ms = np.full(LANES, _NOTHING, np.int64)

    def read(self, queries: Queries) -> Reading:
        """See Expert."""
        items, positions, ages_s = self._window(queries.windows)
        norms = self._norms_of(items)
        weights = np.zeros((*items.shape, LANES), np.float32)
        for lane, readout in enumerate(self._readouts):
            weights[:, :, lane] = readout.weight(positions, ages_s, norms[:, :, lane])
        weights[items < 0] = 0
        starts, rows, scores = _scan(
            items,
            weights,
            self._keys,
            self._counters,
            self._used,
            queries.starts,
            queries.excluded,
            len(self._readouts),
        )
        for lane, readout in enumerate(self._readouts):
            factor = readout.factor(self._norms[rows, lane])
            if factor is not None:
                scores[:, lane] *= factor
        return _TableReading(
            Evidence(self.columns, self._priors, starts, rows, scores),
            items, weights, self._keys, self._counters, self._used,
        )  # fmt: skip

    def learn(self, events: Events) -> None:
        """See Expert."""
        items, positions, ages_s = self._window(events.before)
        self._grow(int(max(events.items.max(initial=-1), items.max(initial=-1))) + 1)
        forward = np.zeros((*items.shape, LANES), np.float32)
        mirrored = np.zeros_like(forward)
        norm = np.zeros_like(forward)
        for lane, readout in enumerate(self._readouts):
            gains = readout.meeting(positions, ages_s)
            scale = self._fading(lane, readout, events.before.now_ms)
            forward[:, :, lane], mirrored[:, :, lane] = gains[0] * scale, gains[1] * scale
            norm[:, :, lane] = gains[2]
        forward[:, :, _MEETINGS] = mirrored[:, :, _MEETINGS] = 1
        _meet(
            items, events.items, events.weights, forward, mirrored, norm,
            self._keys, self._counters, self._used, self._norms, self._seed, self._steps,
        )  # fmt: skip
        self._steps += len(events)

    def forget_items(self, dead: Mask) -> None:
        """See Expert."""
        gone = dead_rows(dead, len(self._used))
        self._used[gone] = 0
        self._norms[gone] = 0
        _drop(padded(dead, len(self._used)), self._keys, self._counters, self._used)

    def forget_users(self, dead: Mask) -> None:
        """Counts of items hold no user."""

    def state(self) -> State:
        """See Expert."""
        rows = int(np.flatnonzero((self._used > 0) | self._norms.any(axis=1)).max(initial=-1)) + 1
        used = self._used[:rows].copy()
        starts = np.concatenate([[0], np.cumsum(used, dtype=np.int64)])
        keys, counters = _packed(self._keys, self._counters, used, starts)
        return {
            "keys": keys,
            "counters": counters,
            "used": used,
            "norms": self._norms[:rows].copy(),
            "origin_ms": self._origin_ms.copy(),
            "steps": np.array([self._steps], np.int64),
        }

    def restore(self, state: State) -> None:
        """See Expert."""
        rows, width = len(state["used"]), self._keys.shape[1]
        self._keys = np.zeros((rows, width), np.int32)
        self._counters = np.zeros((rows, width, LANES), np.float32)
        self._used = state["used"].astype(np.int32)
        self._norms = state["norms"].astype(np.float32)
        self._origin_ms = state["origin_ms"].astype(np.int64)
        self._steps = int(state["steps"][0])
        starts = np.concatenate([[0], np.cumsum(self._used, dtype=np.int64)])
        _unpack(state["keys"], state["counters"], starts, self._keys, self._counters)

    def _window(self, windows: WindowView) -> tuple[Rows, Floats, Floats]:
        """Newest `depth` item rows, their positions, and their ages in seconds: each (B, D)."""
        longest = int(windows.lengths.max(initial=0))
        deep = min(self._depth, max(longest, 1))
        items = windows.items[:, :deep]
        positions = np.broadcast_to(np.arange(deep, dtype=np.float32), items.shape)
        ages = np.maximum(windows.now_ms[:, None] - windows.times_ms[:, :deep], 0)
        return items, positions, (ages / 1000).astype(np.float32)

    def _norms_of(self, items: Rows) -> Floats:
        known = (items >= 0) & (items < len(self._norms))
        norms = np.zeros((*items.shape, LANES), np.float32)
        norms[known] = self._norms[items[known]]
        return norms

    def _grow(self, rows: int) -> None:
        self._keys = grown(self._keys, rows)
        self._counters = grown(self._counters, rows)
        self._used = grown(self._used, rows)
        self._norms = grown(self._norms, rows)

    def _fading(self, lane: int, readout: Readout, now_ms: npt.NDArray[np.int64]) -> Floats:
        """Weight (B, 1) that grows with time where counters should fade: the same ratio, and no sweep an event.

        Before the weights grow out of range, all counters are brought to the new origin.
        """
        if readout.half_life_s is None:
            return np.ones((len(now_ms), 1), np.float32)
        rate = np.log(2.0) / readout.half_life_s / 1000
        if self._origin_ms[lane] == _NOTHING:
            self._origin_ms[lane] = now_ms[0]
        newest = int(now_ms.max())
        if (newest - self._origin_ms[lane]) * rate > 40:
            self._counters[:, :, lane] *= np.float32(np.exp(-(newest - self._origin_ms[lane]) * rate))
            self._origin_ms[lane] = newest
        scale: Floats = np.exp((now_ms[:, None] - self._origin_ms[lane]) * rate).astype(np.float32)
        return scale


class _TableReading(Reading):
    """Evidence that still knows which rows it was read from."""

    def __init__(
        self, evidence: Evidence, items: Rows, weights: Floats, keys: Rows, counters: Floats, used: Rows
    ) -> None:
        self._evidence = evidence
        self._items, self._weights = items, weights
        self._keys, self._counters, self._used = keys, counters, used

    def propose(self) -> Rows:
        return self._evidence.propose()

    def score(self, candidates: Rows) -> Floats:
        return self._evidence.score(candidates)

    def mass(self) -> Floats:
        return self._evidence.mass()

    def because(self, queries: Rows, columns: Rows, items: Rows) -> Rows:
        return _strongest(queries, columns, items, self._items, self._weights, self._keys, self._counters, self._used)


@kernel
def _strongest(queries, lanes, targets, items, weights, keys, counters, used):  # type: ignore[no-untyped-def]
    """Two window positions with the largest terms of each sum, among the newest `_NAMED`."""
    best = np.full((len(queries), 2), -1, np.int32)
    for n in range(len(queries)):
        b, lane = queries[n], lanes[n]
        first, second = np.float32(0), np.float32(0)
        for j in range(min(items.shape[1], _NAMED)):
            q = items[b, j]
            if q < 0 or q >= len(used) or weights[b, j, lane] == 0:
                continue
            for s in range(used[q]):
                if keys[q, s] != targets[n]:
                    continue
                term = weights[b, j, lane] * counters[q, s, lane]
                if term > first:
                    best[n, 1], second = best[n, 0], first
                    best[n, 0], first = j, term
                elif term > second:
                    best[n, 1], second = j, term
                break
    return best


@kernel
def _scan(items, weights, keys, counters, used, starts, excluded, lanes):  # type: ignore[no-untyped-def]
    """Sum the rows of each query's items, all lanes at once: evidence as (starts, rows, scores)."""
    queries, depth = items.shape
    known = len(used)
    place = np.full(known, -1, np.int64)
    capacity = 1024
    rows = np.empty(capacity, np.int32)
    sums = np.empty((capacity, LANES), np.float32)
    ends = np.zeros(queries + 1, np.int64)
    count = 0
    for b in range(queries):
        first = count
        for n in range(starts[b], starts[b + 1]):
            if excluded[n] < known:
                place[excluded[n]] = -2
        for j in range(depth):
            q = items[b, j]
            if q < 0 or q >= known:
                continue
            weight = weights[b, j]
            if count + used[q] > capacity:
                capacity = 2 * (capacity + used[q])
                more_rows = np.empty(capacity, np.int32)
                more_rows[:count] = rows[:count]
                rows = more_rows
                more_sums = np.empty((capacity, LANES), np.float32)
                more_sums[:count] = sums[:count]
                sums = more_sums
            for s in range(used[q]):
                i = keys[q, s]
                n = place[i]
                if n < first:
                    if n == -2:
                        continue
                    n = count
                    place[i] = n
                    rows[n] = i
                    for e in range(LANES):
                        sums[n, e] = 0
                    count += 1
                for e in range(LANES):
                    sums[n, e] += weight[e] * counters[q, s, e]
        for n in range(starts[b], starts[b + 1]):
            if excluded[n] < known:
                place[excluded[n]] = -1
        ends[b + 1] = count
    return ends, rows[:count].copy(), sums[:count, :lanes].copy()


@kernel
def _slot(row, neighbour, keys, counters, used, seed, step):  # type: ignore[no-untyped-def]
    """Where `neighbour` stands in `row`, making room for it if need be."""
    for s in range(used[row]):
        if keys[row, s] == neighbour:
            return s
    width = keys.shape[1]
    if used[row] < width:
        s = used[row]
        used[row] += 1
    else:
        s = -1
        for k in range(_SAMPLED):
            at = np.int64(mixed(seed, step * _SAMPLED + k) % np.uint64(width))
            if s < 0 or counters[row, at, _MEETINGS] < counters[row, s, _MEETINGS]:
                s = at
    keys[row, s] = neighbour
    for e in range(LANES):
        counters[row, s, e] = 0
    return s


@kernel
def _meet(items, targets, event_weights, forward, mirrored, norm, keys, counters, used, norms, seed, steps):  # type: ignore[no-untyped-def]
    """Count each target with each item of its window, in both rows."""
    for b in range(len(targets)):
        t = targets[b]
        for j in range(items.shape[1]):
            q = items[b, j]
            if q < 0:
                break
            if q == t and j > 0:
                continue
            step = (steps + b) * 256 + j
            s = _slot(q, t, keys, counters, used, seed, step)
            for e in range(LANES):
                counters[q, s, e] += event_weights[b] * forward[b, j, e]
                norms[q, e] += event_weights[b] * norm[b, j, e]
            if q == t:
                continue
            s = _slot(t, q, keys, counters, used, seed + 1, step)
            for e in range(LANES):
                counters[t, s, e] += event_weights[b] * mirrored[b, j, e]
                norms[t, e] += event_weights[b] * norm[b, j, e]


@kernel
def _drop(dead, keys, counters, used):  # type: ignore[no-untyped-def]
    """Take dead neighbours out of every row, keeping the order of the others."""
    for row in range(len(used)):
        kept = 0
        for s in range(used[row]):
            if dead[keys[row, s]]:
                continue
            if kept != s:
                keys[row, kept] = keys[row, s]
                counters[row, kept] = counters[row, s]
            kept += 1
        used[row] = kept


@kernel
def _packed(keys, counters, used, starts):  # type: ignore[no-untyped-def]
    packed_keys = np.empty(starts[-1], np.int32)
    packed_counters = np.empty((starts[-1], LANES), np.float32)
    for row in range(len(used)):
        packed_keys[starts[row] : starts[row + 1]] = keys[row, : used[row]]
        packed_counters[starts[row] : starts[row + 1]] = counters[row, : used[row]]
    return packed_keys, packed_counters


@kernel
def _unpack(packed_keys, packed_counters, starts, keys, counters):  # type: ignore[no-untyped-def]
    for row in range(len(starts) - 1):
        n = starts[row + 1] - starts[row]
        keys[row, :n] = packed_keys[starts[row] : starts[row + 1]]
        counters[row, :n] = packed_counters[starts[row] : starts[row + 1]]
