"""Reading exactly what a range of offsets holds: for recovery, and for the journal.

Offsets of a log are not dense: transaction markers and aborted records take offsets and are never seen. So a range has
been read when its last record has come or the client's position has passed its end.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import takewhile

from kafka import KafkaConsumer
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import OffsetOutOfRangeError
from kafka.structs import TopicPartition as KafkaPartition

from stream.errors import LogUnavailableError
from stream.kafka_clients import Connection
from stream.log import Record, TopicPartition, left_the_log

_POLL_MS = 200
_SILENCE_S = 30.0  # a broker that has the records sends some within milliseconds


def as_record(record: ConsumerRecord) -> Record:
    """Return what the client gives as a record of ours."""
    headers = tuple(record.headers)
    return Record(record.topic, record.partition, record.offset, record.timestamp, record.key, record.value, headers)


class RangeReader:
    """A consumer of its own that reads ranges; cheap when each range begins where the last one ended.

    Parameters
    ----------
    connection
        Where the broker is.
    sources
        All partitions that ranges may name.
    stay
        Called between requests; the place to keep a lease alive.
    """

    def __init__(self, connection: Connection, sources: Sequence[TopicPartition], stay: Callable[[], None]) -> None:
        self._connection = connection
        self._stay = stay
        self._partitions = {source: KafkaPartition(*source) for source in sources}
        self._buffers: dict[TopicPartition, deque[Record]] = {source: deque() for source in sources}
        self._next: dict[TopicPartition, int] = {}
        self._consumer: KafkaConsumer = connection.consumer()
        self._consumer.assign(list(self._partitions.values()))
        for partition in self._partitions.values():
            self._consumer.seek(partition, 0)  # the client wants a position before it lets a partition pause
        self._consumer.pause(*self._partitions.values())

    def read(self, ranges: Mapping[TopicPartition, tuple[int, int]]) -> list[Record]:
        """Return all committed records in `ranges`, partition by partition in order.

        Raises
        ------
        RecoveryError
            When the log no longer holds the start of a range.
        LogUnavailableError
            When the broker sends nothing for a long time.
        """
        wanted = {source: ends for source, ends in sorted(ranges.items()) if ends[0] < ends[1]}
        for source, (start, _) in wanted.items():
            if self._next.get(source) != start:
                self._seek(source, start)
        with self._connection.reaching():
            self._fill(wanted)
        records: list[Record] = []
        for source, (_, end) in wanted.items():
            records += self._taken(source, end)
            self._next[source] = end
        return records

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()

    def _seek(self, source: TopicPartition, start: int) -> None:
        partition = self._partitions[source]
        with self._connection.reaching():
            earliest = self._consumer.beginning_offsets([partition])[partition]
        if start < earliest:
            raise left_the_log(source, start)
        self._consumer.seek(partition, start)
        self._buffers[source].clear()

    def _fill(self, wanted: Mapping[TopicPartition, tuple[int, int]]) -> None:
        heard = time.monotonic()
        while unread := [source for source, (_, end) in wanted.items() if not self._has_read(source, end)]:
            unread_partitions = [self._partitions[source] for source in unread]
            self._consumer.pause(*(p for p in self._partitions.values() if p not in unread_partitions))
            self._consumer.resume(*unread_partitions)
            before = [self._consumer.position(partition) for partition in unread_partitions]
            arrived = self._poll(unread[0])
            if arrived or before != [self._consumer.position(partition) for partition in unread_partitions]:
                heard = time.monotonic()
            elif time.monotonic() - heard > _SILENCE_S:
                message = f"The broker has sent nothing of {unread[0].topic} for {_SILENCE_S:g} s: see its log."
                raise LogUnavailableError(message)
            self._stay()

    def _poll(self, source: TopicPartition) -> int:
        try:
            batches = self._consumer.poll(timeout_ms=_POLL_MS)
        except OffsetOutOfRangeError as error:
            raise left_the_log(source, self._next.get(source, 0)) from error
        for partition, records in batches.items():
            self._buffers[TopicPartition(*partition)].extend(map(as_record, records))
        return len(batches)

    def _has_read(self, source: TopicPartition, end: int) -> bool:
        buffer = self._buffers[source]
        return bool(buffer and buffer[-1].offset >= end - 1) or self._consumer.position(self._partitions[source]) >= end

    def _taken(self, source: TopicPartition, end: int) -> list[Record]:
        buffer = self._buffers[source]
        taken = list(takewhile(lambda record: record.offset < end, buffer))
        for _ in taken:
            buffer.popleft()
        return taken


def records_between(reader: RangeReader, source: TopicPartition, start: int, end: int, step: int) -> Iterator[Record]:
    """Yield the committed records of one partition in ``[start, end)``, `step` offsets at a time."""
    for first in range(start, end, step):
        yield from reader.read({source: (first, min(first + step, end))})
