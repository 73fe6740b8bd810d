"""Events a second of the full loop against the bare loop, in turns, on one broker.

The recommender is warmed up first: its young days, in which each event is learned alone, are no steady state. Warm-up
records carry a timestamp of hours ago, so that with `publish.max_age` they are learned and no list is made for them.
Then, in each round, a chunk of the stream is there all at once for one loop and then for the other; the one that has
nothing to do waits in its poll.
"""

import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from kafka.structs import TopicPartition

from benchmarks.bench import BareLoop, Feed, Messages
from benchmarks.report import Rounds
from consumers.child import Child
from consumers.durations import Duration
from consumers.figures import FINAL_LIST, Figures
from consumers.settings import Application, Input, Kafka, Metrics, Publish, Settings, State
from stream.topics import ensure_topics

_OLD_MS = 4 * 3_600_000
_MAX_AGE = Duration.parse("1h")
_SAMPLES = 2_000


@dataclass(frozen=True, slots=True)
class Plan:
    """How many events warm up, how many a round has, and how many rounds there are."""

    warm_up: int
    chunk: int
    rounds: int

    @property
    def events(self) -> int:
        """All together."""
        return self.warm_up + self.chunk * self.rounds


@dataclass(frozen=True, slots=True)
class Throughput:
    """Events a second by round, and the recommender's own figures at the end."""

    full: Rounds
    bare: Rounds
    figures: Figures

    @property
    def ndcg(self) -> float:
        """Prequential NDCG@10 of the final list over all events of users met before."""
        return self.figures.prequential()[FINAL_LIST][1]


def task_settings(bootstrap: str, name: str, folder: Path, base: Settings, *, share: float, coalesce: bool) -> Settings:
    """Return the settings of one task of the benchmark, with topics of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return base.model_copy(
        update={
            "application": Application(name=name),
            "kafka": Kafka(bootstrap=bootstrap),
            "state": State(dir=folder / name),
            "metrics": Metrics(port=port),
            "input": Input(topic=f"{name}-in"),
            "publish": Publish(topic=f"{name}-out", max_age=_MAX_AGE, coalesce=coalesce),
            "models": base.models.model_copy(update={"training_share": share}),
        }
    )


def throughput(
    settings: Settings, messages: Messages, plan: Plan, folder: Path, say: Callable[[str], None]
) -> Throughput:
    """Measure `plan` on the broker of `settings`, which are those of `task_settings`."""
    connection, name = settings.kafka.connection(), settings.application.name
    ensure_topics(connection, settings.topics())
    feed = Feed(connection, name)
    source, bare_name = settings.input.topic, f"{name}-bare"
    feed.make_topics(f"{bare_name}-in", f"{bare_name}-out")
    full, bare = list[float](), list[float]()
    with ExitStack() as stack:
        stack.callback(feed.close)
        child = stack.enter_context(Child(settings, folder))
        say(f"{name}: warming up with {plan.warm_up:,} events")
        feed.put(source, messages.part(0, plan.warm_up), time.time_ns() // 1_000_000 - _OLD_MS)
        feed.wait(source, name)
        loop: BareLoop | None = None
        for number in range(plan.rounds):
            chunk = messages.part(first := plan.warm_up + number * plan.chunk, first + plan.chunk)
            full.append(_rate(feed, source, name, chunk))
            loop = loop or stack.enter_context(BareLoop(settings.kafka.bootstrap, bare_name, folder, sample(settings)))
            bare.append(_rate(feed, loop.source, loop.source, chunk))
            say(f"{name}: round {number + 1}: {full[-1]:,.0f} events/s, bare {bare[-1]:,.0f}")
        return Throughput(Rounds.of(full), Rounds.of(bare), child.figures() or Figures())


def _rate(feed: Feed, topic: str, group: str, chunk: list[tuple[bytes, bytes]]) -> float:
    """Events a second of one round."""
    seen_s = feed.put(topic, chunk)
    return len(chunk) / (feed.wait(topic, group) - seen_s)


def sample(settings: Settings) -> list[bytes]:
    """Return lists that were sent."""
    consumer = settings.kafka.connection().consumer()
    try:
        consumer.assign([TopicPartition(settings.publish.topic, 0)])
        consumer.seek_to_beginning()
        bodies: list[bytes] = []
        while len(bodies) < _SAMPLES and (polled := consumer.poll(timeout_ms=1_000)):
            bodies += [record.value for records in polled.values() for record in records if record.value]
        return bodies[:_SAMPLES]
    finally:
        consumer.close()
