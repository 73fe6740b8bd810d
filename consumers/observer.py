"""What the service tells whoever watches it.

The service knows nothing of Prometheus, and a test can watch it as well.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Protocol, TypeVar

from consumers.core import Core
from consumers.pipeline import Learned, Outputs
from stream.snapshots import State

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
    """Is told what happens; `consumers.telemetry.Telemetry` is the one in service."""

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

    def restored(self, seconds: float) -> None:
        """Take down what a recovery took."""

    def snapshot(self, state: State, now_ms: int) -> None:
        """Take down a snapshot that was written."""
