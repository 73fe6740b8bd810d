"""Send a stream to the input topic, as the applications that produce events would.

Records are keyed by user, so that the partitioner keeps each user's events in order. Their timestamps are left at now:
Kafka deletes by them, and lag is measured on them; the event time is in the message. The producer is idempotent, and
what is not acknowledged yet is bounded, because kafka-python's producer has no bound of its own.

Three paces: as fast as the broker takes it, a number of events a second, or event time at a multiple of its speed.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from kafka import KafkaProducer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from consumers.files.reading import EventBatch, EventFile, by_time
from consumers.settings import Settings
from stream.kafka_clients import Connection
from stream.topics import ensure_topics

# Of every thousand records one is waited for, twenty thousand later: so many, some MB, may be unacknowledged.
_MILESTONE = 1_000
_MILESTONES_IN_FLIGHT = 20
_ACKNOWLEDGED_WITHIN_S = 30
_LAST_WORDS_S = 5
_PRODUCER = {
    "acks": "all",
    "enable_idempotence": True,
    "allow_auto_create_topics": False,
    "compression_type": "lz4",
    "linger_ms": 5,
    "batch_size": 131_072,
    "delivery_timeout_ms": 20_000,
    "max_block_ms": 10_000,
    "retry_backoff_ms": 10,
    "metrics_enabled": False,
}


@dataclass(frozen=True, slots=True)
class Pace:
    """When an event is due; without `rate` and `speed` at once.

    Parameters
    ----------
    rate
        Events a second.
    speed
        Event time runs this many times as fast as the clock.
    """

    rate: float | None = None
    speed: float | None = None

    def due_s(self, number: int, elapsed_ms: int) -> float:
        """Seconds after the start at which event `number` is due, `elapsed_ms` of event time after the first."""
        if self.rate is not None:
            return number / self.rate
        return 0.0 if self.speed is None else elapsed_ms / 1000 / self.speed


@dataclass(slots=True)
class Sent:
    """What a replay has sent so far."""

    events: int = 0
    out_of_order: int = 0  # events older than the one before them
    seconds: float = 0.0


class Replay:
    """Sends batches of events to one topic; `sent` counts while it runs.

    Parameters
    ----------
    connection, settings
        Where to; the topic, and what its fields are called.
    pace
        When each event is due.
    source
        Names the events: ``<source>:<row>`` is the id of an event without one, so that a row that is sent twice is
        noticed. None: their place in the log will be their identity.
    """

    def __init__(self, connection: Connection, settings: Settings, pace: Pace, source: str | None) -> None:
        self.sent = Sent()
        self._connection = connection
        self._topic = settings.input.topic
        self._names = settings.input.fields.field_map()
        self._pace = pace
        self._source = source
        self._stopped = threading.Event()
        self._milestones: deque[Any] = deque()
        self._failure: BaseException | None = None

    def stop(self) -> None:
        """Send no more; `send` returns when what it has sent is acknowledged. May be called from any thread."""
        self._stopped.set()

    def send(self, batches: Iterable[EventBatch], progress: Callable[[Sent], None] = lambda _: None) -> Sent:
        """Send all events and wait until the broker has them.

        Raises LogUnavailableError and LogError when it does not take them.
        """
        with self._connection.reaching():
            producer = KafkaProducer(**self._connection.settings(), **_PRODUCER)
            try:
                self._send(producer, batches, progress)
                producer.flush(_ACKNOWLEDGED_WITHIN_S)
            except KeyboardInterrupt:
                producer.flush(_LAST_WORDS_S)
                raise
            finally:
                producer.close(timeout=1)
            self._raise_failure()
        return self.sent

    def _send(self, producer: KafkaProducer, batches: Iterable[EventBatch], progress: Callable[[Sent], None]) -> None:
        start_s, first_ms, last_ms = time.monotonic(), None, 0
        for batch in batches:
            messages = batch.messages(self._names, self._source)
            for user, time_ms, message in zip(batch.users, batch.times_ms.tolist(), messages, strict=True):
                first_ms = time_ms if first_ms is None else first_ms
                due_s = start_s + self._pace.due_s(self.sent.events, time_ms - first_ms)
                while (wait_s := due_s - time.monotonic()) > 0:
                    progress(self.sent)
                    if self._stopped.wait(min(wait_s, 0.1)):
                        break
                if self._stopped.is_set():
                    return
                self._send_one(producer, user.encode(), message)
                self.sent.events += 1
                self.sent.out_of_order += time_ms < last_ms
                last_ms = time_ms
            self.sent.seconds = time.monotonic() - start_s
            progress(self.sent)

    def _send_one(self, producer: KafkaProducer, key: bytes, message: bytes) -> None:
        self._raise_failure()
        future = producer.send(self._topic, message, key).add_errback(self._failed)
        if self.sent.events % _MILESTONE == 0:
            self._milestones.append(future)
        if len(self._milestones) > _MILESTONES_IN_FLIGHT:
            self._milestones.popleft().get(_ACKNOWLEDGED_WITHIN_S)

    def _failed(self, error: BaseException) -> None:
        self._failure = error

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure


def replay_file(settings: Settings, file: EventFile, pace: Pace, *, ids: bool, sort: bool, console: Console) -> Sent:
    """Send a file with a progress bar, and say at the end what was sent.

    With `ids` an event is named after its row, so that sending the file again changes nothing; with `sort` the whole
    file is read and sorted by time first. Missing topics are made.
    """
    connection = settings.kafka.connection()
    ensure_topics(connection, settings.topics())
    replay = Replay(connection, settings, pace, file.path.name if ids else None)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(f"{file.path.name} -> {settings.input.topic}", total=1.0)

        def show(sent: Sent) -> None:
            bar.update(task, completed=file.fraction, description=f"{sent.events:,} events")

        try:
            replay.send(by_time(file) if sort else file, show)
        finally:
            bar.stop()
            sent = replay.sent
            rate = sent.events / sent.seconds if sent.seconds else 0
            console.print(f"Sent {sent.events:,} events to {settings.input.topic} ({rate:,.0f} events/s).")
    if sent.out_of_order:
        share = sent.out_of_order / sent.events
        console.print(f"{share:.1%} of them were older than the one before: --sort sends them in order of time.")
    return sent
