"""What a task is, and where a state of it stands.

A state belongs to a place in the journal: the same records, done in the same batches with the same decisions, lead to
it again. `Standing` keeps both together; `Task` is what stays while states come and go.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, NamedTuple

from consumers.serving.core import Done, P
from stream import snapshots
from stream.log import Log, Offsets
from stream.snapshots import Manifest, State

THREADS = 1  # to which `models.network.numerics` binds every model


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
    worked_s: float = 0.0  # what learning has taken since it was made or restored, and would take once more


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
    checkpoint
        SHA-256 of the checkpoint that an empty pipeline begins with, if any.
    """

    log: Log
    application: str
    settings_hash: str
    snapshots: Path
    make: Callable[[int], P]
    checkpoint: str | None = None

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
            fingerprint=snapshots.fingerprint(THREADS),
            state_hash=snapshots.state_hash(state),
        )
        return Saved(snapshots.save(self.snapshots, state, manifest), manifest.sequence)
