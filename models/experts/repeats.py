"""What this user comes back to: the window's own items, weighed four ways.

Pure functions of the window: nothing is learned, so nothing can be stale. j is the position (newest 0), D_j the age, dh
the circular difference between the hour of day of h_j and of now (UTC):

- own_recent: ``sum .9^j``;
- own_hour: ``sum (exp(-dh^2 / 4.5) + .02)(2 if same weekday) .98^j``, the daily habit;
- own_weekpart: ``sum (exp(-dh^2) + .01)(1 if both on a weekend or both not, else .15) exp(-D_j / 60 d)``, the weekly
  one;
- own_sequence: what followed the newest item the last times, ``h_{j-1-d}`` for each j > 0 with h_j = h_0, d < 3,
  weighing ``.4^d .95^j``, and four times that for d = 0 where the item before was the same too.

O(L^2) a query, for finding an item's earlier place in the window; no memory.
"""

from collections.abc import Callable

import numpy as np

from models.base import Column, Queries, Reading, Rows, Stateless
from models.experts.evidence import Evidence
from stream.kernels import kernel
from stream.windows import WindowView

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
_THURSDAY = 3  # weekday of 1970-01-01, Monday 0
_COLUMNS = 4


class Repeats(Stateless):
    """The user's own items, four columns."""

    name = "repeats"
    columns = (Column("own_recent", 30), Column("own_hour", 20), Column("own_weekpart", 10), Column("own_sequence", 10))

    def read(self, queries: Queries) -> Reading:
        """See Expert."""
        windows = queries.windows
        item_rows = int(windows.items.max(initial=-1)) + 1
        starts, rows, scores = _own(
            windows.items, windows.times_ms, windows.lengths, windows.now_ms,
            queries.starts, queries.excluded, item_rows,
        )  # fmt: skip

        return Evidence(self.columns, (0.5, 0.5, 0.5, 1.0), starts, rows, scores, newest_place(windows))


def newest_place(windows: WindowView) -> Callable[[Rows, Rows, Rows], Rows]:
    """Answer `Reading.because` for the window's own items: an item is there because of itself, the last time."""

    def because(queries: Rows, columns: Rows, rows: Rows) -> Rows:
        met = windows.items[queries] == rows[:, None]
        positions = np.full((len(queries), 2), -1, np.int32)
        positions[:, 0] = np.where(met.any(axis=1), met.argmax(axis=1), -1)
        return positions

    return because


@kernel
def _calendar(time_ms):
    """Hour of the day in [0, 24), and day of the week, Monday 0."""
    return (time_ms % DAY_MS) / HOUR_MS, (time_ms // DAY_MS + _THURSDAY) % 7


@kernel
def _place(rows, first, count, item):
    for n in range(first, count):
        if rows[n] == item:
            return n
    return -1


@kernel
def _own(items, times_ms, lengths, now_ms, starts, excluded, item_rows):
    queries = len(lengths)
    total = lengths.sum()
    rows = np.empty(total, np.int32)
    scores = np.zeros((total, _COLUMNS), np.float32)
    ends = np.zeros(queries + 1, np.int64)
    barred = np.full(item_rows, -1, np.int64)
    count = 0
    for b in range(queries):
        first = count
        hour, weekday = _calendar(now_ms[b])
        length = lengths[b]
        for n in range(starts[b], starts[b + 1]):
            if excluded[n] < item_rows:
                barred[excluded[n]] = b
        for j in range(length):
            item = items[b, j]
            if barred[item] == b:
                continue
            n = _place(rows, first, count, item)
            if n < 0:
                n = count
                rows[n] = item
                count += 1
            then_hour, then_weekday = _calendar(times_ms[b, j])
            apart = abs(hour - then_hour)
            apart = min(apart, 24 - apart)
            scores[n, 0] += 0.9**j
            scores[n, 1] += (np.exp(-apart * apart / 4.5) + 0.02) * (2 if weekday == then_weekday else 1) * 0.98**j
            part = 1.0 if (weekday >= 5) == (then_weekday >= 5) else 0.15
            age = max(now_ms[b] - times_ms[b, j], 0)
            scores[n, 2] += (np.exp(-apart * apart) + 0.01) * part * np.exp(-age / (60.0 * DAY_MS))
        for j in range(1, length):
            if items[b, j] != items[b, 0]:
                continue
            for d in range(min(3, j)):
                n = _place(rows, first, count, items[b, j - 1 - d])
                if n < 0:
                    continue
                again = 4.0 if d == 0 and j + 1 < length and items[b, j + 1] == items[b, 1] else 1.0
                scores[n, 3] += again * 0.4**d * 0.95**j
        ends[b + 1] = count
    return ends, rows[:count].copy(), scores[:count].copy()
