"""The log on Apache Kafka: the clients of one task, and the order in which they are used.

1. `Lease`: a member of the task's group that holds the journal's partition. Whoever has it leads.
2. The *inputs* consumer reads all input partitions, assigned by hand, outside of any group.
3. The *producer* writes outputs, journal and offsets in one transaction. Its transactional id is the task's, so that
   a new leader's producer fences the last one's.
4. Two `RangeReader`, made when following needs them, read the journal, and again what it says was read.

After any doubt about a commit the producer is thrown away; `acquire` makes a new one and the caller rebuilds its state
from what is committed.
"""

# ruff: noqa: D102  # what each method of KafkaLog promises stands in stream.log.Log

import logging
import os
import time
from collections.abc import Callable, Generator, Mapping, Sequence

from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import (
    CommitFailedError,
    FencedInstanceIdError,
    IllegalGenerationError,
    InvalidProducerEpochError,
    KafkaError,
    OffsetOutOfRangeError,
    ProducerFencedError,
    UnknownMemberIdError,
)
from kafka.serializer import Serializer
from kafka.structs import OffsetAndMetadata
from kafka.structs import TopicPartition as KafkaPartition

from stream.dead_letters import LEFT_OUT_HEADER
from stream.errors import CommitInDoubtError, LeaseLostError, LogError
from stream.kafka_clients import Connection
from stream.kafka_headers import HeaderName
from stream.kafka_lease import SESSION_TIMEOUT_MS, Lease
from stream.kafka_reader import RangeReader, as_record, records_between
from stream.log import JournalEntry, Log, Offsets, OutputRecord, Ranges, Record, TopicPartition, left_the_log
from stream.topics import TaskTopics
from stream.watchdog import Watchdog

_log = logging.getLogger(__name__)

COMMIT_BUDGET_S = 45.0
"""Longer than the client's own limits (delivery 20 s, transaction 30 s): past it, only the watchdog is left."""

_POLL_BUDGET_S = 60.0
_JOURNAL_STEP = 10_000
_STALL_LOOK_S = 15.0
_STALL_S = 60.0
_ROOM_FOR_HEADERS = 4_096

PRODUCER = {
    "transaction_timeout_ms": 30_000,
    "delivery_timeout_ms": 20_000,
    "max_block_ms": 10_000,
    "retry_backoff_ms": 5,  # decides the latency: the broker asks for a retry after almost every transaction
    "linger_ms": 5,
    "batch_size": 131_072,
    "compression_type": "lz4",
    "metrics_enabled": False,
}

_REFUSED = (
    CommitFailedError,
    FencedInstanceIdError,
    IllegalGenerationError,
    InvalidProducerEpochError,
    ProducerFencedError,
    UnknownMemberIdError,
)

_NOTHING = b"\0nothing"


class _BytesOrNothing(Serializer):  # type: ignore[misc]  # the client has no types
    """Lets a record without key and value through, which the client refuses to send otherwise."""

    def serialize(self, topic: str, headers: object, data: bytes) -> bytes | None:
        return None if data is _NOTHING else data


