"""Who leads a task: the member of its consumer group that holds the journal's only partition.

The group gives that partition to one member at a time and to the next one when the first leaves or is silent for
longer than the session timeout. Offsets are committed with the group's metadata, so that a leader who has lost the
lease without noticing is refused by the broker.

A lease that was lost and came back is another lease: somebody else may have led in between.
"""

import time
from collections.abc import Callable, Iterable, Sequence

from kafka import ConsumerRebalanceListener
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.structs import ConsumerGroupMetadata, MemberState
from kafka.structs import TopicPartition as KafkaPartition

from stream.errors import LeaseLostError
from stream.kafka_clients import Connection
from stream.log import Offsets, TopicPartition
from stream.watchdog import Watchdog

SESSION_TIMEOUT_MS = 10_000
"""How long a leader may be silent before another one takes over."""

_MAX_POLL_INTERVAL_MS = 120_000  # compiling and learning a large batch must fit
_POLL_BUDGET_S = 60.0
_WAIT_MS = 100
_CONVERGE_S = 30.0  # for the group to take in or lose another member


class _Tenure(ConsumerRebalanceListener):  # type: ignore[misc]  # the client has no types
    """Notes what happened; it runs on the client's own thread, where nothing else may be done."""

    def __init__(self) -> None:
        self.held = False
        self.number = 0

    def on_partitions_assigned(self, assigned: Iterable[KafkaPartition]) -> None:
        if any(True for _ in assigned):
            self.number += 1
            self.held = True

    def on_partitions_revoked(self, revoked: Iterable[KafkaPartition]) -> None:
        if any(True for _ in revoked):  # it is also called with nothing
            self.held = False

    def on_partitions_lost(self, lost: Iterable[KafkaPartition]) -> None:
        self.on_partitions_revoked(lost)


class Lease:
    """Membership in the task's group, and through it the right to commit.

    Parameters
    ----------
    connection
        Where the broker is.
    group
        The task's consumer group.
    journal
        Topic whose only partition is the lease.
    watchdog
        Ends the process where the client does not come back from a poll.
    session_timeout_ms
        How long this member may be silent before the lease passes on.
    """

    def __init__(
        self,
        connection: Connection,
        group: str,
        journal: str,
        watchdog: Watchdog,
        session_timeout_ms: int = SESSION_TIMEOUT_MS,
    ) -> None:
        self._connection = connection
        self._watchdog = watchdog
        self._tenure = _Tenure()
        self._acquired = 0
        self._consumer = connection.consumer(
            group_id=group,
            partition_assignment_strategy=[CooperativeStickyAssignor],  # who stays keeps the lease, whoever joins
            session_timeout_ms=session_timeout_ms,
            heartbeat_interval_ms=session_timeout_ms // 5,
            max_poll_interval_ms=_MAX_POLL_INTERVAL_MS,
            auto_offset_reset="latest",  # nothing is read through this consumer
        )
        self._consumer.subscribe([journal], listener=self._tenure)
        self.metadata: ConsumerGroupMetadata = self._consumer.group_metadata()

    def acquire(self, cancelled: Callable[[], bool]) -> bool:
        """Wait until the lease is held; False when `cancelled` says so first."""
        while not (self._tenure.held and self._stable()):
            if cancelled():
                return False
            with self._connection.reaching():
                self._poll(_WAIT_MS)
        self._acquired = self._tenure.number
        self.metadata = self._consumer.group_metadata()
        return True

    def keep(self) -> None:
        """Stay in the group and take its metadata for the next commit; to be called between any two commits.

        While the group takes in or loses another member this waits, because a commit in the middle of that would be
        refused.

        Raises
        ------
        LeaseLostError
            When the lease has passed to another process, even if it has come back since.
        """
        deadline = time.monotonic() + _CONVERGE_S
        with self._connection.reaching():
            self._poll(0)
            while self._holds() and not self._stable() and time.monotonic() < deadline:
                self._poll(_WAIT_MS)
        if not (self._holds() and self._stable()):
            message = "The lease is lost: another process leads this task now, or this one was too slow to renew it."
            raise LeaseLostError(message)
        self.metadata = self._consumer.group_metadata()

    def committed(self, sources: Sequence[TopicPartition]) -> Offsets:
        """Return the group's committed offsets of those of `sources` that have one."""
        with self._connection.reaching():
            found = {source: self._consumer.committed(KafkaPartition(*source)) for source in sources}
        return {source: offset for source, offset in found.items() if offset is not None}

    def close(self) -> None:
        """Leave the group, so that the lease passes on at once."""
        self._consumer.close()

    def _poll(self, timeout_ms: int) -> None:
        with self._watchdog.limit("A poll for the lease", timeout_ms / 1000 + _POLL_BUDGET_S):
            self._consumer.poll(timeout_ms=timeout_ms)
        self._consumer.pause(*self._consumer.assignment())

    def _stable(self) -> bool:
        return bool(self._consumer.group_metadata().state == MemberState.STABLE)

    def _holds(self) -> bool:
        return self._tenure.held and self._tenure.number == self._acquired
