"""When snapshots are taken, by a leader or a standby, and when those go that hold an erased user.

A copy of the process (`apart`), made between two batches, hashes the state and writes it. A snapshot is
due `state.snapshot_every` after the last one, if a batch was learned since; and sooner under load, because whatever
learning has taken since then a recovery takes once more.

A user is out of the state with the batch of the erasure, and must be out of every snapshot `state.erase_within` later:

1. When half of that time has passed, if not before, a snapshot is taken that does not hold the user.
2. When all of it has passed, and that snapshot is whole, what is older is deleted.

A clean stop does both at once. So does a start, for all erasures that the snapshots and the journal know of: nobody
knows any more how long ago they were. What cannot be written or deleted is tried again, and said each time.

A standby does all of this too, with the state that it follows and a folder of its own. Where two processes have one
folder, the first to come does it for both, because they would delete what the other writes.
"""

import logging
import math
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import BinaryIO, Generic, NamedTuple

import msgspec

from consumers.serving.apart import Apart, ApartError
from consumers.serving.contents import Contents, contents
from consumers.serving.core import P
from consumers.serving.observer import Observer
from consumers.serving.task import Saved, Standing, Task
from consumers.settings import State as StateSettings
from stream.errors import SnapshotError
from stream.snapshots import claim, drop_before

_log = logging.getLogger(__name__)

_TRY_AGAIN_S = 10.0
_MOST_WRITING_S = 600.0  # a copy that hangs is ended
_MOST_WAITING_S = 60.0  # for a copy, where the loop stands still meanwhile: nobody else leads then
_MOST_WORK_S = 10.0  # to be done again: with start, snapshot and lease a recovery stays below 30 s


class _Erasure(NamedTuple):
    sequence: int  # of the batch
    at_s: float


class _Written(msgspec.Struct, frozen=True):
    """What came of a snapshot: where it is and what it holds, or why it is not there."""

    path: str = ""
    contents: Contents | None = None
    failure: str = ""


