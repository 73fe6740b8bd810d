"""The log in memory, with the faults of a real one on demand.

`MemoryBroker` is what survives a process: records, journal, committed offsets and the lease. Any number of `MemoryLog`
may share one, as processes share a Kafka. Its commits can be told to fail in each way in which a real one does, so
that recovery is tested without waiting for a broker to break.
"""

# ruff: noqa: D102  # what each method of MemoryLog promises stands in stream.log.Log

import threading
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from enum import Enum, auto

from stream.errors import CommitInDoubtError, LeaseLostError
from stream.log import Headers, JournalEntry, Log, Offsets, OutputRecord, Ranges, Record, TopicPartition, left_the_log

_WAIT_S = 0.02


class Fault(Enum):
    """What goes wrong with one commit."""

    ABORTED = auto()
    """Nothing is written, and the writer is left in doubt."""
    UNCONFIRMED = auto()
    """Everything is written, and the writer is left in doubt."""
    CRASH_BEFORE = auto()
    """The process dies before anything is written."""
    CRASH_AFTER = auto()
    """The process dies after everything is written."""


class CrashedError(BaseException):
    """The process is dead: nothing of it may run on, which is why no ``except Exception`` catches this."""


class MemoryBroker:
    """What all logs of one task share.

    Parameters
    ----------
    topic
        The input topic.
    partitions
        Its number of partitions.
    more
        Other input topics, with as many.
    """

    def __init__(self, topic: str, partitions: int, *more: str) -> None:
        self.sources = sorted(TopicPartition(name, number) for name in (topic, *more) for number in range(partitions))
        self.faults: deque[Fault | None] = deque()
        """What happens to the next commits, one after the other; then all succeed."""
        self.committed: Offsets = {}
        self.journal: list[bytes] = []
        self.leader: MemoryLog | None = None
        self.changed = threading.Condition()
        self._records: dict[TopicPartition, list[Record | None]] = {source: [] for source in self.sources}
        self._starts: Offsets = dict.fromkeys(self.sources, 0)

    def append(
        self,
        source: TopicPartition,
        value: bytes | None,
        key: bytes | None = None,
        timestamp_ms: int = 0,
        headers: Headers = (),
    ) -> int:
        """Write one record and return its offset."""
        with self.changed:
            records = self._records.setdefault(source, [])
            records.append(Record(*source, len(records), timestamp_ms, key, value, headers))
            self.changed.notify_all()
            return len(records) - 1

    def write(self, outputs: Sequence[OutputRecord], journal: bytes, offsets: Mapping[TopicPartition, int]) -> int:
        """Write a whole transaction and return its journal offset."""
        with self.changed:
            for output in outputs:
                target = TopicPartition(output.topic, output.partition)
                self.append(target, output.value, output.key, output.timestamp_ms or 0, output.headers)
            self.journal.append(journal)
            self.committed.update(offsets)
            self.changed.notify_all()
            return len(self.journal) - 1

    def records(self, topic: str) -> list[Record]:
        """Return all records of a topic, partition by partition."""
        sources = [source for source in sorted(self._records) if source.topic == topic]
        return [record for source in sources for record in self._records[source] if record is not None]

    def expire(self, source: TopicPartition, start: int) -> None:
        """Let all records before offset `start` leave the log, as retention does."""
        self._starts[source] = start

    def compact(self, source: TopicPartition) -> None:
        """Let all records go whose key a later one has, as compaction does; what stays keeps its offset."""
        newest = {record.key: record.offset for record in self._records[source] if record is not None}
        self._records[source] = [
            record if record is not None and newest[record.key] == record.offset else None
            for record in self._records[source]
        ]

    def expire_lease(self) -> None:
        """Take the lease from whoever holds it, as the session timeout does."""
        with self.changed:
            self.leader = None
            self.changed.notify_all()

    def bounds(self) -> Ranges:
        """[earliest offset held, end) of each input partition."""
        return {source: (self._starts[source], len(self._records[source])) for source in self.sources}

    def between(self, source: TopicPartition, start: int, end: int) -> list[Record]:
        """Return the records of a range; RecoveryError where some have left."""
        if start < self._starts[source]:
            raise left_the_log(source, start)
        return [record for record in self._records[source][start:end] if record is not None]


