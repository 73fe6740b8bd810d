"""What is expected of the most active items: the reading of experts that forecast each item's next count.

A forecast is made when a period ends and holds until the next one ends, so all queries of a period see the same: the
items that are followed, and how many events each is expected to have. What stands for an item is its share of what is
expected of all; an item that is not followed has no evidence. The list of the best items is the same for everybody, but
for what must not be offered.

An expert of this kind says what it learns from periods that have ended (`_learn`), how it forecasts (`_forecast`), and
what it keeps.

Memory: that of the series, and 8 bytes for each item followed.
"""

from abc import abstractmethod

import numpy as np

from models.base import Column, Events, Expert, Floats, Mask, Queries, Reading, Rows
from models.experts.evidence import Evidence
from models.series import LENGTH, Counts, CountSeries
from models.tables import padded
from stream.snapshots import State, nest, pick

HALF_LIFE = 6.0
"""Of the counts by which items are chosen to be followed, in periods."""

_ENDED = np.arange(LENGTH) > 0  # an item is followed for its past, not for the period that is going on
FADING = np.where(_ENDED, np.exp2(-np.arange(LENGTH) / HALF_LIFE), 0.0)


class Forecaster(Expert):
    """One column over the forecasts for the items followed.

    Parameters
    ----------
    column
        Its name and its proposals.
    followed
        How many items are followed at most.
    """

    def __init__(self, column: Column, followed: int) -> None:
        self.name = column.name
        self.columns = (column,)
        self._most = followed
        self._series = CountSeries()
        self._items: Rows = np.zeros(0, np.int32)  # followed, the most active first
        self._expected: Floats = np.zeros(0, np.float32)  # events in the period that is going on

    @abstractmethod
    def _learn(self, items: Rows, history: Counts, ended: int, season: int) -> None:
        """Learn what came after the last forecast.

        Parameters
        ----------
        items
            Those that were followed (n,).
        history
            Their counts in the periods that have ended, the newest first (n, LENGTH - 1).
        ended
            How many of these have not been learned from, at least 1.
        season
            After how many periods the day, or the week, begins again.
        """

    @abstractmethod
    def _forecast(self, items: Rows, history: Counts, season: int) -> Floats:
        """Events (n,) that are expected of `items` in the period that begins, 0 or more."""

    def _restart(self) -> None:
        """Forget what was learned about periods of another length."""

    def read(self, queries: Queries) -> Reading:
        """See Expert."""
        followed = len(self._items)
        offered = np.ones((len(queries), followed), np.bool_)
        if followed and len(queries.excluded):
            place = np.full(int(self._items.max()) + 1, -1, np.int64)
            place[self._items] = np.arange(followed)
            owners = np.repeat(np.arange(len(queries)), np.diff(queries.starts))
            within = queries.excluded < len(place)
            owners, places = owners[within], place[queries.excluded[within]]
            offered[owners[places >= 0], places[places >= 0]] = False
        starts = np.concatenate([[0], np.cumsum(offered.sum(axis=1))]).astype(np.int64)
        _, places = np.nonzero(offered)
        return Evidence(self.columns, (0.0,), starts, self._items[places], self._expected[places][:, None])

    def learn(self, events: Events) -> None:
        """See Expert."""
        series, times_ms = self._series, events.before.now_ms
        for part in series.parts(times_ms):
            now_ms = int(times_ms[part.start])
            ended = series.advance(now_ms)
            if ended:
                self._learn(self._items, self._history(), min(ended, LENGTH - 1), series.season)
                if series.fit(now_ms):
                    self._restart()
                self._items = series.most_active(self._most, FADING)
                self._expected = self._forecast(self._items, self._history(), series.season)
            series.count(events.items[part], times_ms[part])

    def forget_items(self, dead: Mask) -> None:
        """See Expert."""
        self._series.forget(dead)
        rows = int(self._items.max(initial=-1)) + 1
        kept = ~padded(dead, rows)[self._items]
        self._items, self._expected = self._items[kept], self._expected[kept]

    def forget_users(self, dead: Mask) -> None:
        """Do nothing: counts of items hold no user."""

    def state(self) -> State:
        """See Expert."""
        return {
            "items": self._items.copy(),
            "expected": self._expected.copy(),
            **nest("series", self._series.state()),
        }

    def restore(self, state: State) -> None:
        """See Expert."""
        self._items = state["items"].astype(np.int32)
        self._expected = state["expected"].astype(np.float32)
        self._series.restore(pick("series", state))

    def _history(self) -> Counts:
        return self._series.aligned(self._items)[:, 1:]
