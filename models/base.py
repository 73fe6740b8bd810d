"""The contract of every expert, and what passes between an expert and the recommender.

An expert reads a user's window and says which items may be next. It keeps what it has learned in bounded tables, and it
does two things only:

1. `read(queries)` gives a `Reading`: pure, repeatable, never grows anything. From a reading the recommender asks first
   for proposals, then for the scores of all candidates, its own and the other experts'.
2. `learn(events)` is the only place where its state changes, besides `stock`, which says what the items topic tells,
   and `forget_*`, which the vocabulary's expiry calls.

An expert may offer several *columns*: variants that share one table, such as popularities of several half-lives. Each
column is one expert in the eyes of the ranker.

Shapes: B queries, L window length, C candidates for a query, E columns of this expert, K columns of all experts.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream.events import Item
from stream.snapshots import State
from stream.windows import Kinds, WindowView

Rows = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


PAIRS = 4
"""Numbers that pairs of items say of a candidate; see `Reading.pairs`."""


@dataclass(frozen=True, slots=True)
class Column:
    """One scorer of the ranker: its name in metrics and reasons, and how many candidates it may propose."""

    name: str
    proposals: int


@dataclass(frozen=True, slots=True)
class Run:
    """Where queries stand in a longer run of `windows`, which are read and then learned part by part, in order.

    They begin at place `first`; the part `training_share` of all will be trained on. So an expert that changes
    seldom may compute for many at once.
    """

    windows: WindowView
    first: int
    training_share: float


@dataclass(frozen=True, slots=True)
class Queries:
    """B requests for a list: the windows as they are, and for each the items that must not be offered.

    `excluded` holds the item rows (0 or more, repeated or not) of query b at ``[starts[b], starts[b + 1])``. `run` says
    what is read afterwards, where that is known. Items whose rows are marked in `barred` are no candidates at all; an
    expert need not know, its proposals of them are dropped. `selves` are the rows of the items that have the users'
    ids, -1 where there is none; None where nobody says. `ahead` marks those that are made before the moment of their
    window has come, so that what others do until then is not known; None where none is.
    """

    windows: WindowView
    starts: npt.NDArray[np.int64]  # (B + 1,)
    excluded: Rows
    run: Run | None = None
    barred: Mask | None = None
    selves: Rows | None = None  # (B,)
    ahead: Mask | None = None  # (B,)

    def __len__(self) -> int:
        return len(self.windows.users)


@dataclass(frozen=True, slots=True)
class Events:
    """B interactions to learn from, in the order in which they happened.

    `before.now_ms` is each event's time; `before` holds the window just before it. `training_share` is the part of the
    events, in [0, 1], that the network and the factorisation train on: a journaled decision, the first thing to be shed
    under load. `kinds` is what was done, as in windows, for whoever enters the events into windows of his own; None
    where nobody says. `selves` are the items that have the users' ids, as in `Queries`.
    """

    before: WindowView
    items: Rows  # (B,)
    weights: Floats  # (B,)
    training_share: float = 1.0
    kinds: Kinds | None = None  # (B,)
    selves: Rows | None = None  # (B,)

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, slots=True)
class Progress:
    """How training goes: updates made, updates skipped because something was not finite, and the newest loss."""

    updates: int
    skipped: int
    loss: float


class Reading(ABC):
    """What one expert says to B queries."""

    @abstractmethod
    def propose(self) -> Rows:
        """Best items by column, best first: (B, E, P), P the largest `Column.proposals`; -1 where there are no more.

        Never an excluded item.
        """

    @abstractmethod
    def score(self, candidates: Rows) -> Floats:
        """Log features of `candidates` (B, C), rows or -1: (B, C, E), finite, >= 0; 0 means no evidence at all."""

    def mass(self) -> Floats | None:
        """How much raw evidence stands behind each column (B, E); None where the expert does not count any."""
        return None

    def pairs(self, candidates: Rows, likely: Floats) -> Floats | None:
        """Say what pairs of items tell of candidates (B, C), which are likely by `likely` (B, C): (B, C, PAIRS).

        How much more often than by chance they meet the window's items, ever and in one burst (`experts.lift`); and how
        surely they come after these, and after the likeliest candidates, rather than before (`experts.precedence`).
        None where the expert does not count pairs.
        """
        return None

    def because(self, queries: Rows, columns: Rows, items: Rows) -> Rows:
        """Name the window positions that speak most for N items, the strongest first: (N, 2), -1 where there is none.

        Item n is meant as a candidate of query ``queries[n]`` in this expert's column ``columns[n]``.
        """
        return np.full((len(queries), 2), -1, np.int32)


class Expert(ABC):
    """One family of scorers over one state."""

    name: str
    columns: tuple[Column, ...]

    @property
    def progress(self) -> Progress | None:
        """How training goes, for dashboards; None where learning is counting."""
        return None

    @abstractmethod
    def read(self, queries: Queries) -> Reading:
        """Score by what has been learned so far. Pure: item rows never learned from are simply unknown."""

    @abstractmethod
    def learn(self, events: Events) -> None:
        """Learn from each event in order; tables grow up to the largest row met."""

    def stock(self, rows: Rows, items: Sequence[Item]) -> None:  # noqa: B027  # most experts do not look at items
        """Take note of what is known of N items from now on, in order; an item may come twice."""

    @abstractmethod
    def forget_items(self, dead: Mask) -> None:
        """Remove every trace of the item rows marked in `dead` (rows beyond its end live on): they will be reused."""

    @abstractmethod
    def forget_users(self, dead: Mask) -> None:
        """Remove every trace of the user rows marked in `dead`: they will be reused."""

    @abstractmethod
    def state(self) -> State:
        """Copy everything that decides future readings."""

    @abstractmethod
    def restore(self, state: State) -> None:
        """Take back what `state` gave; from then on both behave the same, bit for bit."""


class Stateless(Expert):
    """An expert that learns nothing of its own: it reads what the windows hold, or another expert's table."""

    def learn(self, events: Events) -> None:
        """Do nothing."""

    def forget_items(self, dead: Mask) -> None:
        """Do nothing."""

    def forget_users(self, dead: Mask) -> None:
        """Do nothing."""

    def state(self) -> State:
        """See Expert; there is none."""
        return {}

    def restore(self, state: State) -> None:
        """See Expert; there is none."""
