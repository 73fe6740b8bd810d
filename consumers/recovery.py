"""Where a task stands, and how a process gets there: snapshot, then journal.

The journal decides. It says which records each batch held and what was decided, so whoever gives the same records and
decisions to the same pipeline has the same state. A snapshot only saves the way from the beginning: it is used when
the journal record that it stands on is in the journal, and when it was made under the settings of today.

Three things must agree before anybody leads: the end of the journal, the committed offsets, and what the input log
still holds. Where they do not, going on would lose or double something, and a RecoveryError names the mend.

A batch is learned while its transaction commits, so the last one in the journal may be one on which a model raises as
it is learned. Whoever recovers then learns it record by record, and owes a journal record that says so, with the dead
letters of the records that were left out.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, NamedTuple

import msgspec

from consumers.core import Done, P, done, done_singly
from consumers.pipeline import Decisions, Outputs
from stream import journal, snapshots
from stream.clock import merge
from stream.errors import RecoveryError, SnapshotError
from stream.log import Log, Offsets, TopicPartition
from stream.snapshots import Manifest, State

_log = logging.getLogger(__name__)

_REBUILD = "springtide run --rebuild starts a new epoch from what the log still has"
_THREADS = 1  # to which `models.numerics` binds every model


class Saved(NamedTuple):
    """A snapshot on disk, and the last batch in it."""

    path: Path
    sequence: int


@dataclass(slots=True)
class Standing(Generic[P]):
    """A pipeline, and the place in the log that its state stands on."""

    pipeline: P
    epoch: int
    sequence: int = 0  # of the next journal record
    offsets: Offsets = field(default_factory=dict)  # next to be read; empty before the first record of an epoch
    journal_offset: int = -1  # of the last journal record
    erased: int = -1  # last batch of this epoch by which a user was erased
    restored: Saved | None = None  # the snapshot that the state comes from
    redone: Done | None = None  # the last batch, where it was done otherwise than the journal says so far


@dataclass(frozen=True, slots=True)
class Task(Generic[P]):
    """What does not change while a task is led and recovered.

    Parameters
    ----------
    log
        Where everything is.
    application
        Its name.
    settings_hash
        Of the settings that decide what the same events teach.
    snapshots
        Folder of its snapshots.
    make
        Makes an empty pipeline for an epoch.
    """

    log: Log
    application: str
    settings_hash: str
    snapshots: Path
    make: Callable[[int], P]

    def save(self, standing: Standing[P], state: State, watermark_ms: int | None) -> Saved:
        """Write a snapshot of `state`, a copy made where `standing` says; SnapshotError when it cannot be written."""
        manifest = Manifest(
            application=self.application,
            epoch=standing.epoch,
            sequence=standing.sequence - 1,
            erased=standing.erased,
            journal_offset=standing.journal_offset,
            offsets=tuple(sorted(standing.offsets.items())),
            watermark_ms=-1 if watermark_ms is None else watermark_ms,
            settings_hash=self.settings_hash,
            fingerprint=snapshots.fingerprint(_THREADS),
            state_hash=snapshots.state_hash(state),
        )
        return Saved(snapshots.save(self.snapshots, state, manifest), manifest.sequence)


def recover(task: Task[P], went_on: Callable[[], None] = lambda: None) -> Standing[P]:
    """Return the state as its last leader left it; `Standing.offsets` is empty where nobody ever led.

    The caller holds the lease, so that nobody writes meanwhile.

    Parameters
    ----------
    task
        Whose state.
    went_on
        Called after every batch that was learned again.

    Raises
    ------
    RecoveryError
        When snapshot, journal, offsets and log disagree.
    """
    try:
        return _recovered(task, went_on, None)
    except _UnlearnedError as error:
        _log.exception("Batch %d is committed, and a model raises as it is learned.", error.sequence)
        return _recovered(task, went_on, error.sequence)


class _UnlearnedError(Exception):
    """A model raised on the last batch of the journal, and the state is spoiled."""

    def __init__(self, sequence: int) -> None:
        super().__init__(sequence)
        self.sequence = sequence


def _recovered(task: Task[P], went_on: Callable[[], None], singly: int | None) -> Standing[P]:
    """Do what `recover` says; the batch numbered `singly` record by record."""
    standing = _from_snapshot(task)
    epoch, journal_offset = _newest_epoch(task, standing)
    if standing is None or epoch > standing.epoch:
        standing = Standing(task.make(epoch), epoch, journal_offset=journal_offset - 1)
    _follow(task, standing, went_on, singly)
    _check_agreement(task.log, standing)
    return standing


def next_epoch(task: Task[P]) -> Standing[P]:
    """Return an empty state of an epoch that the journal does not know yet."""
    start, _ = task.log.journal_bounds()
    last = max((journal.decode(entry.value).epoch for entry in task.log.journal(start)), default=-1)
    return Standing(task.make(last + 1), epoch=last + 1)


def _from_snapshot(task: Task[P]) -> Standing[P] | None:
    for path in snapshots.candidates(task.snapshots):
        try:
            manifest, state = snapshots.load(path, task.application)
        except SnapshotError as error:
            _log.warning("%s", error)
            continue
        if manifest.settings_hash != task.settings_hash:
            _log.warning("Snapshot %s was made under other settings and is not used.", path)
        elif not _is_in_journal(task.log, manifest):
            _log.warning("Snapshot %s stands on a batch that the journal does not hold and is not used.", path)
        else:
            pipeline = task.make(manifest.epoch)
            pipeline.restore(state)
            _log.info("Snapshot %s is restored.", path)
            return Standing(
                pipeline,
                manifest.epoch,
                manifest.sequence + 1,
                dict(manifest.offsets),
                manifest.journal_offset,
                manifest.erased,
                Saved(path, manifest.sequence),
            )
    return None


def _is_in_journal(log: Log, manifest: Manifest) -> bool:
    start, end = log.journal_bounds()
    if not start <= manifest.journal_offset < end:
        return False
    with closing(log.journal(manifest.journal_offset)) as entries:
        entry = next(entries, None)
    if entry is None or entry.offset != manifest.journal_offset:
        return False
    record = journal.decode(entry.value)
    return (record.application, record.epoch, record.sequence) == (
        manifest.application,
        manifest.epoch,
        manifest.sequence,
    )


def _newest_epoch(task: Task[P], standing: Standing[P] | None) -> tuple[int, int]:
    """Return the last epoch that the journal knows, and the journal offset where it begins, at the earliest.

    What was learned in the epochs before it is gone, and their records may have left the log.
    """
    epoch, (begin, _) = 0, task.log.journal_bounds()
    if standing is not None:
        epoch, begin = standing.epoch, standing.journal_offset + 1
    for entry in task.log.journal(begin):
        record = journal.decode(entry.value)
        if record.application != task.application:
            message = f"The journal belongs to {record.application}: set application.name so, or name another one."
            raise RecoveryError(message)
        if record.epoch > epoch:
            epoch, begin = record.epoch, entry.offset
    return epoch, begin


def _follow(task: Task[P], standing: Standing[P], went_on: Callable[[], None], singly: int | None) -> None:
    """Bring `standing` to the end of the journal."""
    start, _ = task.log.journal_bounds()
    records = (
        (entry.offset, journal.decode(entry.value))
        for entry in task.log.journal(max(start, standing.journal_offset + 1))
    )
    due = next(records, None)
    while due is not None:
        (offset, record), due = due, next(records, None)
        _check_succession(standing, record, task.log.inputs())
        if _learn_again(task, standing, record, None if due is None else due[1], singly).erased:
            standing.erased = standing.sequence
        standing.sequence += 1
        standing.offsets.update({source: end for source, (_, end) in record.ranges.items()})
        standing.journal_offset = offset
        went_on()


def _learn_again(
    task: Task[P],
    standing: Standing[P],
    record: journal.JournalRecord,
    following: journal.JournalRecord | None,
    singly: int | None,
) -> Outputs:
    """Do what the leader did with a batch; what comes of it was sent already."""
    records, pipeline = task.log.read(record.ranges), standing.pipeline
    if not records:
        return Outputs()
    batch = merge([pipeline.decoder.decode(one) for one in records])
    amended = None if following is None else following.before
    decisions = msgspec.convert(record.decisions if amended is None else amended, Decisions)
    if following is None and record.sequence == singly:
        standing.redone = done_singly(pipeline, batch, decisions)
        return standing.redone.outputs
    try:
        return done(pipeline, batch, decisions)
    except Exception as error:
        if following is None:
            raise _UnlearnedError(record.sequence) from error
        message = (
            f"Batch {record.sequence} of epoch {record.epoch} raises {type(error).__name__} here, and did not where it "
            f"was learned: start it again with the version that learned it. If it stays so, {_REBUILD}."
        )
        raise RecoveryError(message) from error


def _check_succession(standing: Standing[P], record: journal.JournalRecord, inputs: Sequence[TopicPartition]) -> None:
    if (record.epoch, record.sequence) != (standing.epoch, standing.sequence):
        message = (
            f"The journal goes on with batch {record.sequence} of epoch {record.epoch} where batch {standing.sequence} "
            f"of epoch {standing.epoch} is due: {_REBUILD}."
        )
        raise RecoveryError(message)
    _check_inputs(record.ranges, inputs)
    for source, (start, _) in record.ranges.items():
        due = standing.offsets.get(source, start)
        if start != due:
            message = (
                f"The journal goes on at offset {start} of {source.topic} partition {source.partition} where {due} is "
                f"due: {_REBUILD}."
            )
            raise RecoveryError(message)


def _check_inputs(sources: Iterable[TopicPartition], inputs: Sequence[TopicPartition]) -> None:
    for source in sorted(set(sources) - set(inputs)):
        message = (
            f"The journal holds batches of {source.topic} partition {source.partition}, which is no input of this "
            "task: set input.topic back, or give the task another application.name."
        )
        raise RecoveryError(message)


def _check_agreement(log: Log, standing: Standing[P]) -> None:
    committed, bounds = log.committed(), log.bounds()
    if committed and not standing.offsets:
        message = f"Offsets are committed and the journal is empty, so nobody knows what was learned: {_REBUILD}."
        raise RecoveryError(message)
    _check_inputs(standing.offsets, log.inputs())
    for source, offset in sorted(standing.offsets.items()):
        where = f"{source.topic} partition {source.partition}"
        if committed.get(source, offset) != offset:
            message = (
                f"The journal ends at offset {offset} of {where} and {committed[source]} is committed: {_REBUILD}."
            )
            raise RecoveryError(message)
        start, end = bounds.get(source, (0, 0))
        if offset > end:
            message = f"The journal ends at offset {offset} of {where}, which ends at {end} by now: {_REBUILD}."
            raise RecoveryError(message)
        if offset < start:
            message = f"Offset {offset} of {where} is due and has left the log, which begins at {start}: {_REBUILD}."
            raise RecoveryError(message)
