"""The same recommender without each of several things, in one run.

What an expert learns does not depend on who hears it. So one set of experts is read and taught once, and beside the
whole recommender stand lesser ones, each with a mixture and a ranker of its own that hear all but one thing. Leaving
out n things takes n more mixtures and rankers, and not n more runs.

It is the same as n runs but for the table that kinds of readouts share: where a row is full, a readout that nobody
hears still has its say in which neighbours it keeps, and walks and pairs are told by its counts all the same.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.base import Events, Expert, Floats, Mask, Queries, Reading, Rows
from models.measuring.wrapped import Wrapped
from models.recommender import Recommender, Tested
from stream.events import Item
from stream.snapshots import State

WITHOUT = "without "
"""Begins the name of a scorer that is the list without something."""

Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Lack:
    """What a lesser recommender is without: columns of experts by name, and what is silent (`ranking.silence`)."""

    columns: Collection[str] = ()
    silent: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class _AllTested(Tested):
    """A test, and those of the lesser recommenders."""

    lesser: tuple[Tested, ...]


class AblatedRecommender(Recommender):
    """Recommends as the whole, and tests and teaches the lesser ones with it; they keep no state.

    Parameters
    ----------
    experts
        See Recommender.
    lacks
        What the lesser ones are without, by names. Their ranks follow those of the `scorers` of the whole, in order.
    """

    def __init__(self, experts: Sequence[Expert], lacks: Mapping[str, Lack]) -> None:
        shared = [_Shared(expert) for expert in experts]
        super().__init__(shared)
        self._lesser = [Recommender(_all_but(shared, lack.columns), lack.silent) for lack in lacks.values()]
        self.scorers = (*self.scorers, *(WITHOUT + name for name in lacks))

    def test(self, events: Events, queries: Queries) -> Tested:
        """See Recommender."""
        tested = super().test(events, queries)
        lesser = tuple(recommender.test(events, queries) for recommender in self._lesser)
        ranks = np.column_stack([tested.ranks, *(one.ranks[:, -1] for one in lesser)])
        return _AllTested(events, tested.scored, tested.targets, ranks, lesser)

    def learn(self, tested: Tested) -> None:
        """See Recommender."""
        assert isinstance(tested, _AllTested)
        for recommender, one in zip(self._lesser, tested.lesser, strict=True):
            recommender.learn(one)
        super().learn(tested)

    def forget_items(self, dead: Mask) -> None:
        """See Recommender."""
        for recommender in self._lesser:
            recommender.forget_items(dead)
        super().forget_items(dead)

    def forget_users(self, dead: Mask) -> None:
        """See Recommender."""
        for recommender in self._lesser:
            recommender.forget_users(dead)
        super().forget_users(dead)


def _all_but(shared: Sequence["_Shared"], columns: Collection[str]) -> list[Expert]:
    kept = [[place for place, column in enumerate(expert.columns) if column.name not in columns] for expert in shared]
    return [_Heard(expert, np.array(places)) for expert, places in zip(shared, kept, strict=True) if places]


class _Shared(Wrapped):
    """An expert whose reading of the same queries is made once."""

    def __init__(self, expert: Expert) -> None:
        super().__init__(expert)
        self._read: tuple[Queries, _Remembered] | None = None

    def read(self, queries: Queries) -> Reading:
        """See Expert."""
        if self._read is None or self._read[0] is not queries:
            self._read = (queries, _Remembered(super().read(queries)))
        return self._read[1]


class _Heard(Wrapped):
    """Some columns of an expert that somebody else teaches."""

    def __init__(self, expert: Expert, places: Places) -> None:
        super().__init__(expert)
        self.columns = tuple(expert.columns[place] for place in places)
        self._places = places

    def read(self, queries: Queries) -> Reading:
        """See Expert."""
        reading, whole = super().read(queries), len(self._places) == len(self._expert.columns)
        return reading if whole else _Part(reading, self._places)

    def learn(self, events: Events) -> None:
        """Leave it to the teacher."""

    def stock(self, rows: Rows, items: Sequence[Item]) -> None:
        """Leave it to the teacher."""

    def forget_items(self, dead: Mask) -> None:
        """Leave it to the teacher."""

    def forget_users(self, dead: Mask) -> None:
        """Leave it to the teacher."""

    def state(self) -> State:
        """Give nothing: it is the teacher's."""
        return {}

    def restore(self, state: State) -> None:
        """Take nothing back."""


class _Remembered(Reading):
    """A reading that answers once what is asked often."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._proposals: Rows | None = None

    def propose(self) -> Rows:
        """See Reading."""
        if self._proposals is None:
            self._proposals = self._reading.propose()
        return self._proposals

    def score(self, candidates: Rows) -> Floats:
        """See Reading."""
        return self._reading.score(candidates)

    def mass(self) -> Floats | None:
        """See Reading."""
        return self._reading.mass()

    def pairs(self, candidates: Rows, likely: Floats) -> Floats | None:
        """See Reading."""
        return self._reading.pairs(candidates, likely)

    def because(self, queries: Rows, columns: Rows, items: Rows) -> Rows:
        """See Reading."""
        return self._reading.because(queries, columns, items)


class _Part(Reading):
    """The columns of a reading at some places."""

    def __init__(self, reading: Reading, places: Places) -> None:
        self._reading = reading
        self._places = places

    def propose(self) -> Rows:
        """See Reading."""
        return self._reading.propose()[:, self._places]

    def score(self, candidates: Rows) -> Floats:
        """See Reading."""
        return self._reading.score(candidates)[:, :, self._places]

    def mass(self) -> Floats | None:
        """See Reading."""
        mass = self._reading.mass()
        return None if mass is None else mass[:, self._places]

    def pairs(self, candidates: Rows, likely: Floats) -> Floats | None:
        """See Reading."""
        return self._reading.pairs(candidates, likely)

    def because(self, queries: Rows, columns: Rows, items: Rows) -> Rows:
        """See Reading."""
        return self._reading.because(queries, self._places[columns].astype(np.int32), items)
