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
from benchmarks.latency import end_to_end, freshness, learned_by, paced
from benchmarks.report import Rounds, quantile
from consumers.commands.child import Child
from consumers.commands.figures import FINAL_LIST, Figures
from consumers.durations import Duration
from consumers.settings import Application, Input, Kafka, Metrics, Publish, Settings, State
from models.network.training import TrainingConfig
from stream.errors import SpringtideError
from stream.topics import ensure_topics

_OLD_MS = 4 * 3_600_000
_MAX_AGE = Duration.parse("1h")
_SAMPLES = 2_000
_LOOK_S = 0.05
_PATIENCE_S = 600.0
PACED_ROUNDS = 2
_STAGES = ("poll", "decode", "merge", "recommend", "learn", "commit", "snapshot")


@dataclass(frozen=True, slots=True)
class Plan:
    """How many events warm up, how many a round has, and how many rounds there are."""

    warm_up: int
    chunk: int
    rounds: int
    paced_s: float = 0.0
    """Seconds for which events come at half of the throughput, in each of two rounds; 0 leaves latency out."""

    @property
    def events(self) -> int:
        """All that come at once."""
        return self.warm_up + self.chunk * self.rounds


@dataclass(frozen=True, slots=True)
class Throughput:
    """Events a second by round, and the recommender's own figures at the end."""

    full: Rounds
    bare: Rounds
    figures: Figures
    cold_start_s: float
    stages_us: dict[str, float]
    """Microseconds of each stage for an event of the rounds; commit runs beside learn."""
    waits: dict[str, Rounds]
    """Quantiles in seconds, where latency was measured: of the full loop, the bare one, freshness, the network's."""

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
        begun_s = time.monotonic()
        child = stack.enter_context(Child(settings, folder))
        cold_start_s = time.monotonic() - begun_s
        say(f"{name}: warming up with {plan.warm_up:,} events")
        feed.put(source, messages.part(0, plan.warm_up), time.time_ns() // 1_000_000 - _OLD_MS)
        feed.wait(source, name)
        loop: BareLoop | None = None
        before = _all_learned(child, plan.warm_up)
        for number in range(plan.rounds):
            chunk = messages.part(first := plan.warm_up + number * plan.chunk, first + plan.chunk)
            full.append(_rate(feed, source, name, chunk))
            loop = loop or stack.enter_context(BareLoop(settings.kafka.bootstrap, bare_name, folder, sample(settings)))
            bare.append(_rate(feed, loop.source, loop.source, chunk))
            say(f"{name}: round {number + 1}: {full[-1]:,.0f} events/s, bare {bare[-1]:,.0f}")
        figures = _all_learned(child, plan.events)
        waits = dict[str, Rounds]()
        if plan.paced_s and loop is not None:
            rate = Rounds.of(full).middle / 2
            waits = _waits(settings, child, loop, messages, plan, rate)
            say(f"{name}: {PACED_ROUNDS} rounds at {rate:,.0f} events/s")
        return Throughput(Rounds.of(full), Rounds.of(bare), figures, cold_start_s, stages_us(before, figures), waits)


def stages_us(before: Figures, after: Figures) -> dict[str, float]:
    """Microseconds an event by stage, between two looks."""
    events = max(after.processed() - before.processed(), 1)

    def spent(stage: str) -> float:
        return sum(sign * look.total("stage_seconds_sum", stage=stage) for sign, look in ((1, after), (-1, before)))

    return {stage: round(spent(stage) / events * 1e6, 1) for stage in _STAGES}


def _waits(
    settings: Settings, child: Child, loop: BareLoop, messages: Messages, plan: Plan, rate: float
) -> dict[str, Rounds]:
    """Let events come at `rate`, to one loop and then to the other; quantiles of each round."""
    connection, found = settings.kafka.connection(), dict[str, list[float]]()
    first, count = plan.events, int(rate * plan.paced_s)
    update = TrainingConfig().batch / settings.models.training_share  # events that the network learns at once
    for _ in range(PACED_ROUNDS):
        batches = messages.batches_of(first, first + count)
        if not batches:
            break  # the stream has ended
        before = _all_learned(child, first).tested()
        sent, lists = paced(connection, settings.input.topic, settings.publish.topic, batches, rate)
        first += len(sent)
        stamps_ms, known = sorted(stamp_ms for _, stamp_ms in sent), learned_by(lists)
        in_network = [(seen_ms, int(learned - learned % update)) for seen_ms, learned in known]
        copied = paced(connection, loop.source, loop.target, batches, rate)
        for name, waits in {
            "full": end_to_end(sent, lists),
            "bare": end_to_end(*copied),
            "fresh": freshness(stamps_ms, before, known),
            "fresh_network": freshness(stamps_ms, before, in_network),
        }.items():
            for q in (0.5, 0.99) if waits else ():
                found.setdefault(f"{name}_p{q * 100:.0f}_s", []).append(quantile(waits, q))
    return {name: Rounds.of(values) for name, values in found.items()}


def _all_learned(child: Child, sent: int) -> Figures:
    """Wait until all that was `sent` is learned, which goes on after the answers are out; return the figures of then.

    Raises SpringtideError when that takes too long.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        child.check()
        figures = child.figures() or Figures()
        if figures.processed() >= sent and figures.tested() >= figures.total("events_total", outcome="accepted"):
            return figures
        time.sleep(_LOOK_S)
    message = f"The recommender had not learned {sent:,} events within {_PATIENCE_S:.0f} s."
    raise SpringtideError(message)


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
