"""An expert around another: those that measure change one thing of it, and pass on the rest."""

from collections.abc import Sequence

from models.base import Events, Expert, Mask, Progress, Queries, Reading, Rows
from stream.events import Item
from stream.snapshots import State


class Wrapped(Expert):
    """Does what another expert does."""

    def __init__(self, expert: Expert) -> None:
        self._expert = expert
        self.name = expert.name
        self.columns = expert.columns

    @property
    def progress(self) -> Progress | None:
        """See Expert."""
        return self._expert.progress

    def read(self, queries: Queries) -> Reading:
        """See Expert."""
        return self._expert.read(queries)

    def learn(self, events: Events) -> None:
        """See Expert."""
        self._expert.learn(events)

    def stock(self, rows: Rows, items: Sequence[Item]) -> None:
        """See Expert."""
        self._expert.stock(rows, items)

    def forget_items(self, dead: Mask) -> None:
        """See Expert."""
        self._expert.forget_items(dead)

    def forget_users(self, dead: Mask) -> None:
        """See Expert."""
        self._expert.forget_users(dead)

    def state(self) -> State:
        """See Expert."""
        return self._expert.state()

    def restore(self, state: State) -> None:
        """See Expert."""
        self._expert.restore(state)


class Still(Wrapped):
    """An expert that has learned what it will ever learn, and is read like any other."""

    def learn(self, events: Events) -> None:
        """Learn nothing."""
