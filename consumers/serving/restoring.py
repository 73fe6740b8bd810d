"""Where following the journal begins: at a snapshot, or with the empty state of an epoch.

A snapshot saves the way from the beginning. It is used when it is whole, when it was made under the settings of today,
and when the journal holds the batch that it stands on, to the same offsets, done as it was done there.
"""

import logging
from contextlib import closing
from itertools import islice
from pathlib import Path

from consumers.serving.core import P
from consumers.serving.task import Saved, Standing, Task
from stream import journal, snapshots
from stream.errors import RecoveryError, SnapshotError
from stream.log import Log
from stream.snapshots import Manifest, State

_log = logging.getLogger(__name__)


def restore(task: Task[P]) -> Standing[P]:
    """Return the newest snapshot that can be used, or else the empty state of the epoch that the journal is in.

    Raises
    ------
    RecoveryError
        When the journal is another application's, or no journal.
    """
    standing = _newest_snapshot(task)
    epoch, journal_offset = _newest_epoch(task, standing)
    if standing is None or epoch > standing.epoch:
        standing = Standing(task.make(epoch), epoch, journal_offset=journal_offset - 1)
    return standing


def next_epoch(task: Task[P], now_ms: int) -> Standing[P]:
    """Return an empty state of an epoch that never was.

    A number that comes again would bring old `rec_id`s and old snapshots back to life. The journal knows the last one;
    where it has lost its records, the number is that of the second in which the epoch begins.
    """
    start, _ = task.log.journal_bounds()
    last = max((journal.decode(entry.value).epoch for entry in task.log.journal(start)), default=now_ms // 1000)
    return Standing(task.make(last + 1), epoch=last + 1)


def from_snapshot(task: Task[P], path: Path) -> Standing[P]:
    """Return the state in a snapshot; SnapshotError when it cannot be used, with the reason."""
    manifest, state = usable(task, path)
    pipeline = task.make(manifest.epoch)
    pipeline.restore(state)
    return Standing(
        pipeline,
        manifest.epoch,
        manifest.sequence + 1,
        dict(manifest.offsets),
        manifest.journal_offset,
        manifest.erased,
        Saved(path, manifest.sequence),
    )


def usable(task: Task[P], path: Path) -> tuple[Manifest, State]:
    """Read a snapshot; SnapshotError when it cannot be used, with the reason."""
    manifest, state = snapshots.load(path, task.application)
    if manifest.settings_hash != task.settings_hash:
        message = f"Snapshot {path} was made under other settings and is not used."
        raise SnapshotError(message)
    if not _is_in_journal(task.log, manifest):
        message = f"Snapshot {path} stands on a batch that the journal does not hold and is not used."
        raise SnapshotError(message)
    return manifest, state


def _newest_snapshot(task: Task[P]) -> Standing[P] | None:
    for path in snapshots.candidates(task.snapshots):
        try:
            standing = from_snapshot(task, path)
        except SnapshotError as error:
            _log.warning("%s", error)
        else:
            _log.info("Snapshot %s is restored.", path)
            return standing
    return None


def _is_in_journal(log: Log, manifest: Manifest) -> bool:
    """Whether the journal has the batch where the snapshot says, and has not amended it since."""
    start, end = log.journal_bounds()
    if not start <= manifest.journal_offset < end:
        return False
    with closing(log.journal(manifest.journal_offset)) as entries:
        found = [(entry.offset, journal.decode(entry.value)) for entry in islice(entries, 2)]
    if not found or found[0][0] != manifest.journal_offset:
        return False
    record = found[0][1]
    same = (record.application, record.epoch, record.sequence) == (
        manifest.application,
        manifest.epoch,
        manifest.sequence,
    )
    stood = dict(manifest.offsets)
    same = same and all(stood.get(source) == end for source, (_, end) in record.ranges.items())
    return same and all(following.before is None for _, following in found[1:])


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
