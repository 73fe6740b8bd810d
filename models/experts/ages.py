"""What is met much for its age, and has the age at which items are met.

News is met within hours, a film for years. With the item's events w, fading with a half-life h of 6 h, and its age a,

``score = w / (1 - 2^(-a/h)) * met(a) / chance(a)``

The first factor is its rate: what w would be, had the item been there for ever. The second is how much likelier than
chance the next item is of that age. Ages fall into bins of half an octave, and stand for the middle of theirs; the
youngest count as 27 minutes old in the first factor. Each event but an item's first adds one to the bin of its item's
age, and, as chance, one to that of an item drawn from the pool of those that were met last. An age is the time since
the item's first event, or since its publication where one is told that is earlier.

Proposed are the best of the leaders, which are chosen from the pool now and then. Log feature:
``log(1 + score / mean score of the pool)``, the mean being that of then.

Random numbers depend on the number of the event alone. Memory: 17 bytes an item. O(1) a candidate.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.base import Column, Events, Expert, Floats, Mask, Queries, Reading, Rows
from models.elementary import log1p_all
from models.experts.shortlist import Shortlist, best_listed
from models.tables import dead_rows, grown, mixed
from stream.events import Item
from stream.kernels import kernel
from stream.snapshots import State, nest, pick

_HALF_LIFE_MS = 6 * 3_600_000
_RATE = np.log(2) / _HALF_LIFE_MS
_LARGEST_EXPONENT = 40.0
_LEAST_EXPOSURE = 0.05  # reached at 27 minutes

_POOL, _LEADERS = 512, 32
_STALE, _STALEST = 1_000, 128  # chosen anew after one in so many of the events learned, after so many at the most,
_STALEST_MS = _HALF_LIFE_MS // 8  # and after that time, in which what is not met falls behind by a twelfth

_YOUNGEST_MS = 450_000
_BINS = 48  # of half an octave: up to 240 years
_BINS_A_LOG = np.float32(2 / np.log(2))
_LAST = 20_000.0  # events after which an age's evidence has faded to 1/e
_PRIOR = 3.0  # events that each bin is taken to have had

_MIDDLE_MS = _YOUNGEST_MS * (np.exp2((np.arange(_BINS) + 0.5) / 2) - 1)
_EXPOSURE = np.maximum(1 - np.exp(-_RATE * _MIDDLE_MS), _LEAST_EXPOSURE)
_BEGUN_MS, _WEIGHT = range(2)
"""Columns of the table: the beginning of an item's age; its events, as weights that grow with time from the origin."""

_NEVER = 2.0**62  # milliseconds; finite, as all that is kept
_UNMET = np.array([_NEVER, 0])  # neither met nor told of

_ORIGIN, _NEWEST, _CHOSEN = range(3)
"""Times: from when on weights grow; of the newest event; of that when leaders were chosen."""

_LEAST_MEAN, _MOST = 1e-30, 1e30

Doubles = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