class Keeper(Generic[P]):
    """Snapshots of one state, taken while it is led or followed; all methods are called from the loop.

    Parameters
    ----------
    task
        Whose snapshots.
    settings
        How often they are taken, and how long they may hold erased users.
    observer
        Is told of each.
    now_ms
        The wall clock, in epoch milliseconds.
    clock_s
        A clock that only goes forward, in seconds.
    """

    def __init__(
        self,
        task: Task[P],
        settings: StateSettings,
        observer: Observer[P],
        now_ms: Callable[[], int],
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._task = task
        self._every_s = settings.snapshot_every.ms / 1000
        self._erase_within_s = settings.erase_within.ms / 1000
        self._observer = observer
        self._now_ms = now_ms
        self._clock_s = clock_s
        self._worker = ThreadPoolExecutor(1, "springtide-snapshot")
        self._work: Future[None] | None = None
        self._writing: Apart | None = None
        self._begun_s = 0.0
        self._begun = -1  # last batch of the newest snapshot that was begun
        self._begun_worked_s = 0.0  # what learning had taken then
        self._newest: Saved | None = None  # the newest that was written, or restored
        self._owed: list[_Erasure] = []  # oldest first
        self._noted = -1  # last batch by which a user was erased, as far as known
        self._dropped = -1  # nothing from before this batch is left
        self._not_before_s = 0.0  # after a failure
        self._claim: BinaryIO | None = None
        self._told = False

    def begin(self, standing: Standing[P]) -> None:
        """Begin with a state that was just restored, or recovered."""
        self._newest = standing.restored
        self._begun = -1 if standing.restored is None else standing.restored.sequence
        self._begun_s = self._clock_s()
        self._begun_worked_s = 0.0
        self._not_before_s = 0.0
        self._dropped = -1
        self._noted = standing.erased
        self._owed = [] if standing.erased < 0 else [_Erasure(standing.erased, -math.inf)]

    def keep(self, standing: Standing[P]) -> None:
        """Between two batches: take a snapshot, or delete some, where that is due."""
        now_s = self._clock_s()
        self._note(standing, now_s)
        if (self._work is not None and not self._work.done()) or not self._may_write():
            return
        self.wait()
        learned = standing.sequence - 1 > self._begun
        due = now_s - self._begun_s >= self._every_s or standing.worked_s - self._begun_worked_s >= _MOST_WORK_S
        if (learned and due) or self._erasure_waits(now_s):
            self._begin(standing)
        elif (old := self._due(now_s)) is not None:
            self._work = self._worker.submit(self._drop, *old, standing.epoch)

    def finish(self, standing: Standing[P]) -> None:
        """Take the last snapshot, and owe nothing any more."""
        self.wait()
        if not self._may_write():
            return
        self._note(standing, math.inf)
        self._not_before_s = 0.0
        if standing.sequence - 1 > self._begun or self._erasure_waits(math.inf):
            self._begin(standing)
            self.wait()
        if (due := self._due(math.inf)) is not None:
            self._drop(*due, standing.epoch)

    def wait(self) -> None:
        """Wait for what is being written, if it does not take too long, or deleted."""
        work, self._work = self._work, None
        if work is not None:
            if self._writing is not None:
                self._writing.hurry(_MOST_WAITING_S)
            work.result()
        self._owed = [one for one in self._owed if one.sequence > self._dropped]

    def close(self) -> None:
        """End the thread, and leave the folder to others."""
        self._worker.shutdown()
        if self._claim is not None:
            self._claim.close()

    def _may_write(self) -> bool:
        """Whether no other process writes to the folder."""
        if self._claim is not None:
            return True
        try:
            self._claim = claim(self._task.snapshots)
        except OSError:
            return True  # a snapshot will fail as well, and say why
        if self._claim is None and not self._told:
            self._told = True
            _log.info("Another process takes the snapshots in %s, and this one none.", self._task.snapshots)
        return self._claim is not None

    def _note(self, standing: Standing[P], now_s: float) -> None:
        """Take note of the newest erasure; those before it since the last time share its deadline."""
        if standing.erased > self._noted:
            self._noted = standing.erased
            self._owed.append(_Erasure(standing.erased, now_s))

    def _erasure_waits(self, now_s: float) -> bool:
        """Whether it is time for a snapshot because of an erasure that the newest one does not know of."""
        known = -1 if self._newest is None else self._newest.sequence
        waits = next((one for one in self._owed if one.sequence > known), None)
        if waits is None or now_s < self._not_before_s:
            return False
        return now_s >= waits.at_s + self._erase_within_s / 2

    def _due(self, now_s: float) -> tuple[Path, int] | None:
        """Return the newest snapshot, and the last erasure that it knows of whose time has passed."""
        if self._newest is None or now_s < self._not_before_s:
            return None
        known, before_s = self._newest.sequence, now_s - self._erase_within_s
        due = [one.sequence for one in self._owed if one.sequence <= known and one.at_s <= before_s]
        return (self._newest.path, due[-1]) if due else None

    def _begin(self, standing: Standing[P]) -> None:
        """Let a copy of the process write the state as it is now."""
        self._begun_s = self._clock_s()
        self._begun = standing.sequence - 1
        self._begun_worked_s = standing.worked_s
        try:
            with self._observer.stage("snapshot"):
                self._writing = Apart(partial(_written, self._task, standing))
        except ApartError as error:
            self._not_written(f"A snapshot was not written: {error}")
            return
        self._work = self._worker.submit(self._note_written, self._writing, self._begun)

    def _note_written(self, writing: Apart, sequence: int) -> None:
        try:
            written = msgspec.json.decode(writing.result(_MOST_WRITING_S), type=_Written)
        except ApartError as error:
            written = _Written(failure=f"A snapshot was not written: {error}")
        if written.contents is None:
            self._not_written(written.failure)
            return
        self._newest = Saved(Path(written.path), sequence)
        _log.info("Snapshot %s is written.", self._newest.path)
        self._observer.snapshot(written.contents, self._now_ms())

    def _not_written(self, why: str) -> None:
        self._begun = -1 if self._newest is None else self._newest.sequence  # so what was learned since is still due
        self._failed(why)

    def _drop(self, kept: Path, sequence: int, epoch: int) -> None:
        try:
            dropped = drop_before(kept, epoch, sequence)
        except SnapshotError as error:
            self._newest = None  # it may be the damaged one
            self._failed(str(error))
            return
        self._dropped = sequence
        for path in dropped:
            _log.info("Snapshot %s is deleted: users were erased since.", path)

    def _failed(self, why: str) -> None:
        """Say it and try again later: the stream goes on."""
        _log.error("%s", why)
        self._observer.snapshot_failed()
        self._not_before_s = self._clock_s() + max(_TRY_AGAIN_S, self._every_s)


def _written(task: Task[P], standing: Standing[P]) -> bytes:
    """Write a snapshot, and say so in JSON."""
    state = standing.pipeline.state()
    try:
        saved = task.save(standing, state, standing.pipeline.watermark_ms)
    except SnapshotError as error:
        return msgspec.json.encode(_Written(failure=str(error)))
    return msgspec.json.encode(_Written(str(saved.path), contents(state)))