class MemoryLog(Log):
    """One process's view of a `MemoryBroker`."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker
        self._positions: Offsets = {}

    def inputs(self) -> Sequence[TopicPartition]:
        return self._broker.sources

    def acquire(self, cancelled: Callable[[], bool]) -> bool:
        while not self._took_lease():
            if cancelled():
                return False
            with self._broker.changed:
                if self._broker.leader not in {None, self}:
                    self._broker.changed.wait(_WAIT_S)
        return True

    def committed(self) -> Offsets:
        return dict(self._broker.committed)

    def bounds(self) -> Ranges:
        return self._broker.bounds()

    def offsets_at(self, timestamp_ms: int) -> Offsets:
        return {
            source: self._first_at(source, start, end, timestamp_ms) for source, (start, end) in self.bounds().items()
        }

    def journal(self, start: int) -> Generator[JournalEntry, None, None]:
        for offset in range(start, len(self._broker.journal)):
            yield JournalEntry(offset, self._broker.journal[offset])

    def journal_bounds(self) -> tuple[int, int]:
        return 0, len(self._broker.journal)

    def read(self, ranges: Mapping[TopicPartition, tuple[int, int]]) -> list[Record]:
        wanted = {source: (start, end) for source, (start, end) in sorted(ranges.items()) if start < end}
        return [
            record for source, (start, end) in wanted.items() for record in self._broker.between(source, start, end)
        ]

    def seek(self, offsets: Mapping[TopicPartition, int]) -> None:
        self._positions.update(offsets)

    def poll(self, timeout_ms: int, paused: frozenset[TopicPartition] = frozenset()) -> list[Record]:
        self._require_lease()
        with self._broker.changed:
            if not self._waiting(paused):
                self._broker.changed.wait(timeout_ms / 1000)
            records = []
            for source in sorted(self._waiting(paused)):
                end = self.bounds()[source][1]
                records += self._broker.between(source, self._positions[source], end)
                self._positions[source] = end
            return records

    def behind(self) -> frozenset[TopicPartition]:
        return self._waiting(frozenset())

    def commit(self, outputs: Sequence[OutputRecord], journal: bytes, offsets: Mapping[TopicPartition, int]) -> int:
        self._require_lease()
        fault = self._broker.faults.popleft() if self._broker.faults else None
        if fault is Fault.CRASH_BEFORE:
            raise CrashedError
        if fault is Fault.ABORTED:
            raise CommitInDoubtError(_IN_DOUBT)
        offset = self._broker.write(outputs, journal, offsets)
        if fault is Fault.CRASH_AFTER:
            raise CrashedError
        if fault is Fault.UNCONFIRMED:
            raise CommitInDoubtError(_IN_DOUBT)
        return offset

    def close(self) -> None:
        if self._broker.leader is self:
            self._broker.expire_lease()

    def _took_lease(self) -> bool:
        with self._broker.changed:
            if self._broker.leader in {None, self}:
                self._broker.leader = self
            return self._broker.leader is self

    def _first_at(self, source: TopicPartition, start: int, end: int, timestamp_ms: int) -> int:
        records = self._broker.between(source, start, end)
        return next((record.offset for record in records if record.timestamp_ms >= timestamp_ms), end)

    def _waiting(self, paused: frozenset[TopicPartition]) -> frozenset[TopicPartition]:
        bounds = self.bounds()
        return frozenset(s for s, position in self._positions.items() if position < bounds[s][1] and s not in paused)

    def _require_lease(self) -> None:
        if self._broker.leader is not self:
            message = "The lease is lost: another process leads this task now, or this one was too slow to renew it."
            raise LeaseLostError(message)


_IN_DOUBT = "The outcome of a transaction is not known: state must be rebuilt from what is committed."
