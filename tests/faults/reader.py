"""A subscriber that reads the committed records of all that a task writes, while things go wrong."""

import threading
from collections.abc import Callable, Sequence

from kafka.structs import TopicPartition as KafkaPartition

from stream import journal
from stream.kafka_clients import Connection
from stream.kafka_reader import as_record
from stream.log import Offsets, Record
from stream.topics import TaskTopics


class Reader:
    """Reads output, dead letters and journal in a thread of its own until `close`."""

    def __init__(self, connection: Connection, topics: TaskTopics) -> None:
        self._consumer = connection.consumer()
        self._partitions = [
            KafkaPartition(spec.name, number)
            for spec in (topics.output, topics.dead_letters, topics.journal)
            for number in range(spec.partitions)
        ]
        self._consumer.assign(self._partitions)
        self._consumer.seek_to_beginning()
        self._topics = topics
        self._records: list[Record] = []
        self._covered: Offsets = {}
        self._changed = threading.Condition()
        self._ends: dict[KafkaPartition, int] | None = None  # once set: read up to these, and end
        self._thread = threading.Thread(target=self._read, name="reader", daemon=True)
        self._thread.start()

    def records(self, *topics: str) -> list[Record]:
        """Return what has been read so far of some topics, in the order in which it came."""
        with self._changed:
            return [record for record in self._records if record.topic in topics]

    def journal(self) -> list[journal.JournalRecord]:
        """Return the journal so far."""
        return [journal.decode(record.value or b"") for record in self.records(self._topics.journal.name)]

    def covered(self) -> Offsets:
        """Return how far the journal has come."""
        with self._changed:
            return dict(self._covered)

    def wait(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until something is true that depends on what was read."""
        with self._changed:
            return self._changed.wait_for(done, timeout_s)

    def finish(self) -> Sequence[Record]:
        """Read everything that was committed until now, and end; return all that was ever read."""
        if self._ends is None:
            admin = Connection(self._consumer.config["bootstrap_servers"][0]).consumer()
            self._ends = admin.end_offsets(self._partitions)
            admin.close()
        self._thread.join()
        return self._records

    def _read(self) -> None:
        while self._ends is None or any(self._consumer.position(p) < end for p, end in self._ends.items()):
            batches = self._consumer.poll(timeout_ms=100)
            if batches:
                with self._changed:
                    for read in batches.values():
                        self._take([as_record(record) for record in read])
                    self._changed.notify_all()
        self._consumer.close()

    def _take(self, records: list[Record]) -> None:
        self._records += records
        if records[0].topic == self._topics.journal.name:
            for record in records:
                ranges = journal.decode(record.value or b"").ranges
                self._covered.update({source: end for source, (_, end) in ranges.items()})
