"""Setting the committed offsets to where the journal ends: the mend where these two disagree, and nothing is lost.

Somebody has moved the offsets of the group, or they come from a backup of another hour. The journal decides what was
learned and answered, so the state is as good as it was; only the offsets have to say the same again. If it is the
journal that has lost its end, what it no longer knows of is answered once more, under the same `rec_id`.

A group whose processes run takes no offsets from outside, so nothing can be reset under a leader.
"""

from contextlib import closing

from kafka.errors import CommitFailedError, IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError
from kafka.structs import OffsetAndMetadata
from kafka.structs import TopicPartition as KafkaPartition
from rich.console import Console

from consumers.settings import Settings
from stream import journal
from stream.errors import LogError, RecoveryError
from stream.kafka import KafkaLog
from stream.log import Log, Offsets
from stream.topics import ensure_topics

_IN_USE = (CommitFailedError, IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError)
_REBUILD = "springtide run --rebuild starts a new epoch from what the log still has"


def reset(settings: Settings, console: Console) -> None:
    """Set the committed offsets of a task to where its journal ends, and say from where to where.

    Raises
    ------
    RecoveryError
        When the journal is empty, or the input no longer holds where it ends.
    LogError
        When a process of the task is running.
    """
    connection, name = settings.kafka.connection(), settings.application.name
    topics = ensure_topics(connection, settings.topics(), create=False)
    with closing(KafkaLog(connection, name, topics)) as log:
        before, ends = log.committed(), journal_end(log)
    wanted = {KafkaPartition(*source): OffsetAndMetadata(end, "", -1) for source, end in ends.items()}
    with closing(connection.consumer(group_id=name)) as group:
        try:
            with connection.reaching():
                group.commit(wanted)
        except LogError as error:
            if not isinstance(error.__cause__, _IN_USE):
                raise
            message = f"Offsets cannot be set while the task {name} runs: stop all of its processes first."
            raise LogError(message) from error
    for source, end in sorted(ends.items()):
        console.out(f"{source.topic} {source.partition}: {before.get(source, 'none')} -> {end}", highlight=False)


def journal_end(log: Log) -> Offsets:
    """Return how far the newest epoch of the journal has come; RecoveryError where the input does not hold that."""
    epoch, ends = -1, Offsets()
    start, _ = log.journal_bounds()
    for entry in log.journal(start):
        record = journal.decode(entry.value)
        if record.epoch > epoch:
            epoch, ends = record.epoch, {}
        ends.update({source: end for source, (_, end) in record.ranges.items()})
    if not ends:
        message = f"The journal is empty, so there is nothing to set the offsets to: {_REBUILD}."
        raise RecoveryError(message)
    bounds = log.bounds()
    for source, end in ends.items():
        first, last = bounds.get(source, (0, 0))
        if not first <= end <= last:
            message = (
                f"The journal ends at offset {end} of {source.topic} partition {source.partition}, which holds {first} "
                f"to {last}: {_REBUILD}."
            )
            raise RecoveryError(message)
    return ends
