"""What everybody does: popularity that fades, overall and among users in the same situation.

Five half-lives over all events (90 min, 6 h, 1 d, 7 d, 10 y), and two of 7 days that see only events of the same
situation: the same bucket of window length ``floor(log2(1 + length))``, and the same bucket of time since the user's
last event (below 1 min, 10 min, 1 h, 6 h, 1 d, 7 d, longer, none). All are tables of one kind: a fading weight for each
item, and the list of the largest ones.

Fading costs nothing an item: an event adds a weight that grows with time, so that only ratios matter, and before the
weights leave the range of a double the table is brought to a new origin. All items of a table fade alike, so an event
can only move its own item up: the list of leaders is kept exactly by one insertion.

Log feature: ``log(share + 1e-6) - log(1e-6)`` of the table's total weight. O(columns x leaders) an event; memory 21
doubles an item.
"""

import numpy as np
import numpy.typing as npt

from models.base import Column, Events, Expert, Floats, Mask, Queries, Reading, Rows
from models.elementary import log1p_all
from models.tables import dead_rows, grown
from stream.kernels import kernel
from stream.snapshots import State
from stream.windows import WindowView

MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86_400.0
_OVERALL_S = (90 * MINUTE_S, 6 * HOUR_S, DAY_S, 7 * DAY_S, 3650 * DAY_S)
_BUCKETS = 8
_GAPS_MS = np.array([60, 600, 3_600, 21_600, 86_400, 604_800], np.int64) * 1000
_TABLES = len(_OVERALL_S) + 2 * _BUCKETS
_LEADERS = 512
_LARGEST_EXPONENT = 40.0
SHARE_FLOOR = 1e-6


class Popularity(Expert):
    """Seven columns over 21 tables of fading weights."""

    name = "popularity"
    columns = (
        Column("popular_90m", 20),
        Column("popular_6h", 20),
        Column("popular_1d", 30),
        Column("popular_7d", 20),
        Column("popular_ever", 15),
        Column("popular_at_length", 20),
        Column("popular_after_gap", 20),
    )

    def __init__(self) -> None:
        self._rates = np.log(2.0) / np.array([*_OVERALL_S, *[7 * DAY_S] * 2 * _BUCKETS]) / 1000
        self._weights = np.zeros((0, _TABLES))
        self._totals = np.zeros(_TABLES)
        self._origin_ms = np.zeros(_TABLES, np.int64)
        self._leaders = np.full((_TABLES, _LEADERS), -1, np.int32)

    def read(self, queries: Queries) -> Reading:
        """See Expert."""
        return _Shares(
            self.columns, queries, self._tables_of(queries.windows), self._weights, self._totals, self._leaders
        )

    def learn(self, events: Events) -> None:
        """See Expert."""
        self._weights = grown(self._weights, int(events.items.max(initial=-1)) + 1)
        _count(
            self._tables_of(events.before), events.items, events.weights, events.before.now_ms,
            self._rates, self._weights, self._totals, self._origin_ms, self._leaders,
        )  # fmt: skip

    def forget_items(self, dead: Mask) -> None:
        """See Expert."""
        gone = dead_rows(dead, len(self._weights))
        self._weights[gone] = 0
        self._totals = self._weights.sum(axis=0)  # not a difference: what is left may be far smaller than what goes
        for table in range(_TABLES):
            weights = self._weights[:, table]
            best = np.lexsort((np.arange(len(weights)), -weights))[:_LEADERS]
            best = best[weights[best] > 0]
            self._leaders[table] = -1
            self._leaders[table, : len(best)] = best

    def forget_users(self, dead: Mask) -> None:
        """Do nothing: counts of items hold no user."""

    def state(self) -> State:
        """See Expert."""
        rows = int(np.flatnonzero(self._weights.any(axis=1)).max(initial=-1)) + 1
        return {
            "weights": self._weights[:rows].copy(),
            "totals": self._totals.copy(),
            "origin_ms": self._origin_ms.copy(),
            "leaders": self._leaders.copy(),
        }

    def restore(self, state: State) -> None:
        """See Expert."""
        self._weights = state["weights"].astype(np.float64)
        self._totals = state["totals"].astype(np.float64)
        self._origin_ms = state["origin_ms"].astype(np.int64)
        self._leaders = state["leaders"].astype(np.int32)

    def _tables_of(self, windows: WindowView) -> Rows:
        """Table of each query and column: (B, E)."""
        tables = np.empty((len(windows.users), len(self.columns)), np.int32)
        overall = len(_OVERALL_S)
        tables[:, :overall] = np.arange(overall)
        lengths = np.minimum(np.log2(1.0 + windows.lengths).astype(np.int32), _BUCKETS - 1)
        tables[:, overall] = overall + lengths
        gaps = np.searchsorted(_GAPS_MS, np.maximum(windows.now_ms - windows.times_ms[:, 0], 0), side="right")
        gaps[windows.lengths == 0] = _BUCKETS - 1
        tables[:, overall + 1] = overall + _BUCKETS + gaps
        return tables


