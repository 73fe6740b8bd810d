"""How often each item was met, period by period: what trends, cycles and forecasts are read from.

A series holds the events of an item in the newest `LENGTH` periods, the one that is going on first. Periods are
stretches of event time with fixed borders. They are hours where that many events come, and longer ones on quiet
streams, where an hour's counts would say nothing: 4 hours, days, weeks. The newest `LENGTH` periods decide: too few
events in them, and the periods become longer, their counts added up; many more than enough, and they become shorter,
and the series begin anew, because how the counts were spread is not known.

Series move on lazily: each remembers the period of its newest place.

Memory: 60 bytes an item.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from models.base import Mask, Rows
from models.tables import dead_rows, grown
from stream.kernels import kernel
from stream.snapshots import State
from stream.windows import Times

LENGTH = 26
"""Periods of a series: the one that is going on, the one before, and a day of hours before that."""

_HOUR_MS = 3_600_000
_LENGTHS_MS = _HOUR_MS * np.array([1, 4, 24, 168], np.int64)  # each a multiple of the one before
_SEASONS = (24, 6, 7, 1)  # periods of a day or, where a period is one, of a week
_ENOUGH = 32  # events in a period, on average
_PLENTY = 4  # times as many as would be enough for shorter periods
_MOST = np.iinfo(np.uint16).max
_NEVER = np.iinfo(np.int64).min

Counts = npt.NDArray[np.uint16]


class CountSeries:
    """The series of all items, by item row.

    Attributes
    ----------
    counts
        Events of each item (rows, LENGTH), the period `periods` of the row first.
    periods
        Number of the period since 1970 in which the newest place of each row stands (rows,).
    period
        The one that is going on; None before the first event.
    """

    def __init__(self) -> None:
        self.counts: Counts = np.zeros((0, LENGTH), np.uint16)
        self.periods: Times = np.zeros(0, np.int64)
        self.period: int | None = None
        self._level = 0
        self._totals = np.zeros(LENGTH, np.int64)  # events of all items, as a series
        self._seen = 0  # ended periods since the level's first, at most LENGTH

    @property
    def period_ms(self) -> int:
        """Length of a period."""
        return int(_LENGTHS_MS[self._level])

    @property
    def season(self) -> int:
        """After how many periods the day, or the week, begins again; 1 where a period is longer."""
        return _SEASONS[self._level]

    def parts(self, times_ms: Times) -> Iterator[slice]:
        """Cut events into runs in which no period ends, to be given to `advance` and `count` one after the other."""
        start = 0
        while start < len(times_ms):
            ends_ms = (max(int(times_ms[start]) // self.period_ms, self._now()) + 1) * self.period_ms
            later = np.flatnonzero(times_ms[start:] >= ends_ms)
            stop = start + int(later[0]) if len(later) else len(times_ms)
            yield slice(start, stop)
            start = stop

    def advance(self, time_ms: int) -> int:
        """Go on to the period of an event; return how many have ended."""
        period = time_ms // self.period_ms
        if self.period is None:
            self.period = period
        ended = max(period - self.period, 0)
        if ended:
            self.period = period
            self._totals = _moved(self._totals, ended)
            self._seen = min(self._seen + ended, LENGTH)
        return ended

    def fit(self, time_ms: int) -> bool:
        """Make periods longer or shorter where there are too few or too many events in them; say whether."""
        if self._seen < LENGTH:
            return False
        mean = self._totals[1:].mean()
        if mean < _ENOUGH and self._level + 1 < len(_LENGTHS_MS):
            self._lengthen(time_ms)
            return True
        finer = self._level - 1
        if finer >= 0 and mean * _LENGTHS_MS[finer] / self.period_ms > _ENOUGH * _PLENTY:
            self._level = finer
            self._begin(time_ms)
            return True
        return False

    def count(self, items: Rows, times_ms: Times) -> None:
        """Count events of the period that is going on, or late ones of those before."""
        rows = int(items.max(initial=-1)) + 1
        self.counts, self.periods = grown(self.counts, rows), grown(self.periods, rows)
        _count(self.counts, self.periods, self._totals, self._now(), items, times_ms // self.period_ms)

    def aligned(self, rows: Rows) -> Counts:
        """Series (n, LENGTH) of these item rows, the period that is going on first."""
        behind = self._now() - self.periods[rows]
        places = np.arange(LENGTH) - behind[:, None]
        found = np.take_along_axis(self.counts[rows], np.clip(places, 0, LENGTH - 1), axis=1)
        series: Counts = np.where((places >= 0) & (places < LENGTH), found, 0).astype(np.uint16)
        return series

    def most_active(self, most: int, fading: npt.NDArray[np.float64]) -> Rows:
        """Up to `most` item rows (n,), those of the largest sums above 0, the places weighted by `fading` (LENGTH,)."""
        met = np.flatnonzero(self._now() - self.periods < LENGTH).astype(np.int32)
        sums = self.aligned(met) @ fading
        best = np.lexsort((met, -sums))[:most]
        return met[best[sums[best] > 0]]

    def forget(self, dead: Mask) -> None:
        """Empty the series of the item rows marked in `dead`; rows beyond its end live on.

        When nothing is left, time begins anew too.
        """
        gone = dead_rows(dead, len(self.counts))
        self.counts[gone] = 0
        self.periods[gone] = 0
        if not self.counts.any():
            self.period, self._seen = None, 0
            self._totals[:] = 0

    def state(self) -> State:
        """Copy everything."""
        rows = int(np.flatnonzero(self.counts.any(axis=1)).max(initial=-1)) + 1
        return {
            "counts": self.counts[:rows].copy(),
            "periods": self.periods[:rows].copy(),
            "totals": self._totals.copy(),
            "clock": np.array([_NEVER if self.period is None else self.period, self._level, self._seen], np.int64),
        }

    def restore(self, state: State) -> None:
        """Take back what `state` gave."""
        self.counts = state["counts"].astype(np.uint16)
        self.periods = state["periods"].astype(np.int64)
        self._totals = state["totals"].astype(np.int64)
        period, self._level, self._seen = state["clock"].tolist()
        self.period = None if period == _NEVER else period

    def _now(self) -> int:
        return 0 if self.period is None else self.period

    def _lengthen(self, time_ms: int) -> None:
        """Add up the counts of the periods that become one."""
        times = int(_LENGTHS_MS[self._level + 1] // _LENGTHS_MS[self._level])
        self.counts = np.minimum(_joined(self.counts, self.periods, times), _MOST).astype(np.uint16)
        self._totals = _joined(self._totals[None], np.array([self._now()]), times)[0]
        self.periods = self.periods // times
        self._level += 1
        self.period = time_ms // self.period_ms
        self._seen //= times

    def _begin(self, time_ms: int) -> None:
        self.period = time_ms // self.period_ms
        self.counts[:], self.periods[:], self._totals[:] = 0, 0, 0
        self._seen = 0


def _moved(series: npt.NDArray[np.int64], periods: int) -> npt.NDArray[np.int64]:
    moved = np.zeros_like(series)
    if periods < LENGTH:
        moved[periods:] = series[: LENGTH - periods]
    return moved


def _joined(counts: npt.NDArray[np.integer], periods: Times, times: int) -> npt.NDArray[np.int64]:
    """Series over periods `times` as long."""
    joined = np.zeros(counts.shape, np.int64)
    rows = np.arange(len(counts))
    for place in range(LENGTH):
        joined[rows, periods // times - (periods - place) // times] += counts[:, place]
    return joined


@kernel
def _count(counts, periods, totals, now, items, own):
    for n in range(len(items)):
        item, ago = items[n], now - own[n]
        if ago >= LENGTH:
            continue
        row, behind = counts[item], now - periods[item]
        for place in range(LENGTH - 1, -1, -1):
            row[place] = row[place - behind] if place >= behind else 0
        periods[item] = now
        totals[ago] += 1
        row[ago] = min(row[ago] + 1, _MOST)
