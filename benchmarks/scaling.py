"""Cost and memory against size: pairs of states that differ in how many users there are, or users and items.

A state is filled through the pipeline itself, every user and every item met equally often, and who meets what left to
chance. While it is filled nothing is scored, which would take hours and leaves no trace, and hardly anything is
trained; River's entries are put in as a snapshot would. Then all models answer, test and learn the same kind of batch
in both states of a pair, in turns.

Longer windows, and items that are better known, cost more however few there are. So windows are equally long in both
states of a pair, and as much is known of an item: with the users the items grow, or else they are so few that they are
known as well as the bounds of the tables allow.
"""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.report import Rounds
from consumers.pipeline import Decisions, Pipeline
from consumers.serving.apart import Apart
from consumers.settings import Models, Settings, Windows
from models.base import Events, Expert, Queries
from models.experts.factorization import FactorizationExpert
from models.families import experts
from models.ranking.context import WIDTH
from models.recommender import Recommender, Scored, Tested
from stream.events import Decoded, Interaction
from stream.log import Record

_BEGIN_MS = 1_767_225_600_000
_STEP_MS = 200
BEST_KNOWN = 100
"""So few items that all are known as well as can be, when there are 10,000 users."""

_EACH = 3  # events of the more numerous, users or items
_FILL = 4_096
_BATCH = 512  # few against 10,000, so that what is measured makes no window longer
_ROUNDS = 7
_PATIENCE_S = 600.0
_FILLED_SHARE = 0.002
_SHARE = 0.05
_SILENT = Decisions(publish_after_ms=2**62, training_share=_FILLED_SHARE)
_LOUD = Decisions(training_share=_SHARE)


class _Filled(Recommender):
    """Learns without being tested while it is filled, in large steps."""

    def __init__(self, some: list[Expert]) -> None:
        super().__init__(some)
        self.filling = True
        self.events_learned = 2**40  # no young days

    def test(self, events: Events, queries: Queries) -> Tested:
        """See Recommender."""
        if not self.filling:
            return super().test(events, queries)
        none = np.zeros((len(events), 0), np.float32)
        nobody = np.zeros(0, np.int32)
        scored = Scored(queries, (), none, nobody, none, none, none, none, none, none, none)  # type: ignore[arg-type]
        return Tested(events, scored, nobody, np.zeros((len(events), len(self.scorers)), np.int32))

    def learn(self, tested: Tested) -> None:
        """See Recommender."""
        if not self.filling:
            super().learn(tested)
            return
        events = tested.events
        for expert in self._experts:
            expert.learn(events)
        self._items.learn(events)
        self._gaps.learn(events)
        self._kinds.learn(events)
        none, width = np.zeros(len(events), np.int32), len(self._ranker.state()["weights"])
        nothing = np.zeros((len(events), 1, width), np.float32)
        x = np.zeros((len(events), WIDTH), np.float32)
        self._ranker.learn(nothing, none, x, events.before.users, none - 1, events.weights)  # rows for the users
        offered, foreseen = events.items[:, None], np.ones((len(events), 1), np.float32)
        self._residuals.learn(offered, none + 1, foreseen, none, events.weights)  # and for the items


@dataclass(slots=True)
class Filled:
    """A pipeline that knows so many users and items, and what comes next in its stream."""

    pipeline: Pipeline
    user_turns: Iterator[int]
    item_turns: Iterator[int]
    events: int = 0

    @classmethod
    def of(cls, users: int, items: int) -> "Filled":
        """Fill a new one."""
        settings = Settings(
            windows=Windows(users=users + _BATCH), models=Models(items=items + _BATCH, micro_batch=_FILL)
        )
        recommender = _Filled(experts(settings.models.seed, settings.network.config()))
        filled = cls(Pipeline(settings, recommender=recommender), _in_turns(users, seed=1), _in_turns(items, seed=2))
        events = _EACH * max(users, items)
        for first in range(0, events, _FILL):
            filled.step(min(_FILL, events - first), _SILENT)
        _enter_river(recommender, users, items)
        last = np.array([users - 1], np.int32)
        filled.pipeline._published.publish(last, last[:, None], np.zeros(1, np.int64))  # rows for everybody's list
        recommender.filling = False
        filled.pipeline._micro_batch = Settings().models.micro_batch
        for _ in range(3):
            filled.step(_BATCH, _LOUD)
        return filled

    def step(self, count: int, decisions: Decisions) -> tuple[float, float]:
        """Answer and learn the next `count` events; return the seconds that each took."""
        batch = list(self._events(count))
        started_s = time.perf_counter()
        self.pipeline.recommend(batch, decisions)
        answered_s = time.perf_counter()
        self.pipeline.learn()
        return answered_s - started_s, time.perf_counter() - answered_s

    def _events(self, count: int) -> Iterator[Decoded]:
        for number in range(self.events, self.events + count):
            time_ms = _BEGIN_MS + number * _STEP_MS
            event = Interaction(
                f"made-{number}", f"user-{next(self.user_turns)}", f"item-{next(self.item_turns)}", time_ms
            )
            yield Decoded(Record("made", 0, number, time_ms, None, None), (event,), None, time_ms)
        self.events += count