class _Shares(Reading):
    def __init__(
        self,
        columns: tuple[Column, ...],
        queries: Queries,
        tables: Rows,
        weights: npt.NDArray[np.float64],
        totals: npt.NDArray[np.float64],
        leaders: Rows,
    ) -> None:
        self._columns, self._queries, self._tables = columns, queries, tables
        self._weights, self._totals, self._leaders = weights, totals, leaders

    def propose(self) -> Rows:
        limits = np.array([column.proposals for column in self._columns], np.int64)
        best: Rows = _lead(
            self._tables, limits, self._leaders, self._weights, self._queries.starts, self._queries.excluded
        )
        return best

    def score(self, candidates: Rows) -> Floats:
        features: Floats = _log_shares(self._tables, candidates, self._weights, self._totals)
        return features


@kernel
def _count(tables, items, event_weights, times_ms, rates, weights, totals, origin_ms, leaders):
    for b in range(len(items)):
        for column in range(tables.shape[1]):
            t = tables[b, column]
            if totals[t] == 0:
                origin_ms[t] = times_ms[b]
            exponent = (times_ms[b] - origin_ms[t]) * rates[t]
            if exponent > _LARGEST_EXPONENT:
                faded = np.exp(-exponent)
                totals[t] *= faded
                for i in range(len(weights)):
                    weights[i, t] *= faded
                origin_ms[t] = times_ms[b]
                exponent = 0.0
            gain = event_weights[b] * np.exp(exponent)
            totals[t] += gain
            place = _place(items[b], t, weights, leaders)
            weights[items[b], t] += gain
            _raise(items[b], t, place, weights, leaders)


@kernel
def _place(item, t, weights, leaders):
    """Place of `item` among the leaders of table `t`, whose weights fall; the one behind all where it is not there."""
    low, high = 0, leaders.shape[1]
    while low < high:
        middle = (low + high) // 2
        if leaders[t, middle] >= 0 and weights[leaders[t, middle], t] > weights[item, t]:
            low = middle + 1
        else:
            high = middle
    while low < leaders.shape[1] and leaders[t, low] >= 0 and leaders[t, low] != item:
        low = low + 1 if weights[leaders[t, low], t] == weights[item, t] else leaders.shape[1]
    return low


@kernel
def _raise(item, t, place, weights, leaders):
    """Move `item` up from its place among the leaders of table `t`."""
    if place == leaders.shape[1]:
        place -= 1
        if weights[leaders[t, place], t] >= weights[item, t]:
            return
    while place > 0 and weights[leaders[t, place - 1], t] < weights[item, t]:
        leaders[t, place] = leaders[t, place - 1]
        place -= 1
    leaders[t, place] = item


@kernel
def _lead(tables, limits, leaders, weights, starts, excluded):
    """Leaders of each query's tables, as long as they have any weight left: (B, E, P)."""
    queries, columns = tables.shape
    best = np.full((queries, columns, limits.max()), -1, np.int32)
    barred = np.empty(len(weights), np.int64)  # never filled: a place counts where the item standing there says so
    for b in range(queries):
        for n in range(starts[b], starts[b + 1]):
            if excluded[n] < len(barred):
                barred[excluded[n]] = n
        for column in range(columns):
            found, table = 0, tables[b, column]
            for item in leaders[table]:
                if item < 0 or found == limits[column] or weights[item, table] <= 0:
                    break
                n = barred[item]
                if not (starts[b] <= n < starts[b + 1] and excluded[n] == item):
                    best[b, column, found] = item
                    found += 1
    return best


@kernel
def _log_shares(tables, candidates, weights, totals):
    queries, width = candidates.shape
    columns = tables.shape[1]
    features = np.zeros((queries, width, columns), np.float32)
    scales = np.empty(columns)
    for b in range(queries):
        for column in range(columns):
            total = totals[tables[b, column]]
            scales[column] = 1 / (total * SHARE_FLOOR) if total > 0 else 0.0
        for c in range(width):
            item = candidates[b, c]
            if 0 <= item < len(weights):
                for column in range(columns):
                    features[b, c, column] = max(weights[item, tables[b, column]], 0.0) * scales[column]
    log1p_all(features)
    return features
