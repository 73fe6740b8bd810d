"""How an item is doing: whether it rises, and whether this is its hour of the day.

Everything is read from the item's count series (`models.series`), from the time of its first event, or of its
publication where an earlier one is told, and from the hours at which it was met. With the rate r_h, events in a period
averaged over the series with a half-life of h periods, and no further back than the period in which the item began:

- `rising`: r_1, times the trend ``(r_1 + .5) / (r_8 + .5)``.
- `by_hour`: r_8, times how much of the item's events fall into these three hours of the day (UTC) against how much of
  all events do.

Only items of the pool are proposed, those that were met last. Log feature: ``log(1 + score / mean score of the pool)``.

Memory: 77 bytes an item.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.base import Column, Events, Expert, Floats, Mask, Queries, Reading, Rows
from models.elementary import log1p_all
from models.experts.shortlist import Shortlist, best_listed
from models.series import LENGTH, CountSeries
from models.tables import dead_rows, grown
from stream.events import Item
from stream.kernels import kernel
from stream.snapshots import State, nest, pick
from stream.windows import Times

_POOL = 512
_SHORT, _LONG = 1.0, 8.0  # half-lives, in periods
_FADING = np.exp2(-np.arange(LENGTH)[:, None] / np.array([_SHORT, _LONG]))  # (LENGTH, 2)

_STEADY = 0.5  # events in a period, added to rates so that few events are no trend
_LEAST_SEEN = 0.5  # periods that an item is taken to have been there for at least

_BINS = 8  # of the day
_BIN_MS = 86_400_000 // _BINS
_PRIOR = 8.0  # events that an item's hours are taken to have had by chance
_MOST = 255
_UNMET = np.iinfo(np.int64).min


class Dynamics(Expert):
    """Two columns over count series and hours."""

    name = "dynamics"
    columns = (Column("rising", 20), Column("by_hour", 20))

    def __init__(self) -> None:
        self._series = CountSeries()
        self._pool = Shortlist(_POOL)
        self._first_ms = np.zeros(0, np.int64)  # by item row: its publication or its first event
        self._hours = np.zeros((0, _BINS), np.uint8)
        self._all_hours = np.zeros(_BINS)

    def read(self, queries: Queries) -> Reading:
        """See Expert."""
        return _Values(self.columns, queries, self._tables(), self._pool.rows)

    def learn(self, events: Events) -> None:
        """See Expert."""
        rows = int(events.items.max(initial=-1)) + 1
        self._first_ms = grown(self._first_ms, rows, _UNMET)
        self._hours = grown(self._hours, rows)
        series, times_ms = self._series, events.before.now_ms
        for part in series.parts(times_ms):
            if series.advance(int(times_ms[part.start])):
                series.fit(int(times_ms[part.start]))
            series.count(events.items[part], times_ms[part])
        _learn(events.items, times_ms, self._first_ms, self._hours, self._all_hours)
        self._pool.enter(events.items)

    def stock(self, rows: Rows, items: Sequence[Item]) -> None:
        """See Expert."""
        most = int(rows.max(initial=-1)) + 1
        self._first_ms, self._hours = grown(self._first_ms, most, _UNMET), grown(self._hours, most)
        for row, item in zip(rows.tolist(), items, strict=True):
            if item.published_ms is not None:
                known = self._first_ms[row] != _UNMET
                self._first_ms[row] = min(self._first_ms[row], item.published_ms) if known else item.published_ms

    def forget_items(self, dead: Mask) -> None:
        """See Expert."""
        self._series.forget(dead)
        self._pool.forget(dead)
        gone = dead_rows(dead, len(self._first_ms))
        self._first_ms[gone] = _UNMET
        self._hours[gone] = 0

    def forget_users(self, dead: Mask) -> None:
        """Do nothing: counts of items hold no user."""

    def state(self) -> State:
        """See Expert."""
        rows = int(np.flatnonzero(self._first_ms != _UNMET).max(initial=-1)) + 1
        return {
            "first_ms": self._first_ms[:rows].copy(),
            "hours": self._hours[:rows].copy(),
            "all_hours": self._all_hours.copy(),
            **nest("series", self._series.state()),
            **nest("pool", self._pool.state()),
        }

    def restore(self, state: State) -> None:
        """See Expert."""
        self._first_ms = state["first_ms"].astype(np.int64)
        self._hours = state["hours"].astype(np.uint8)
        self._all_hours = state["all_hours"].astype(np.float64)
        self._series.restore(pick("series", state))
        self._pool.restore(pick("pool", state))

    def _tables(self) -> "_Tables":
        series = self._series
        return (
            series.counts, series.periods, series.period_ms, self._first_ms, self._hours,
            (self._all_hours + 1) / (self._all_hours + 1).sum(),
        )  # fmt: skip


_Tables = tuple[npt.NDArray[np.uint16], Times, int, Times, npt.NDArray[np.uint8], npt.NDArray[np.float64]]


class _Values(Reading):
    def __init__(self, columns: tuple[Column, ...], queries: Queries, tables: _Tables, pool: Rows) -> None:
        self._columns, self._queries, self._tables = columns, queries, tables
        self._pool = pool
        everywhere = np.tile(pool, (len(queries), 1))
        self._scores: Floats = _score(everywhere, queries.windows.now_ms, *tables)  # (B, S, E)
        means = self._scores.mean(axis=1) if len(pool) else np.ones((len(queries), len(columns)), np.float32)
        self._means = np.maximum(means, np.float32(1e-9))

    def propose(self) -> Rows:
        limits = np.array([column.proposals for column in self._columns], np.int64)
        best: Rows = best_listed(self._pool, self._scores, limits, self._queries.starts, self._queries.excluded)
        return best

    def score(self, candidates: Rows) -> Floats:
        features: Floats = _score(candidates, self._queries.windows.now_ms, *self._tables)
        features /= self._means[:, None]
        log1p_all(features)
        return features


_RISING, _BY_HOUR = range(2)


@kernel
def _learn(items, times_ms, first_ms, hours, all_hours):
    for n in range(len(items)):
        item, now_ms = items[n], times_ms[n]
        bin_ = now_ms // _BIN_MS % _BINS
        if first_ms[item] == _UNMET or first_ms[item] > now_ms:
            first_ms[item] = now_ms
        if hours[item, bin_] == _MOST:
            for b in range(_BINS):
                hours[item, b] //= 2
        hours[item, bin_] += 1
        all_hours[bin_] += 1


@kernel
def _score(rows, nows_ms, counts, periods, period_ms, first_ms, hours, all_hours):
    queries, width = rows.shape
    scores = np.zeros((queries, width, 2), np.float32)
    for b in range(queries):
        now_ms = nows_ms[b]
        now = now_ms // period_ms
        part = (now_ms - now * period_ms) / period_ms + 0.02  # of the period that is going on: 0.02 where it began
        bin_ = now_ms // _BIN_MS % _BINS
        for c in range(width):
            item = rows[b, c]
            if not 0 <= item < len(first_ms) or first_ms[item] == _UNMET:
                continue
            behind = max(now - periods[item], 0) if item < len(periods) else LENGTH  # without a series
            known = min(max(now - first_ms[item] // period_ms, 0) + 1, LENGTH)  # periods since its first event
            short = long = 0.0
            shorts = longs = 0.0
            for place in range(known):
                seen = part if place == 0 else 1.0
                shorts += seen * _FADING[place, 0]
                longs += seen * _FADING[place, 1]
                if place >= behind:
                    count = counts[item, place - behind]
                    short += count * _FADING[place, 0]
                    long += count * _FADING[place, 1]
            short /= max(shorts, _LEAST_SEEN)
            long /= max(longs, _LEAST_SEEN)
            met = 0.0
            for h in range(_BINS):
                met += hours[item, h]
            hour = (hours[item, bin_] / all_hours[bin_] + _PRIOR) / (met + _PRIOR)
            row = scores[b, c]
            row[_RISING] = short * (short + _STEADY) / (long + _STEADY)
            row[_BY_HOUR] = long * hour
    return scores