class Ages(Expert):
    """One column over one table."""

    name = "ages"
    columns = (Column("by_age", 20),)

    def __init__(self) -> None:
        self._table = np.zeros((0, 2))  # by item row, see _BEGUN_MS and _WEIGHT
        self._times_ms = np.zeros(3, np.int64)
        self._ages = np.zeros((2, _BINS))  # events by age; and what chance would have given
        self._pool = Shortlist(_POOL)
        self._leaders = np.full(_LEADERS, -1, np.int32)
        self._mean = 1.0
        self._learned = self._chosen = 0  # events, and those of them before the leaders were chosen
        self._factors = self._by_age()

    def read(self, queries: Queries) -> Reading:
        """See Expert."""
        leaders = self._leaders[self._leaders >= 0]
        return _Scores(self.columns[0].proposals, queries, self._table, self._factors, self._mean, leaders)

    def learn(self, events: Events) -> None:
        """See Expert."""
        self._table = _grown(self._table, int(events.items.max(initial=-1)) + 1)
        moved = _learn(
            events.items, events.weights, events.before.now_ms, self._pool.rows, self._learned,
            self._table, self._times_ms, self._ages,
        )  # fmt: skip
        self._pool.enter(events.items)
        self._learned += len(events)
        self._factors = self._by_age()
        late = self._times_ms[_NEWEST] - self._times_ms[_CHOSEN] > _STALEST_MS
        if moved or late or self._learned - self._chosen > min(self._learned // _STALE, _STALEST - 1):
            self._choose()

    def stock(self, rows: Rows, items: Sequence[Item]) -> None:
        """See Expert."""
        self._table = _grown(self._table, int(rows.max(initial=-1)) + 1)
        for row, item in zip(rows.tolist(), items, strict=True):
            if item.published_ms is not None:
                self._table[row, _BEGUN_MS] = min(self._table[row, _BEGUN_MS], item.published_ms)

    def forget_items(self, dead: Mask) -> None:
        """See Expert."""
        self._pool.forget(dead)
        gone = dead_rows(dead, len(self._table))
        self._table[gone] = _UNMET
        left = self._leaders[~np.isin(self._leaders, gone)]
        self._leaders[:] = -1
        self._leaders[: len(left)] = left

    def forget_users(self, dead: Mask) -> None:
        """Do nothing: counts of items hold no user."""

    def state(self) -> State:
        """See Expert."""
        rows = int(np.flatnonzero(self._table[:, _BEGUN_MS] != _NEVER).max(initial=-1)) + 1
        return {
            "table": self._table[:rows].copy(),
            "times_ms": self._times_ms.copy(),
            "ages": self._ages.copy(),
            "leaders": self._leaders.copy(),
            "mean": np.array([self._mean]),
            "learned": np.array([self._learned, self._chosen], np.int64),
            **nest("pool", self._pool.state()),
        }

    def restore(self, state: State) -> None:
        """See Expert."""
        self._table = state["table"].astype(np.float64)
        self._times_ms = state["times_ms"].astype(np.int64)
        self._ages = state["ages"].astype(np.float64)
        self._leaders = state["leaders"].astype(np.int32)
        self._mean = float(state["mean"][0])
        self._learned, self._chosen = state["learned"].tolist()
        self._factors = self._by_age()
        self._pool.restore(pick("pool", state))

    def _choose(self) -> None:
        """Take the leaders from the pool, and the mean of its scores."""
        pool = self._pool.rows
        scores = _scores(pool[None], self._times_ms[[_NEWEST]], self._table, self._factors, 1.0)
        self._mean = max(float(scores.mean()), _LEAST_MEAN)
        self._leaders[:] = _best_of(pool, scores, _LEADERS, np.zeros(2, np.int64), np.zeros(0, np.int32))[0, 0]
        self._chosen = self._learned
        self._times_ms[_CHOSEN] = self._times_ms[_NEWEST]

    def _by_age(self) -> Doubles:
        """By what the weight of an item in each bin of age is multiplied."""
        chances = (self._ages + _PRIOR) / (self._ages + _PRIOR).sum(axis=1, keepdims=True)
        factors: Doubles = chances[0] / chances[1] / _EXPOSURE
        return factors


class _Scores(Reading):
    def __init__(
        self, proposals: int, queries: Queries, table: Doubles, factors: Doubles, mean: float, leaders: Rows
    ) -> None:
        self._proposals, self._queries = proposals, queries
        self._table, self._factors, self._mean = table, factors, mean
        self._leaders = leaders

    def propose(self) -> Rows:
        queries = self._queries
        scores = self._of(np.tile(self._leaders, (len(queries), 1)))
        return _best_of(self._leaders, scores, self._proposals, queries.starts, queries.excluded)

    def score(self, candidates: Rows) -> Floats:
        features = self._of(candidates)
        log1p_all(features)
        return features[:, :, None]

    def _of(self, rows: Rows) -> Floats:
        scores: Floats = _scores(rows, self._queries.windows.now_ms, self._table, self._factors, self._mean)
        return scores


def _best_of(rows: Rows, scores: Floats, most: int, starts: Places, excluded: Rows) -> Rows:
    best: Rows = best_listed(rows, scores[:, :, None], np.array([most], np.int64), starts, excluded)
    return best


def _grown(table: Doubles, rows: int) -> Doubles:
    larger = grown(table, rows)
    larger[len(table) :] = _UNMET
    return larger


@kernel
def _bins_of(ages_ms):
    """Bin of each age (n,), which must not be negative."""
    spans = (ages_ms / _YOUNGEST_MS).astype(np.float32)
    log1p_all(spans)
    spans *= _BINS_A_LOG
    return np.minimum(spans.astype(np.int32), _BINS - 1)


@kernel
def _learn(items, event_weights, nows_ms, pool, learned, table, times_ms, ages):
    """Learn N events; say whether all weights were brought to a new origin."""
    fading, moved = 1 - 1 / _LAST, False
    pair_ms = np.zeros(2)
    for n in range(len(items)):
        item, now_ms = items[n], nows_ms[n]
        if learned + n == 0:
            times_ms[:] = now_ms
        times_ms[_NEWEST] = max(times_ms[_NEWEST], now_ms)
        exponent = (now_ms - times_ms[_ORIGIN]) * _RATE
        if exponent > _LARGEST_EXPONENT:
            table[:, _WEIGHT] *= np.exp(-exponent)
            times_ms[_ORIGIN] = now_ms
            exponent = 0.0
            moved = True
        table[item, _WEIGHT] += event_weights[n] * np.exp(exponent)
        if table[item, _BEGUN_MS] > now_ms:
            table[item, _BEGUN_MS] = now_ms
        elif len(pool):
            other = pool[mixed(0, learned + n) % np.uint64(len(pool))]
            pair_ms[0] = now_ms - table[item, _BEGUN_MS]
            pair_ms[1] = max(now_ms - table[other, _BEGUN_MS], 0)
            bins = _bins_of(pair_ms)
            ages *= fading
            ages[0, bins[0]] += 1
            ages[1, bins[1]] += 1
    return moved


@kernel
def _scores(rows, nows_ms, table, factors, mean):
    queries, width = rows.shape
    scores = np.zeros((queries, width), np.float32)
    ages_ms = np.zeros(width)
    for b in range(queries):
        for c in range(width):
            item = rows[b, c]
            ages_ms[c] = max(nows_ms[b] - table[item, _BEGUN_MS], 0) if 0 <= item < len(table) else 0
        bins = _bins_of(ages_ms)
        for c in range(width):
            item = rows[b, c]
            if 0 <= item < len(table):
                scores[b, c] = min(table[item, _WEIGHT] * factors[bins[c]] / mean, _MOST)
    return scores
