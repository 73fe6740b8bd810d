"""What all runs on the broker share: the stream as messages, the topics, and how far a loop has come.

A chunk of the stream is written in one transaction, so that readers of committed records see all of it at one moment
and no producer competes with the loop that is measured. A loop is done with a chunk when the offsets that it has
committed for its group have reached the end.
"""

import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import numpy as np
from kafka import KafkaProducer
from kafka.structs import TopicPartition

from consumers.files.reading import EventBatch
from consumers.settings import Settings
from stream.errors import SpringtideError
from stream.guard import Guarded
from stream.kafka import PRODUCER
from stream.kafka_clients import Connection

PARTITIONS = 4

_LOOK_EVERY_S = 0.02
_WITHIN_S = 600.0


class Messages:
    """A stream as it is sent: a key and a body for each event, in order of time."""

    def __init__(self, batches: Iterable[EventBatch], settings: Settings) -> None:
        self.batches = list(batches)
        names = settings.input.fields.field_map()
        self._pairs = [
            (user.encode(), body)
            for batch in self.batches
            for user, body in zip(batch.users, batch.messages(names), strict=True)
        ]

    def __len__(self) -> int:
        return len(self._pairs)

    def batches_of(self, start: int, stop: int) -> list[EventBatch]:
        """Return the events [start, stop) as columns."""
        found, first = [], 0
        for batch in self.batches:
            own = np.arange(max(start - first, 0), min(stop - first, len(batch)))
            if len(own):
                found.append(batch.take(own))
            first += len(batch)
        return found

    def part(self, start: int, stop: int) -> list[tuple[bytes, bytes]]:
        """Return the events [start, stop)."""
        return self._pairs[start:stop]


class Feed:
    """Writes chunks to topics, and waits until a loop has dealt with them."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._admin = connection.admin()
        self._producer = KafkaProducer(**connection.settings(), **PRODUCER, transactional_id=f"{name}.feed")
        self._producer.init_transactions()
        self._ends: dict[tuple[str, int], int] = {}

    def make_topics(self, *names: str) -> None:
        """Create topics."""
        self._admin.create_topics({name: {"num_partitions": PARTITIONS, "replication_factor": 1} for name in names})

    def put(self, topic: str, pairs: Iterable[tuple[bytes, bytes]], timestamp_ms: int | None = None) -> float:
        """Write a chunk, to be seen all at once; return when that was, on the monotonic clock."""
        self._producer.begin_transaction()
        sent = [self._producer.send(topic, body, key, timestamp_ms=timestamp_ms) for key, body in pairs]
        self._producer.flush()
        for one in sent:
            written = one.get(timeout=0)
            self._ends[topic, written.partition] = written.offset + 1
        seen_s = time.monotonic()
        self._producer.commit_transaction()
        return seen_s

    def wait(self, topic: str, group: str) -> float:
        """Wait until `group` has dealt with all that was put to a topic; return when it had."""
        ends = {TopicPartition(*place): end for place, end in self._ends.items() if place[0] == topic}
        deadline = time.monotonic() + _WITHIN_S
        while True:
            found = self._admin.list_group_offsets({group: list(ends)})[group]
            now_s = time.monotonic()
            if all(place in found and found[place].offset >= end for place, end in ends.items()):
                return now_s
            if now_s > deadline:
                message = f"{group} was not done with its records within {_WITHIN_S:.0f} s."
                raise SpringtideError(message)
            time.sleep(_LOOK_EVERY_S)

    def close(self) -> None:
        """Close the clients."""
        self._producer.close(timeout=5)
        self._admin.close()


class BareLoop:
    """The yardstick as a process of its own; its group is called as its input topic."""

    def __init__(self, bootstrap: str, name: str, folder: Path, bodies: list[bytes]) -> None:
        self.source, self.target = f"{name}-in", f"{name}-out"
        self._log = folder / f"{name}.log"
        answers = folder / f"{name}.bodies"
        answers.write_bytes(msgspec.msgpack.encode(bodies))
        self._command = (sys.executable, "-m", "benchmarks.bare", bootstrap, self.source, self.target, str(answers))
        self._process: Guarded | None = None

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = Guarded(self._command, log)
        deadline = time.monotonic() + 60
        while b"ready" not in self._log.read_bytes():
            if time.monotonic() > deadline or not self._process.running():
                message = f"The bare loop did not start: {self._log.read_text(encoding='utf-8')[-500:]}"
                raise SpringtideError(message)
            time.sleep(_LOOK_EVERY_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.stop(10)
