"""The order of batches and the decisions made: one record for each transaction.

Whoever reads the journal from a snapshot on and feeds the same records with the same decisions to the pipeline has the
same state as the leader that wrote it. So a record says which offsets the batch covers and what was decided by the
clock, and nothing that the input log itself tells.

Readers ignore unknown fields; another major version is refused.
"""

from typing import Any

import msgspec

from stream.errors import RecoveryError
from stream.log import Ranges, TopicPartition

SCHEMA = "springtide.journal/1"


class Covered(msgspec.Struct, frozen=True, array_like=True):
    """Offsets ``[start, end)`` of one partition."""

    topic: str
    partition: int
    start: int
    end: int


class JournalRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction of a task.

    Parameters
    ----------
    application
        Who wrote it.
    epoch
        Counts the lives of the task's state: a rebuild from scratch begins a new one.
    sequence
        Number of the batch in its epoch, from 0 on, without gaps.
    covered
        What the batch has read, sorted by topic and partition; the next record goes on where this one ends.
    decisions
        What the pipeline needs besides the records, as plain values.
    before
        What was decided of the batch before this one, where that turned out only when it was committed: a model raised
        while it was learned. It holds in place of what the batch's own record says.
    checkpoint
        SHA-256 of the checkpoint that the models began with; only in the first record of an epoch.
    records
        How many records the batch held; None where it was not noted. Who finds fewer has another log.
    settings
        Hash of the settings that decide what the batch teaches; None where it was not noted.
    milestone
        Number of events and checksum of the newest milestone (`models.recommender`) that was met before the batch was
        learned; None where there was none yet. Who has followed and has another one has learned something else.
    """

    application: str
    epoch: int
    sequence: int
    covered: tuple[Covered, ...]
    decisions: dict[str, Any]
    before: dict[str, Any] | None = None
    checkpoint: str | None = None
    records: int | None = None
    settings: str | None = None
    milestone: tuple[int, int] | None = None
    schema: str = SCHEMA

    @property
    def ranges(self) -> Ranges:
        """What the batch has read, by partition."""
        return {TopicPartition(c.topic, c.partition): (c.start, c.end) for c in self.covered}


def covered(ranges: Ranges) -> tuple[Covered, ...]:
    """Return ranges as a journal record holds them."""
    return tuple(Covered(source.topic, source.partition, *ranges[source]) for source in sorted(ranges))


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(JournalRecord)


def encode(record: JournalRecord) -> bytes:
    """Return the record as JSON in UTF-8."""
    return _encoder.encode(record)


def decode(value: bytes) -> JournalRecord:
    """Read a record.

    Raises
    ------
    RecoveryError
        When it is none, or of another major version.
    """
    try:
        record = _decoder.decode(value)
    except msgspec.DecodeError as error:
        message = f"The journal holds something that is no journal record ({error}): check that the topic is its own."
        raise RecoveryError(message) from error
    if record.schema != SCHEMA:
        message = (
            f"The journal is written as {record.schema}, and this version reads {SCHEMA}: use the one that wrote it."
        )
        raise RecoveryError(message)
    return record
