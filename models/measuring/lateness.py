"""Recommenders that learn late: what learning at once is worth is shown against them.

Both test every event like any other recommender, on windows that are up to date; only what is learned lags behind.
They are for measuring and keep nothing of what waits in their state.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.base import Events, Expert, Floats, Mask, Queries, Rows
from models.recommender import Recommender, Tested
from stream.windows import Kinds, Times, UserWindows


class FrozenRecommender(Recommender):
    """Learns nothing any more after the micro-batch with its event number `last`.

    Parameters
    ----------
    experts
        See Recommender.
    last
        How many events are learned.
    """

    def __init__(self, experts: Sequence[Expert], last: int) -> None:
        super().__init__(experts)
        self._last = last

    def learn(self, tested: Tested) -> None:
        """Learn, until enough has been learned."""
        if self.events_learned < self._last:
            super().learn(tested)


@dataclass(frozen=True, slots=True)
class _Lesson:
    """One micro-batch that waits, as columns; see Events and Queries."""

    users: Rows
    times_ms: Times
    items: Rows
    weights: Floats
    training_share: float
    kinds: Kinds | None
    starts: npt.NDArray[np.int64]
    excluded: Rows
    barred: Mask | None
    selves: Rows | None


class DeferredRecommender(Recommender):
    """Learns when it is told to: then all that was tested since, the same micro-batches in the same order.

    What waits takes 33 bytes an event, and 4 for each item that could not be offered. The windows before the events are
    made anew when they are learned, from windows that lag behind: as many bytes as those of the pipeline. Before rows
    are given to others, what waits is learned, as it would mean something else afterwards.

    Parameters
    ----------
    experts
        See Recommender.
    windows
        New and empty ones, like those that the tests are made with.
    """

    def __init__(self, experts: Sequence[Expert], windows: UserWindows) -> None:
        super().__init__(experts)
        self._windows = windows
        self._lessons: list[_Lesson] = []

    def learn(self, tested: Tested) -> None:
        """Put the test aside."""
        events, queries = tested.events, tested.scored.queries
        lesson = _Lesson(
            events.before.users,
            events.before.now_ms,
            events.items,
            events.weights,
            events.training_share,
            events.kinds,
            queries.starts,
            queries.excluded.copy(),  # a view of something larger
            queries.barred,
            queries.selves,
        )
        self._lessons.append(lesson)

    def catch_up(self) -> None:
        """Learn what waits. It is tested again first: mixture and ranker learn from scores by the models of now."""
        for lesson in self._lessons:
            before, _ = self._windows.extend(lesson.users, lesson.items, lesson.times_ms, lesson.kinds)
            events = Events(before, lesson.items, lesson.weights, lesson.training_share, lesson.kinds, lesson.selves)
            queries = Queries(before, lesson.starts, lesson.excluded, barred=lesson.barred, selves=lesson.selves)
            super().learn(self.test(events, queries))
        self._lessons.clear()

    def forget_items(self, dead: Mask) -> None:
        """See Recommender."""
        self.catch_up()
        self._windows.forget_items(dead)
        super().forget_items(dead)

    def forget_users(self, dead: Mask) -> None:
        """See Recommender."""
        self.catch_up()
        self._windows.forget_users(dead)
        super().forget_users(dead)
