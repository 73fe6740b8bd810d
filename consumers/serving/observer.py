"""What the service tells whoever watches it.

The service knows nothing of Prometheus, and a test can watch it as well.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from consumers.pipeline import Learned, Outputs
from consumers.serving.contents import Contents
from consumers.serving.core import Core

P_contra = TypeVar("P_contra", bound=Core, contravariant=True)


class Role(StrEnum):
    """What a process is to its task."""

    LEADER = "leader"
    """It answers and commits."""
    STANDBY = "standby"
    """It has come to the end of the journal, follows it, and waits for the lease."""
    RECOVERING = "recovering"
    """It has not come to the end of the journal yet, or ends."""


class Observer(Protocol[P_contra]):
    """Is told what happens: `consumers.telemetry.Telemetry` and `consumers.web.live.LiveView` are in service."""

    def stage(self, name: str) -> AbstractContextManager[None]:
        """Time a part of the work on a batch."""

    def transaction(self) -> AbstractContextManager[None]:
        """Time a transaction."""

    def answered(self, outputs: Outputs, timestamps_ms: Sequence[int], now_ms: int) -> None:
        """Count a batch that was committed."""

    def learned(self, learned: Learned) -> None:
        """Count how well it was foreseen."""

    def stands(self, pipeline: P_contra) -> None:
        """Take down where the pipeline stands."""

    def behind(self, records: int, oldest_ms: int | None, now_ms: int) -> None:
        """Take down the lag."""

    def takes(self, role: Role) -> None:
        """Take down the role."""

    def trains(self, share: float) -> None:
        """Take down the training share."""

    def follows(self, left: int) -> None:
        """Take down how many offsets of the journal are still to be followed."""

    def restored(self, seconds: float) -> None:
        """Take down what a recovery took."""

    def snapshot(self, contents: Contents, now_ms: int) -> None:
        """Take down a snapshot that was written."""

    def snapshot_failed(self) -> None:
        """Count a snapshot that could not be written, or deleted when it had to be."""


class Both(Generic[P_contra]):
    """Tells two observers."""

    def __init__(self, one: Observer[P_contra], other: Observer[P_contra]) -> None:
        self._one = one
        self._other = other

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Let both time a part of the work on a batch."""
        with self._one.stage(name), self._other.stage(name):
            yield

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Let both time a transaction."""
        with self._one.transaction(), self._other.transaction():
            yield

    def answered(self, outputs: Outputs, timestamps_ms: Sequence[int], now_ms: int) -> None:
        """Tell both of a batch that was committed."""
        self._one.answered(outputs, timestamps_ms, now_ms)
        self._other.answered(outputs, timestamps_ms, now_ms)

    def learned(self, learned: Learned) -> None:
        """Tell both how well it was foreseen."""
        self._one.learned(learned)
        self._other.learned(learned)

    def stands(self, pipeline: P_contra) -> None:
        """Tell both where the pipeline stands."""
        self._one.stands(pipeline)
        self._other.stands(pipeline)

    def behind(self, records: int, oldest_ms: int | None, now_ms: int) -> None:
        """Tell both of the lag."""
        self._one.behind(records, oldest_ms, now_ms)
        self._other.behind(records, oldest_ms, now_ms)

    def takes(self, role: Role) -> None:
        """Tell both the role."""
        self._one.takes(role)
        self._other.takes(role)

    def trains(self, share: float) -> None:
        """Tell both the training share."""
        self._one.trains(share)
        self._other.trains(share)

    def follows(self, left: int) -> None:
        """Tell both what is left of the journal."""
        self._one.follows(left)
        self._other.follows(left)

    def restored(self, seconds: float) -> None:
        """Tell both what a recovery took."""
        self._one.restored(seconds)
        self._other.restored(seconds)

    def snapshot(self, contents: Contents, now_ms: int) -> None:
        """Tell both of a snapshot that was written."""
        self._one.snapshot(contents, now_ms)
        self._other.snapshot(contents, now_ms)

    def snapshot_failed(self) -> None:
        """Tell both of a snapshot that could not be written or deleted."""
        self._one.snapshot_failed()
        self._other.snapshot_failed()
