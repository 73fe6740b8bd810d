"""Following the journal: the one road to a task's state, for recovery, for a hot standby and for an audit.

The journal decides. It says which records each batch held and what was decided, so whoever gives the same records and
decisions to the same pipeline has the same state; what comes of it was sent already and is thrown away. A follower
begins at a snapshot or an empty epoch (`restoring`) and goes along with the journal while others lead. Who has come to
its end and holds the lease may lead.

Three things must agree before anybody leads: the end of the journal, the committed offsets, and what the input log
still holds. Where they do not, going on would lose or double something, and a RecoveryError names the mend.

A batch is learned while its transaction commits, so the last one in the journal may be one on which a model raises as
it is learned. Its leader then learns it record by record, and the next journal record says so (`before`). So a follower

1. learns a batch when the next record is there, because that one may amend it;
2. when no next one comes for a moment, learns it all the same, because the leader may be dead, or the batch erase a
   user; if a model raises it goes back and waits, and should the batch be amended after that, it begins anew;
3. with the lease, learns the last one at once: nobody else will amend it. If a model raises, it begins anew, learns
   that one record by record, and owes a journal record that says so, with the dead letters of what was left out.
"""

import logging
import math
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Generic, NamedTuple

import msgspec

from consumers.pipeline import Decisions, Outputs
from consumers.serving.core import P, done, done_singly
from consumers.serving.restoring import restore
from consumers.serving.task import Standing, Task
from stream import journal
from stream.clock import merge
from stream.errors import RecoveryError
from stream.log import JournalEntry, Log, TopicPartition

_log = logging.getLogger(__name__)

_REBUILD = "springtide run --rebuild starts a new epoch from what the log still has"
_HELD_BACK_S = 3.0  # less than a session timeout, so that whoever takes over has mostly learned the last batch


class _UnlearnedError(Exception):
    """A model raised on the last batch of the journal, and the state is spoiled."""

    def __init__(self, sequence: int) -> None:
        super().__init__(sequence)
        self.sequence = sequence


class _Due(NamedTuple):
    """The newest journal record, whose batch is not learned yet."""

    offset: int
    record: journal.JournalRecord
    since_s: float


