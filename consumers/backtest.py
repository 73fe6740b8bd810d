"""The loop around the pipeline on a file: what the lists would have been worth, event by event.

Protocol: global time order; each event is tested by the models as they were before its micro-batch, then learned; the
whole catalogue may be ranked; the first tenth is warm-up and not measured. An item never seen before is a miss, so
is one outside the candidates and one whose score is not a number; ties count against.

Two qualities come out. *Prequential*: the rank of the event's item on the window just before it. *Published*: its place
in the list that was last out for that user, before the event's batch. `all` is over all measured events, `with_history`
over those of users met before; published is over the latter too, as nobody else can have a list.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from consumers.files import EventBatch, by_time
from consumers.pipeline import Decisions, Learned, Pipeline
from consumers.settings import Settings
from models.metrics import summary
from stream.errors import FileFormatError
from stream.events import Decoded
from stream.log import Record

WARM_UP = 0.1
"""Share of the stream that is learned from before measuring begins."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a backtest found; `figures` is what ``--json`` writes."""

    figures: dict[str, Any]

    def rows(self) -> Iterator[tuple[str, dict[str, float]]]:
        """Scorers and their figures with history: list, mixture, the experts from the best on, published."""
        figures = self.figures
        yield "list", figures["with_history"]
        yield "mixture", figures["mixture"]["with_history"]
        by_gain = sorted(figures["experts"].items(), key=lambda item: -item[1]["with_history"]["ndcg@10"])
        for name, of_expert in by_gain:
            yield name, of_expert["with_history"]
        yield "published", figures["published"]


def backtest(
    settings: Settings, events: Iterable[EventBatch], *, batch: int, progress: Callable[[int], None]
) -> Report:
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

    Raises
    ------
    FileFormatError
        When the stream has too few events to measure anything.
    """
    pipeline = Pipeline(settings)
    decisions = Decisions(training_share=settings.models.training_share)
    decoded = _decoded(pipeline, settings, by_time(events))
    learned: list[Learned] = []
    reasons: Counter[str] = Counter()  # of the events that are rejected
    started = time.perf_counter()
    while records := list(islice(decoded, batch)):
        reasons.update(pipeline.recommend(records, decisions).reasons)
        learned.append(pipeline.learn())
        progress(len(records))
    seconds = time.perf_counter() - started
    count = sum(len(part.ranks) for part in learned)
    if count < 10:
        message = (
            f"The stream has {count} events to learn from{_rejection(reasons)}, too few to measure: "
            "give it at least 10."
        )
        raise FileFormatError(message)
    figures = _figures(pipeline, learned) | {
        "rejected": reasons.total(),
        "events_per_second": count / seconds,
        "training_share": settings.models.training_share,
        "batch": batch,
        "seed": settings.models.seed,
        "settings": settings.state_changing(),
    }
    return Report(figures)


def _decoded(pipeline: Pipeline, settings: Settings, events: Iterable[EventBatch]) -> Iterator[Decoded]:
    """Encode events as messages and decode them again: the same path as from Kafka."""
    names, topic = settings.input.fields.field_map(), settings.input.topic
    offset = 0
    for part in events:
        for value, time_ms in zip(part.messages(names), part.times_ms.tolist(), strict=True):
            yield pipeline.decoder.decode(Record(topic, 0, offset, time_ms, None, value))
            offset += 1


def _rejection(reasons: Counter[str]) -> str:
    """Say how many events were rejected, and for what most often; nothing where none were."""
    return f" ({reasons.total():,} were rejected, most often as {reasons.most_common(1)[0][0]})" if reasons else ""


def _figures(pipeline: Pipeline, learned: list[Learned]) -> dict[str, Any]:
    ranks = np.concatenate([part.ranks for part in learned])
    with_history = np.concatenate([part.with_history for part in learned])
    published = np.concatenate([part.published for part in learned])
    measured = np.arange(len(ranks)) >= int(len(ranks) * WARM_UP)
    known = measured & with_history
    scorers = pipeline.recommender.scorers

    def of(scorer: str) -> dict[str, dict[str, float]]:
        column = ranks[:, scorers.index(scorer)]
        return {"all": summary(column[measured]), "with_history": summary(column[known])}

    return {
        "events": len(ranks),
        "users": int(len(ranks) - with_history.sum()),
        "items": len(pipeline.admission.items),
        **of("list"),
        "published": summary(published[known]),
        "mixture": of("mixture"),
        "experts": {name: of(name) for name in scorers if name not in {"list", "mixture"}},
    }
