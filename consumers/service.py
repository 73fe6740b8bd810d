"""The loop around the pipeline on a log: who leads, what it does with each batch, and how it ends.

One round of the loop:

1. Poll, decode, and merge the partitions by event time (`intake`).
2. Decide what depends on the clock, and recommend.
3. Commit lists, dead letters, the journal record and the offsets in one transaction, in a thread of its own; learn the
   batch meanwhile. Nothing is polled before both are done.
4. Now and then: look at the backlog, take a snapshot (`keeper`).

When the lease is lost, the outcome of a commit is not known or a model has raised, the state is thrown away and built
again from what is committed, which is the same road as a start: restore a snapshot, follow the journal until the lease
is held, lead (`recovery`). What a model raised on is then done record by record (`core`); a record on which it raises
again is a dead letter.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Generic

import msgspec

from consumers.pipeline import Decisions, Outputs
from consumers.serving.core import Done, P, done_singly
from consumers.serving.intake import Intake
from consumers.serving.keeper import Keeper
from consumers.serving.observer import Observer, Role
from consumers.serving.recovery import Follower
from consumers.serving.restoring import next_epoch
from consumers.serving.shedding import TrainingShare
from consumers.serving.task import Standing, Task
from consumers.settings import Settings
from stream import journal, snapshots
from stream.errors import CommitInDoubtError, LeaseLostError, ModelError
from stream.events import Decoded
from stream.log import Offsets, Ranges

_log = logging.getLogger(__name__)

_LOOK_EVERY_S = 1.0
_SAY_EVERY_S = 10.0
_FOLLOW_S = 0.5  # at a time, because a takeover must not wait for longer
_DOUBTS_IN_A_ROW = 3  # rebuilding once more would not help
_RAISED_IN_A_ROW = 100  # records
_LIVE_S = 120.0


class _StopAskedError(Exception):
    """Somebody wants the service to end while it recovers."""


class _ModelRaisedError(Exception):
    """A model raised on a batch, which ended at `offsets`; the state is spoiled."""

    def __init__(self, offsets: Offsets) -> None:
        super().__init__(offsets)
        self.offsets = offsets


class Service(Generic[P]):
    """Leads one task on one log, or stands by while another process does, from `run` until `stop`.

    Parameters
    ----------
    task
        Whose log, snapshots and pipeline.
    settings
        Start position, publishing, batches and snapshots.
    observer
        What is told of everything that happens.
    rebuild
        Begin a new epoch from what the log still has.
    now_ms
        The wall clock, in epoch milliseconds.
    clock_s
        A clock that only goes forward, in seconds.
    """

    def __init__(
        self,
        task: Task[P],
        settings: Settings,
        observer: Observer[P],
        *,
        rebuild: bool = False,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._task = task
        self._settings = settings
        self._observer = observer
        self._rebuild = rebuild
        self._now_ms = now_ms
        self._clock_s = clock_s
        self._stopped = threading.Event()
        self._beat_s = self._clock_s()
        self._role = Role.RECOVERING
        self._since_s = self._beat_s  # in this role
        self._recovering_s = 0.0  # spent in that role since this process led last
        self._said_s = self._looked_s = -math.inf
        self._batches = 0  # committed by this process
        self._suspect: Offsets = {}  # what ends before these is done record by record
        self._raised_in_a_row = 0
        self._share = TrainingShare(settings.models.training_share, settings.batch.max_records)
        self._committer = ThreadPoolExecutor(1, "springtide-commit")
        self._keeper = Keeper(task, settings.state, observer, now_ms)
        self._kept: Standing[P] | None = None  # the state that the keeper knows

    def stop(self) -> None:
        """Let `run` finish its batch, take a last snapshot and return; may be called from any thread or signal."""
        self._stopped.set()

    def live(self) -> bool:
        """Whether the loop has gone round lately."""
        return self._clock_s() - self._beat_s < _LIVE_S

    def role(self) -> Role:
        """Return what this process is to its task now."""
        return self._role

    def run(self) -> None:
        """Follow, acquire the lease, lead; and again after the lease or the outcome of a commit was lost.

        Raises
        ------
        RecoveryError
            When the state cannot be built from what is there.
        CommitInDoubtError
            When commit after commit fails.
        ModelError
            When a model raises on everything.
        LogError
            When the log does not do what it must.
        """
        doubts = 0
        self._since_s = self._clock_s()
        try:
            while True:
                batches, follower = self._batches, Follower(self._task, self._went_on)
                try:
                    if self._task.log.acquire(partial(self._stands_by, follower)):
                        self._lead(self._recovered(follower))
                    else:
                        self._finish()
                    return
                except _StopAskedError:
                    self._finish()
                    return
                except (LeaseLostError, CommitInDoubtError) as error:
                    doubts = 1 if self._batches > batches else doubts + 1
                    if isinstance(error, CommitInDoubtError) and doubts >= _DOUBTS_IN_A_ROW:
                        raise
                    _log.warning("%s", error)
                except _ModelRaisedError as error:
                    _log.exception("A model has raised: the state is recovered, and the batch done record by record.")
                    self._suspect = error.offsets
                finally:
                    follower.close()
                    self._take(Role.RECOVERING)
                    self._keeper.wait()
                    self._kept = None
        finally:
            self._committer.shutdown()
            self._keeper.close()
            self._task.log.close()

    def _stands_by(self, follower: Follower[P]) -> bool:
        """Follow for a moment while somebody else may lead; return whether to give up waiting."""
        self._beat_s = self._clock_s()
        until_s = self._beat_s + _FOLLOW_S
        if not self._rebuild:
            if follower.follow(lambda: self._clock_s() >= until_s) and self._role is not Role.STANDBY:
                _log.info("Standing by: the journal is followed to its end.")
                self._take(Role.STANDBY)
            elif follower.standing is None and self._role is Role.STANDBY:
                self._take(Role.RECOVERING)
            self._observer.follows(follower.left)
            if follower.standing is not None:
                self._observer.stands(follower.standing.pipeline)
                self._keep(follower.standing)
        return self._stopped.is_set()

    def _recovered(self, follower: Follower[P]) -> Standing[P]:
        self._take(Role.RECOVERING)
        standing = None if self._rebuild else follower.lead()
        if standing is not None and standing.offsets:
            self._add_new_partitions(standing)
        else:
            standing = self._begun(standing)
        self._rebuild = False
        if standing.redone is not None:
            self._amend(standing, standing.redone)
        self._task.log.seek(standing.offsets)
        return standing

    def _went_on(self, left: int) -> None:
        """Say now and then how far following has come; end it when somebody wants that."""
        self._beat_s = now_s = self._clock_s()
        if self._stopped.is_set():
            raise _StopAskedError
        if now_s - self._looked_s >= _LOOK_EVERY_S:
            self._looked_s = now_s
            self._observer.follows(left)
        if self._role is Role.RECOVERING and now_s - self._said_s >= _SAY_EVERY_S:
            self._said_s = now_s
            _log.info("Following the journal: about %d batches are left.", left // 2)

    def _begun(self, empty: Standing[P] | None) -> Standing[P]:
        """Begin an epoch, and commit where it begins, so that a restart begins there too.

        What is `empty` is the state of epoch 0; it is used where nobody ever led. Snapshots say that somebody did, and
        that the topics of then were deleted.
        """
        standing = empty
        if standing is None or snapshots.candidates(self._task.snapshots):
            standing = next_epoch(self._task, self._now_ms())
        log, bounds = self._task.log, self._task.log.bounds()
        time_ms = self._settings.input.start_time_ms()
        if self._rebuild or self._settings.input.start == "earliest":
            starts = {source: start for source, (start, _) in bounds.items()}
        elif time_ms is None:
            starts = {source: end for source, (_, end) in bounds.items()}
        else:
            starts = log.offsets_at(time_ms)
        starts |= {source: start for source, (start, _) in bounds.items() if source.topic == self._settings.items.topic}
        record = self._record(standing, {source: (start, start) for source, start in starts.items()}, self._decided())
        record = msgspec.structs.replace(record, checkpoint=self._task.checkpoint)
        standing.journal_offset = log.commit([], journal.encode(record), starts)
        standing.sequence, standing.offsets = 1, starts
        return standing

    def _amend(self, standing: Standing[P], redone: Done) -> None:
        """Commit how the last batch was done after all, so that every follower does it so, and what it left out."""
        standing.redone = None
        nothing = {source: (offset, offset) for source, offset in standing.offsets.items()}
        record = self._record(standing, nothing, self._decided(), redone.decisions)
        outputs = Outputs()
        self._bury(standing.pipeline, redone, outputs)
        standing.journal_offset, committed_ms = self._commit(outputs, journal.encode(record), standing.offsets)
        standing.sequence += 1
        self._observer.answered(outputs, [one.decoded.record.timestamp_ms for one in redone.raised], committed_ms)

    def _bury(self, pipeline: P, result: Done, outputs: Outputs) -> None:
        """Add dead letters of what a model has raised on; not where it raises on everything, which would bury all.

        Raises
        ------
        ModelError
            When nothing has gone through for `_RAISED_IN_A_ROW` records.
        """
        self._raised_in_a_row = 0 if result.outputs.accepted else self._raised_in_a_row + len(result.raised)
        if self._raised_in_a_row >= _RAISED_IN_A_ROW:
            error = result.raised[-1].error
            message = (
                f"A model has raised on {self._raised_in_a_row} records in a row ({type(error).__name__}: {error}), so "
                "it is not the records: run the version or the settings of before, and report it with the log."
            )
            raise ModelError(message) from error
        for decoded, error in result.raised:
            _log.error("A model raised on offset %d of %s partition %d.", decoded.record.offset, *decoded.record.source,
                       exc_info=error)  # fmt: skip
            outputs.dead.append(pipeline.dead_letter(decoded, error))
            outputs.reasons.append(type(error).__name__)

    def _add_new_partitions(self, standing: Standing[P]) -> None:
        for source, (start, _) in self._task.log.bounds().items():
            standing.offsets.setdefault(source, start)

    def _lead(self, standing: Standing[P]) -> None:
        log, batches, stopped = self._task.log, self._settings.batch, self._stopped.is_set
        intake = Intake(log, standing.pipeline, standing.offsets, batches, self._observer, stopped)
        looked_s = self._clock_s()
        self._keep(standing)
        self._take(Role.LEADER)
        self._observer.restored(self._recovering_s)
        self._recovering_s = 0.0
        _log.info("Leading from batch %d of epoch %d on.", standing.sequence, standing.epoch)
        while not self._stopped.is_set():
            batch = intake.next_batch(standing.sequence - 1)
            if batch:
                self._process(standing, batch)
            self._beat_s = self._clock_s()
            if self._clock_s() - looked_s >= _LOOK_EVERY_S:
                looked_s = self._clock_s()
                self._look(standing, batch)
            self._keep(standing)
        self._finish()

    def _keep(self, standing: Standing[P]) -> None:
        """Take the snapshots of a state, and delete those that are due."""
        if standing is not self._kept:
            self._kept = standing
            self._keeper.begin(standing)
        self._keeper.keep(standing)

    def _finish(self) -> None:
        """Take the last snapshot, unless nothing was restored yet."""
        if self._kept is not None:
            self._keeper.finish(self._kept)

    def _take(self, role: Role) -> None:
        now_s = self._clock_s()
        if self._role is Role.RECOVERING:
            self._recovering_s += now_s - self._since_s
        self._role, self._since_s = role, now_s
        self._observer.takes(role)

    def _process(self, standing: Standing[P], batch: Sequence[Decoded]) -> None:
        """Answer, commit and learn one batch."""
        began_s, decisions = self._clock_s(), self._decided()
        ranges = _ranges(standing.offsets, batch)
        offsets = {source: end for source, (_, end) in ranges.items()}
        if any(standing.offsets[source] < end for source, end in self._suspect.items()):
            self._process_singly(standing, batch, decisions, ranges)
            return
        with self._observer.stage("recommend"), _noticing(offsets):
            outputs = standing.pipeline.recommend(batch, decisions)
        record = journal.encode(self._record(standing, ranges, decisions, records=len(batch)))  # before it is learned
        committing = self._committer.submit(self._commit, outputs, record, offsets)
        try:
            with self._observer.stage("learn"), _noticing(offsets):
                learned = standing.pipeline.learn()
            standing.worked_s += self._clock_s() - began_s
        finally:
            self._go_on(standing, batch, offsets, outputs, committing.result())
        self._observer.learned(learned)
        self._raised_in_a_row = 0

    def _process_singly(
        self, standing: Standing[P], batch: Sequence[Decoded], decisions: Decisions, ranges: Ranges
    ) -> None:
        """Answer and learn a batch record by record, then commit it."""
        began_s, record = self._clock_s(), self._record(standing, ranges, decisions, records=len(batch))
        with self._observer.stage("singly"):
            result = done_singly(standing.pipeline, batch, decisions)
        standing.worked_s += self._clock_s() - began_s
        self._bury(standing.pipeline, result, result.outputs)
        offsets = {source: end for source, (_, end) in ranges.items()}
        record = msgspec.structs.replace(record, decisions=msgspec.to_builtins(result.decisions))
        committed = self._commit(result.outputs, journal.encode(record), offsets)
        self._go_on(standing, batch, offsets, result.outputs, committed)
        for learned in result.learned:
            self._observer.learned(learned)

    def _go_on(
        self,
        standing: Standing[P],
        batch: Sequence[Decoded],
        offsets: Offsets,
        outputs: Outputs,
        committed: tuple[int, int],
    ) -> None:
        """Take note that a batch is committed and learned."""
        if outputs.erased:
            standing.erased = standing.sequence
        standing.journal_offset, committed_ms = committed
        standing.sequence += 1
        standing.offsets.update(offsets)
        self._batches += 1
        self._observer.answered(outputs, _stamps_ms(batch), committed_ms)

    def _commit(self, outputs: Outputs, record: bytes, offsets: Offsets) -> tuple[int, int]:
        """Return where the journal record stands, and when it was committed."""
        with self._observer.stage("commit"), self._observer.transaction():
            return self._task.log.commit([*outputs.lists, *outputs.dead], record, offsets), self._now_ms()

    def _decided(self) -> Decisions:
        max_age = self._settings.publish.max_age
        return Decisions(
            publish_after_ms=0 if max_age is None else self._now_ms() - max_age.ms,
            training_share=self._share.now,
            coalesce=self._settings.publish.coalesce,
        )

    def _record(
        self,
        standing: Standing[P],
        ranges: Ranges,
        decisions: Decisions,
        before: Decisions | None = None,
        records: int = 0,
    ) -> journal.JournalRecord:
        return journal.JournalRecord(
            application=self._task.application,
            epoch=standing.epoch,
            sequence=standing.sequence,
            covered=journal.covered(ranges),
            decisions=msgspec.to_builtins(decisions),
            before=None if before is None else msgspec.to_builtins(before),
            records=records,
            settings=self._task.settings_hash,
            milestone=standing.pipeline.milestone,
        )

    def _look(self, standing: Standing[P], batch: Sequence[Decoded]) -> None:
        """Look at the backlog, and let it decide how much is trained."""
        ends = {source: end for source, (_, end) in self._task.log.bounds().items()}
        backlog = sum(max(end - standing.offsets.get(source, end), 0) for source, end in ends.items())
        oldest_ms = min(_stamps_ms(batch), default=None) if backlog else None
        self._share.observe(backlog)
        self._observer.behind(backlog, oldest_ms, self._now_ms())
        self._observer.trains(self._share.now)
        self._observer.stands(standing.pipeline)


@contextmanager
def _noticing(offsets: Offsets) -> Iterator[None]:
    """Notice what a model raises on the batch that ends at `offsets`."""
    try:
        yield
    except Exception as error:
        raise _ModelRaisedError(offsets) from error


def _stamps_ms(batch: Sequence[Decoded]) -> list[int]:
    """When the records of a batch came; but for what is told of items, which may be years old and nobody waits for."""
    return [one.record.timestamp_ms for one in batch if one.item is None]


def _ranges(offsets: Offsets, batch: Sequence[Decoded]) -> Ranges:
    """Return what a batch covers: from where each partition stood, up to and with its last record."""
    ends: Offsets = {}
    for one in batch:
        ends[one.record.source] = one.record.offset + 1
    return {source: (offsets[source], end) for source, end in ends.items()}
