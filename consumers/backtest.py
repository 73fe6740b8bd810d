"""The loop around the pipeline on a file: every event a test, then a lesson.

Protocol: global time order; each event is tested by the models as they were before its micro-batch, then learned; the
whole catalogue may be ranked; the first tenth is warm-up and not measured. An item never seen before is a miss, so
is one outside the candidates and one whose score is not a number; ties count against.

Two qualities come out. *Prequential*: the rank of the event's item on the window just before it. *Published*: its place
in the list that the user's event before it was answered with, as a subscriber has it (`measuring.subscriber`).
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from consumers.files.reading import EventBatch, by_time
from consumers.measuring.subscriber import Met, Subscriber
from consumers.measuring.variants import Variant
from consumers.pipeline import Decisions, Learned, Pipeline
from consumers.settings import Settings
from models.base import Floats, Mask, Rows
from models.measuring.ablation import WITHOUT
from models.measuring.lateness import DeferredRecommender
from models.measuring.streams import Stream
from models.metrics import Ranks
from models.network.checkpoint import Checkpoint
from stream.errors import FileFormatError
from stream.events import AT_ONCE, Decoded
from stream.log import Record

WARM_UP = 0.1
"""Share of the stream that is learned from before measuring begins."""

_FEWEST = 10


@dataclass(frozen=True, slots=True)
class Trial:
    """What one run has shown of n events, in the order in which they were learned.

    `ranks` (n, S) are prequential, by the `scorers`; `published` (n,) are the places in the lists that users had, and
    `promised` (n, k) the scores on these. The I items have `ids`, and `shown` (I,) places on all lists.
    """

    stream: Stream
    scorers: tuple[str, ...]
    ranks: Rows
    published: Ranks
    promised: Floats
    ids: Sequence[str]
    shown: npt.NDArray[np.int64]
    rejected: int
    seconds: float

    def __len__(self) -> int:
        return len(self.ranks)

    def of(self, scorer: str) -> Ranks:
        """Prequential ranks (n,) by one scorer."""
        return self.ranks[:, self.scorers.index(scorer)]

    def lesser(self) -> dict[str, Ranks]:
        """Ranks (n,) by the lists without something, by the name of that; empty where they were not asked for."""
        return {name.removeprefix(WITHOUT): self.of(name) for name in self.scorers if name.startswith(WITHOUT)}

    def measured(self) -> Mask:
        """Which events (n,) come after the warm-up."""
        after: Mask = np.arange(len(self)) >= int(len(self) * WARM_UP)
        return after


def backtest(
    settings: Settings,
    events: Iterable[EventBatch],
    *,
    batch: int,
    progress: Callable[[int], None],
    variant: Variant | None = None,
    start: Checkpoint | None = None,
    items: Sequence[Decoded] = (),
) -> Trial:
    """Run the whole pipeline over a stream.

    Parameters
    ----------
    settings
        As for a service; nothing is sent anywhere.
    events
        In any order: they are sorted by time, ties in file order.
    batch
        Events of a transaction: lists are made by models that lag at most so many events.
    progress
        Called with the number of events done since the last call.
    variant
        How the run differs from the service, if it does.
    start
        What the network begins with.
    items
        What is told of items, each when it is published; without a time, at the beginning.

    Raises
    ------
    FileFormatError
        When the stream has too few events to measure anything.
    """
    variant, parts = variant or Variant(), list(by_time(events))
    recommender = variant.recommender(settings, sum(map(len, parts)), start)
    pipeline = Pipeline(settings, recommender=recommender, start=start)
    decisions = Decisions(training_share=settings.models.training_share)
    subscriber, record = Subscriber(settings.events.policy(), settings.publish.k), _Record(pipeline)
    reasons: Counter[str] = Counter()  # of the events that are rejected
    started = time.perf_counter()
    for period in variant.periods(_told_in_time(items, _decoded(pipeline, settings, parts))):
        while records := list(islice(period, batch)):
            outputs = pipeline.recommend(records, decisions)
            reasons.update(outputs.reasons)
            record.add(pipeline.learn(), subscriber.read(records, outputs.lists))
            progress(len(records) - outputs.items)
        if isinstance(recommender, DeferredRecommender):
            recommender.catch_up()
    seconds = time.perf_counter() - started
    if len(record) < _FEWEST:
        message = (
            f"The stream has {len(record)} events to learn from{_rejection(reasons)}, too few to measure: "
            f"give it at least {_FEWEST}."
        )
        raise FileFormatError(message)
    return record.trial(subscriber.shown, reasons.total(), seconds)


class _Record:
    """Gathers what a pipeline learned; rows become numbers that are never given away again."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._users: dict[str, int] = {}
        self._items: dict[str, int] = {}
        self._parts: list[tuple[Rows, Rows, Learned, Met]] = []

    def __len__(self) -> int:
        return sum(len(met.ranks) for *_, met in self._parts)

    def add(self, learned: Learned, met: Met) -> None:
        users, items = self._pipeline.admission.users, self._pipeline.admission.items
        self._parts.append(
            (
                _numbers(self._users, [users.id_of(row) for row in learned.users.tolist()]),
                _numbers(self._items, [items.id_of(row) for row in learned.items.tolist()]),
                learned,
                met,
            )
        )

    def trial(self, shown: Mapping[str, int], rejected: int, seconds: float) -> Trial:
        users, items, learned, met = zip(*self._parts, strict=True)
        times_ms = np.concatenate([part.times_ms for part in learned])
        return Trial(
            Stream(np.concatenate(users), np.concatenate(items), times_ms),
            self._pipeline.recommender.scorers,
            np.concatenate([part.ranks for part in learned]),
            np.concatenate([part.ranks for part in met]),
            np.concatenate([part.scores for part in met]),
            tuple(self._items),
            np.array([shown.get(id_, 0) for id_ in self._items], np.int64),
            rejected,
            seconds,
        )


def _numbers(known: dict[str, int], ids: Sequence[str]) -> Rows:
    return np.array([known.setdefault(id_, len(known)) for id_ in ids], np.int32)


def _decoded(pipeline: Pipeline, settings: Settings, events: Iterable[EventBatch]) -> Iterator[Decoded]:
    """Encode events as messages and decode them again: the same path as from Kafka."""
    names, topic = settings.input.fields.field_map(), settings.input.topic
    offset = 0
    for part in events:
        for value, time_ms in zip(part.messages(names), part.times_ms.tolist(), strict=True):
            yield pipeline.decoder.decode(Record(topic, 0, offset, time_ms, None, value))
            offset += 1


def _told_in_time(items: Sequence[Decoded], events: Iterable[Decoded]) -> Iterator[Decoded]:
    """Mix what is told of items into a stream, before the first event that is not older."""
    waiting = deque(sorted(items, key=_published_ms))
    for event in events:
        while waiting and _published_ms(waiting[0]) <= event.time_ms:
            yield waiting.popleft()
        yield event


def _published_ms(told: Decoded) -> int:
    return AT_ONCE if told.item is None or told.item.published_ms is None else told.item.published_ms


def _rejection(reasons: Counter[str]) -> str:
    """Say how many events were rejected, and for what most often; nothing where none were."""
    return f" ({reasons.total():,} were rejected, most often as {reasons.most_common(1)[0][0]})" if reasons else ""
