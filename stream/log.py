"""What the pipeline needs of a log: records in, transactions out, a journal, a lease.

`kafka.KafkaLog` is the real one; `memory.MemoryLog` the one for tests. Whoever holds the lease leads the task; only the
leader's transactions commit.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import NamedTuple, Protocol

from msgspec import Struct

from stream.errors import RecoveryError


class TopicPartition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int


Offsets = dict[TopicPartition, int]
"""For each partition the next offset to read (last processed + 1)."""

Ranges = dict[TopicPartition, tuple[int, int]]
"""For each partition a half-open range of offsets [start, end)."""

Headers = tuple[tuple[str, bytes | None], ...]


class Record(Struct, frozen=True):
    """One record as the log holds it, undecoded; `timestamp_ms` is the log's own."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()

    @property
    def source(self) -> TopicPartition:
        """The partition the record stands in."""
        return TopicPartition(self.topic, self.partition)


class OutputRecord(Struct, frozen=True):
    """One record to be written; without `timestamp_ms` the log stamps it."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp_ms: int | None = None


class JournalEntry(NamedTuple):
    """One journal record and the offset it stands at."""

    offset: int
    value: bytes


def left_the_log(source: TopicPartition, start: int) -> RecoveryError:
    """Return the error for offsets that the task still needs and the log no longer holds."""
    message = (
        f"Offset {start} of {source.topic} partition {source.partition} has left the log: copy a newer snapshot into "
        "state.dir where another process of the task has one; otherwise springtide run --rebuild starts a new epoch "
        "from what the log still has."
    )
    return RecoveryError(message)


class Log(Protocol):
    """A partitioned log with transactions, as one task sees it."""

    def inputs(self) -> Sequence[TopicPartition]:
        """All input partitions of the task, sorted."""

    def acquire(self, cancelled: Callable[[], bool]) -> bool:
        """Wait for the task's lease and fence the previous leader; False when `cancelled` says so first.

        `cancelled` is called again and again while this waits. It may read the log and the journal meanwhile, for a
        second or so at a time, and what it raises is raised.
        Afterwards all that was ever committed can be read, and nothing of a transaction that was open before will be.
        To be called again after CommitInDoubtError or LeaseLostError, before anything else.
        """

    def committed(self) -> Offsets:
        """Return the committed input offsets of the task; empty before the first commit."""

    def bounds(self) -> Ranges:
        """For each input partition [earliest offset still held, next offset to be written by committed producers)."""

    def offsets_at(self, timestamp_ms: int) -> Offsets:
        """For each input partition the first offset whose record timestamp is not older."""

    def journal(self, start: int) -> Generator[JournalEntry, None, None]:
        """All journal entries from journal offset `start` to the end of today; RecoveryError when `start` has left.

        To be closed where it is not read to its end.
        """

    def journal_bounds(self) -> tuple[int, int]:
        """[earliest journal offset still held, end); offsets are not dense, the last entry may stand before end - 1."""

    def read(self, ranges: Mapping[TopicPartition, tuple[int, int]]) -> list[Record]:
        """Exactly the committed records in `ranges`, partition by partition; RecoveryError where some have left."""

    def seek(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Set where `poll` goes on."""

    def poll(self, timeout_ms: int, paused: frozenset[TopicPartition] = frozenset()) -> list[Record]:
        """Return new committed records, in offset order within each partition; keeps the lease alive.

        Raises LeaseLostError when another process leads by now.
        """

    def behind(self) -> frozenset[TopicPartition]:
        """Input partitions that hold records which `poll` has not returned yet, as far as known without asking."""

    def commit(self, outputs: Sequence[OutputRecord], journal: bytes, offsets: Mapping[TopicPartition, int]) -> int:
        """Write outputs, one journal record and the input offsets in one transaction; return the journal offset.

        Raises LeaseLostError when fenced, CommitInDoubtError when the outcome is unknown.
        """

    def close(self) -> None:
        """Leave the group cleanly, so that a successor need not wait."""