def _in_turns(count: int, seed: int) -> Iterator[int]:
    """Everybody once, in an order left to chance, again and again."""
    dice = np.random.default_rng(seed)
    while True:
        yield from dice.permutation(count).tolist()


def _enter_river(recommender: _Filled, users: int, items: int) -> None:
    """Give every user and item a row in River's tables."""
    expert = next(one for one in recommender._experts if isinstance(one, FactorizationExpert))
    state = expert.state()
    for table, rows in (("users", users), ("items", items)):
        state[f"{table}.rows"] = np.arange(rows, dtype=np.int32)
        state[f"{table}.vectors"] = np.full((rows, state["items.vectors"].shape[1]), 0.01, np.float32)
    expert.restore(state)


@dataclass(frozen=True, slots=True)
class Compared:
    """What it costs that there are more users, or users and items."""

    lists: Rounds  # cost of a list, over that where there are few
    events: Rounds  # the same of a whole event
    bytes_each: dict[str, float]  # more for each user, or user and item, by part
    pause_s: Rounds  # for a snapshot of the larger state


def compared(small: int, large: int, items: int | None = None) -> Compared:
    """Fill and compare states of `small` and `large` users, and of so many items, or of as many as users."""
    few, many = Filled.of(small, items or small), Filled.of(large, items or large)
    lists, events = [], []
    for _ in range(_ROUNDS):
        one, other = few.step(_BATCH, _LOUD), many.step(_BATCH, _LOUD)
        lists.append(other[0] / one[0])
        events.append(sum(other) / sum(one))
    before, after = _sizes(few), _sizes(many)
    each = {name: (after[name] - before[name]) / (large - small) for name in after}
    return Compared(Rounds.of(lists), Rounds.of(events), each, _snapshot_pause_s(many))


def _snapshot_pause_s(filled: Filled) -> Rounds:
    """How long the loop stands still for a snapshot: until there is a copy of the process that will write it."""
    pauses = []
    for _ in range(3):
        started_s = time.perf_counter()
        apart = Apart(lambda: b"%d" % sum(array.nbytes for array in filled.pipeline.state().values()))
        pauses.append(time.perf_counter() - started_s)
        apart.result(_PATIENCE_S)
    return Rounds.of(pauses)


def _sizes(filled: Filled) -> dict[str, int]:
    """Bytes of each part of a pipeline, as allocated: arrays with their room to grow, dictionaries and strings."""
    parts: dict[str, object] = dict(filled.pipeline._parts())
    recommender = parts.pop("recommender")
    assert isinstance(recommender, Recommender)
    parts |= {"mixture": recommender._mixture, "ranker": recommender._ranker, "item statistics": recommender._items}
    parts |= {"gaps": recommender._gaps, "residuals": recommender._residuals}
    parts |= {expert.name: expert for expert in recommender._experts}
    admission = parts.pop("admission")
    parts |= {"users' ids": vars(admission)["users"], "items' ids": vars(admission)["items"]}
    parts["assortment"] = parts.pop("assortment")  # knows most of the others: what is left of it comes last
    seen: set[int] = set()
    return {name: _bytes(part, seen) for name, part in parts.items()}


def _bytes(thing: object, seen: set[int]) -> int:
    """Bytes of all that hangs on `thing` and was not seen before."""
    total, waiting = 0, [thing]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, type) or callable(one):
            continue
        seen.add(id(one))
        if isinstance(one, np.ndarray):
            base = one if one.base is None else one.base
            if isinstance(base, np.ndarray) and base is not one:
                waiting.append(base)
            total += sys.getsizeof(one)
        elif isinstance(one, torch.Tensor):
            total += one.untyped_storage().nbytes()
        else:
            total += sys.getsizeof(one)
            if isinstance(one, dict):
                waiting += [*one.keys(), *one.values()]
            elif isinstance(one, list | tuple | set | frozenset):
                waiting += one
            else:
                waiting += vars(one).values() if hasattr(one, "__dict__") else ()
                waiting += [getattr(one, name) for name in getattr(one, "__slots__", ()) if hasattr(one, name)]
    return total