class Follower(Generic[P]):
    """A state that goes along with the journal.

    Parameters
    ----------
    task
        Whose state.
    went_on
        Called after every batch that was learned, with what is `left`.
    begin
        Where it begins, and begins anew when what it has learned does not stand.
    clock_s
        A clock that only goes forward, in seconds.
    """

    def __init__(
        self,
        task: Task[P],
        went_on: Callable[[int], None] = lambda _left: None,
        begin: Callable[[Task[P]], Standing[P]] = restore,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._task = task
        self._went_on = went_on
        self._begin = begin
        self._clock_s = clock_s
        self._standing: Standing[P] | None = None
        self._due: _Due | None = None
        self._next = 0  # journal offset to read on from
        self._end = 0  # journal offset at which what is being read ends
        self._entries: Generator[JournalEntry, None, None] | None = None  # being read
        self._said: set[str] = set()  # which differences

    @property
    def standing(self) -> Standing[P] | None:
        """The state, and where it stands; None where it has not begun, or begins anew."""
        return self._standing

    @property
    def sequence(self) -> int:
        """Number of the last batch that is learned; -1 where there is none."""
        return -1 if self._standing is None else self._standing.sequence - 1

    @property
    def left(self) -> int:
        """How many offsets of the journal are still to be followed, as far as known; a batch takes about two."""
        return max(self._end - self._next, 0)

    def follow(self, enough: Callable[[], bool] = lambda: False) -> bool:
        """Learn what the journal holds, but for its newest batch; return whether that is done.

        Parameters
        ----------
        enough
            Whether to stop; asked after each batch.

        Raises
        ------
        RecoveryError
            When snapshot, journal and log disagree, or a model raises here alone.
        """
        start, end = self._task.log.journal_bounds()
        if end < self._next:  # another journal
            self._begin_anew()
        if self._standing is None:
            self._standing = self._begin(self._task)
            self._next = max(start, self._standing.journal_offset + 1)
        if self._entries is None:
            self._end, self._entries = end, self._task.log.journal(self._next)
        for entry in self._entries:
            if not self._take(self._standing, entry):
                self._begin_anew()
                return False
            if enough():
                return False
        self._entries = None
        self._next = max(self._next, self._end)
        self._settle(self._standing)
        return True

    def finish(self, enough: Callable[[], bool] = lambda: False) -> Standing[P]:
        """Learn everything that the journal holds, unless `enough` says so before, and return the state."""
        return self._finish(None, enough)

    def lead(self) -> Standing[P]:
        """Learn the rest, and return the state as its last leader left it; the caller holds the lease.

        `Standing.offsets` is empty where nobody ever led.

        Raises
        ------
        RecoveryError
            When snapshot, journal, offsets and log disagree.
        """
        try:
            standing = self._finish(None)
        except _UnlearnedError as error:
            _log.exception("Batch %d is committed, and a model raises as it is learned.", error.sequence)
            self._begin_anew()
            standing = self._finish(error.sequence)
        _check_agreement(self._task.log, standing)
        return standing

    def close(self) -> None:
        """Stop reading."""
        if self._entries is not None:
            self._entries.close()
            self._entries = None

    def _begin_anew(self) -> None:
        self.close()
        self._standing, self._due, self._next = None, None, 0

    def _take(self, standing: Standing[P], entry: JournalEntry) -> bool:
        """Take the next record, which lets the one before it be learned; False when what was learned does not stand."""
        record, due = journal.decode(entry.value), self._due
        if record.epoch > standing.epoch or (due is None and record.before is not None):
            return False
        self._next, self._due = entry.offset + 1, _Due(entry.offset, record, self._clock_s())
        if due is not None:
            self._learn(standing, due, record)
        return True

    def _settle(self, standing: Standing[P]) -> None:
        """Learn the newest batch too if it has waited for long; not if a model raises on it."""
        due = self._due
        if due is None or self._clock_s() - due.since_s < _HELD_BACK_S:
            return
        before = standing.pipeline.state()
        try:
            self._learn(standing, due, None)
            self._due = None
        except _UnlearnedError:
            _log.exception("Batch %d is committed, and a model raises as it is learned.", due.record.sequence)
            standing.pipeline.restore(before)
            self._due = due._replace(since_s=math.inf)  # only the next record says how it is to be learned

    def _finish(self, singly: int | None, enough: Callable[[], bool] = lambda: False) -> Standing[P]:
        """Learn all that there is; the batch numbered `singly` record by record."""
        self.close()  # what is being read ends where the journal ended when that began
        caught_up = False
        while self._standing is None or not (caught_up or enough()):
            caught_up = self.follow(enough)
        if self._due is not None and not enough():
            due, self._due = self._due, None
            self._learn(self._standing, due, None, singly)
        return self._standing

    def _learn(
        self, standing: Standing[P], due: _Due, following: journal.JournalRecord | None, singly: int | None = None
    ) -> None:
        record = due.record
        _check_succession(standing, record, self._task.log.inputs())
        _check_beginning(record, self._task.checkpoint)
        self._compare(standing, record)
        began_s = self._clock_s()
        if _learn_again(self._task, standing, record, following, singly).erased:
            standing.erased = standing.sequence
        standing.sequence += 1
        standing.offsets.update({source: end for source, (_, end) in record.ranges.items()})
        standing.journal_offset = due.offset
        standing.worked_s += self._clock_s() - began_s
        self._went_on(self.left)

    def _compare(self, standing: Standing[P], record: journal.JournalRecord) -> None:
        """Notice that something else is learned here than where the journal is written; say each once."""
        here, there = standing.pipeline.milestone, record.milestone
        if record.settings not in {None, self._task.settings_hash}:
            if "settings" in self._said:
                return
            self._said.add("settings")
            _log.warning(
                "Batch %d of epoch %d was learned under other settings than those of this process, which learns from "
                "it by its own: where it takes over, lists go on from that.",
                record.sequence,
                record.epoch,
            )
        elif here is not None and there is not None and here != there and "state" not in self._said:
            self._said.add("state")
            _log.error(
                "Before batch %d of epoch %d something else was learned here than where the journal was written: run "
                "one version on one kind of processor; if both are the same, run springtide audit and report it.",
                record.sequence,
                record.epoch,
            )


def _learn_again(
    task: Task[P],
    standing: Standing[P],
    record: journal.JournalRecord,
    following: journal.JournalRecord | None,
    singly: int | None,
) -> Outputs:
    """Do what the leader did with a batch; what comes of it was sent already."""
    records, pipeline = task.log.read(record.ranges), standing.pipeline
    if record.records not in {None, len(records)}:
        message = (
            f"Batch {record.sequence} of epoch {record.epoch} had {record.records} records, and the log has "
            f"{len(records)} of them: compaction took the others from the topic of the items, whose "
            f"min.compaction.lag.ms is too short or was. Copy a newer snapshot into state.dir where another process of "
            f"the task has one; otherwise {_REBUILD}."
        )
        raise RecoveryError(message)
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


def _check_beginning(record: journal.JournalRecord, checkpoint: str | None) -> None:
    if record.sequence > 0 or record.checkpoint == checkpoint:
        return
    began, given = (
        "no checkpoint" if digest is None else f"the checkpoint of sha256 {digest[:16]}"
        for digest in (record.checkpoint, checkpoint)
    )
    message = (
        f"Epoch {record.epoch} began with {began}, and network.checkpoint or --from names {given}: begin as it did, or "
        f"{_REBUILD}."
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
                f"The journal ends at offset {offset} of {where} and {committed[source]} is committed: "
                "springtide reset commits what the journal says."
            )
            raise RecoveryError(message)
        start, end = bounds.get(source, (0, 0))
        if offset > end:
            message = f"The journal ends at offset {offset} of {where}, which ends at {end} by now: {_REBUILD}."
            raise RecoveryError(message)
        if offset < start:
            message = f"Offset {offset} of {where} is due and has left the log, which begins at {start}: {_REBUILD}."
            raise RecoveryError(message)