class KafkaLog(Log):
    """The log of one task on Kafka.

    Parameters
    ----------
    connection
        Where the broker is.
    application
        Name of the task: its consumer group and its transactional id.
    topics
        The task's topics as they are, from `ensure_topics`.
    session_timeout_ms
        How long a silent leader keeps its lease.
    commit_budget_s
        How long one commit may take before the process is ended.
    end_process
        How the process is ended, given an exit code.

    Raises
    ------
    LogUnavailableError
        When no broker answers.
    """

    def __init__(
        self,
        connection: Connection,
        application: str,
        topics: TaskTopics,
        session_timeout_ms: int = SESSION_TIMEOUT_MS,
        commit_budget_s: float = COMMIT_BUDGET_S,
        end_process: Callable[[int], object] = os._exit,
    ) -> None:
        self._connection = connection
        self._application = application
        self._topics = topics
        self._commit_budget_s = commit_budget_s
        self._sources = sorted(
            TopicPartition(spec.name, number) for spec in topics.inputs() for number in range(spec.partitions)
        )
        self._partitions = {source: KafkaPartition(*source) for source in self._sources}
        self._journal = TopicPartition(topics.journal.name, 0)
        self._ends: Offsets = {}
        self._paused: frozenset[TopicPartition] = frozenset()
        self._producer: KafkaProducer | None = None
        self._reader: RangeReader | None = None
        self._journal_reader: RangeReader | None = None
        self._progress = time.monotonic()
        self._looked = time.monotonic()
        self._inputs: KafkaConsumer = connection.consumer()
        self._inputs.assign(list(self._partitions.values()))
        self._watchdog = Watchdog(end_process)
        self._lease = Lease(connection, application, topics.journal.name, self._watchdog, session_timeout_ms)

    def inputs(self) -> Sequence[TopicPartition]:
        return self._sources

    def acquire(self, cancelled: Callable[[], bool]) -> bool:
        self._discard_producer()
        if not self._lease.acquire(cancelled):
            return False
        with self._connection.reaching():
            self._producer = KafkaProducer(
                **self._connection.settings(),
                **PRODUCER,
                transactional_id=self._application,
                max_request_size=self._topics.dead_letters.max_message_bytes,
                value_serializer=_BytesOrNothing(),
            )
            self._producer.init_transactions()
        return True

    def committed(self) -> Offsets:
        return self._lease.committed(self._sources)

    def bounds(self) -> Ranges:
        return self._bounds(self._partitions)

    def offsets_at(self, timestamp_ms: int) -> Offsets:
        with self._connection.reaching():
            found = self._inputs.offsets_for_times(dict.fromkeys(self._partitions.values(), timestamp_ms))
            ends = self._inputs.end_offsets(list(self._partitions.values()))
        return {
            source: ends[partition] if found[partition] is None else found[partition].offset
            for source, partition in self._partitions.items()
        }

    def journal(self, start: int) -> Generator[JournalEntry, None, None]:
        _, end = self.journal_bounds()
        if self._journal_reader is None:
            self._journal_reader = RangeReader(self._connection, [self._journal], self._stay)
        for record in records_between(self._journal_reader, self._journal, start, end, _JOURNAL_STEP):
            yield JournalEntry(record.offset, record.value or b"")

    def journal_bounds(self) -> tuple[int, int]:
        return self._bounds({self._journal: KafkaPartition(*self._journal)})[self._journal]

    def read(self, ranges: Mapping[TopicPartition, tuple[int, int]]) -> list[Record]:
        if self._reader is None:
            self._reader = RangeReader(self._connection, self._sources, self._stay)
        self._stay()
        return self._reader.read(ranges)

    def seek(self, offsets: Mapping[TopicPartition, int]) -> None:
        self._discard_readers()  # whoever goes on from here has caught up
        for source, offset in offsets.items():
            self._inputs.seek(self._partitions[source], offset)
        self._ends = {source: end for source, (_, end) in self.bounds().items()}
        self._progress = self._looked = time.monotonic()

    def poll(self, timeout_ms: int, paused: frozenset[TopicPartition] = frozenset()) -> list[Record]:
        with self._watchdog.limit("A poll of the Kafka client", timeout_ms / 1000 + _POLL_BUDGET_S):
            self._lease.keep()
            self._pause(paused)
            with self._connection.reaching():
                try:
                    batches = self._inputs.poll(timeout_ms=timeout_ms)
                except OffsetOutOfRangeError as error:
                    raise left_the_log(*self._first_out_of_range()) from error
        records = [as_record(record) for batch in batches.values() for record in batch]
        self._check_progress(bool(records))
        return records

    def behind(self) -> frozenset[TopicPartition]:
        return frozenset(
            source
            for source, partition in self._partitions.items()
            if self._inputs.position(partition) < max(self._inputs.highwater(partition) or 0, self._ends.get(source, 0))
        )

    def commit(self, outputs: Sequence[OutputRecord], journal: bytes, offsets: Mapping[TopicPartition, int]) -> int:
        producer = self._producer
        if producer is None:
            message = "A commit needs the lease: acquire it first."
            raise LeaseLostError(message)
        committed = {self._partitions[source]: OffsetAndMetadata(offset, "", -1) for source, offset in offsets.items()}
        with self._watchdog.limit("A Kafka transaction", self._commit_budget_s):
            try:
                producer.begin_transaction()
                for output in outputs:
                    self._send(producer, output)
                written = producer.send(self._journal.topic, value=journal, partition=self._journal.partition)
                producer.send_offsets_to_transaction(committed, self._lease.metadata)
                producer.commit_transaction()
                return int(written.get(timeout=0).offset)
            except KafkaError as error:
                if any(isinstance(cause, _REFUSED) for cause in (error, error.__cause__, *error.args)):
                    message = (
                        "The broker has refused this transaction: the lease went to another process, or expired while "
                        "this one was too slow to renew it."
                    )
                    raise LeaseLostError(message) from error
                message = (
                    f"The outcome of a Kafka transaction is not known ({type(error).__name__}: {error}): "
                    "state must be rebuilt from what is committed."
                )
                raise CommitInDoubtError(message) from error

    def close(self) -> None:
        self._discard_producer()
        self._lease.close()
        self._inputs.close()
        self._discard_readers()
        self._watchdog.close()

    def _stay(self) -> None:
        """Keep the lease while something long is read."""
        if self._producer is not None:
            self._lease.keep()

    def _bounds(self, partitions: Mapping[TopicPartition, KafkaPartition]) -> Ranges:
        with self._connection.reaching():
            starts = self._inputs.beginning_offsets(list(partitions.values()))
            ends = self._inputs.end_offsets(list(partitions.values()))
        return {source: (starts[partition], ends[partition]) for source, partition in partitions.items()}

    def _pause(self, paused: frozenset[TopicPartition]) -> None:
        if paused != self._paused:
            self._inputs.resume(*(self._partitions[source] for source in self._paused - paused))
            self._inputs.pause(*(self._partitions[source] for source in paused - self._paused))
            self._paused = paused

    def _first_out_of_range(self) -> tuple[TopicPartition, int]:
        positions = {source: self._inputs.position(partition) for source, partition in self._partitions.items()}
        outside = [source for source, (start, _) in self.bounds().items() if positions[source] < start]
        source = outside[0] if outside else self._sources[0]
        return source, positions[source]

    def _check_progress(self, progressed: bool) -> None:
        """Raise LogError when records wait and none come: the client's recurring kind of bug is a stall."""
        now = time.monotonic()
        if progressed or self._paused:
            self._progress = now
            return
        if now - max(self._looked, self._progress) < _STALL_LOOK_S:
            return
        self._looked = now
        ends = self.bounds()
        waiting = [s for s, partition in self._partitions.items() if self._inputs.position(partition) < ends[s][1]]
        if not waiting:
            self._progress = now
        elif now - self._progress > _STALL_S:
            message = (
                f"Records wait in {waiting[0].topic} partition {waiting[0].partition} and the Kafka client has brought "
                f"none for {_STALL_S:g} s: start the process again."
            )
            raise LogError(message)

    def _send(self, producer: KafkaProducer, output: OutputRecord) -> None:
        # The client sends no header without a value; an empty one is the nearest.
        value, headers = output.value, [(HeaderName(name), data or b"") for name, data in output.headers]
        size = len(output.key or b"") + len(value or b"")
        size += sum(len(name.encode()) + len(data) for name, data in headers)
        if value is not None and size + _ROOM_FOR_HEADERS > self._topics.dead_letters.max_message_bytes:
            # A record that was compressed far better than we can: without this, one of them would stop the stream.
            headers.append((HeaderName(LEFT_OUT_HEADER), str(len(value)).encode()))
            value = None
        producer.send(
            output.topic,
            key=output.key,
            value=_NOTHING if value is None else value,
            headers=headers,
            partition=output.partition,
            timestamp_ms=output.timestamp_ms,
        )

    def _discard_readers(self) -> None:
        for reader in (self._reader, self._journal_reader):
            if reader is not None:
                reader.close()
        self._reader = self._journal_reader = None

    def _discard_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        with self._watchdog.limit("Closing the Kafka producer", self._commit_budget_s):
            try:
                producer.close(timeout=5)
            except KafkaError as error:
                _log.warning("The Kafka producer did not close cleanly (%s).", type(error).__name__)
