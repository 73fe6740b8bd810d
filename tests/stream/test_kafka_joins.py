"""This fails when another version of the client asks elsewhere than where it is mended whether it must join."""

import threading
from contextlib import closing
from typing import Any

from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor

from stream.broker import EmbeddedBroker
from stream.kafka_clients import Connection


class _SaysWhen(CooperativeStickyAssignor):  # type: ignore[misc]  # the client has no types
    """Shares out as the other one does; `shares` is set once it has shared out `awaited` partitions."""

    def __init__(self, awaited: int) -> None:
        super().__init__()
        self._awaited = awaited
        self.shares = threading.Event()

    def assign(self, cluster: Any, members: Any) -> Any:
        assignments = super().assign(cluster, members)
        if sum(len(of_one.partitions()) for of_one in assignments.values()) == self._awaited:
            self.shares.set()
        return assignments


def test_a_join_that_outlasts_its_poll_is_ended_by_the_next_one(broker: EmbeddedBroker, prefix: str) -> None:
    connection, topic, assignor = Connection(broker.bootstrap), f"{prefix}grows", _SaysWhen(awaited=2)
    member = connection.consumer(
        group_id=topic,
        partition_assignment_strategy=[assignor],
        auto_offset_reset="latest",
        metadata_max_age_ms=100,
    )
    with closing(member), connection.admin() as admin:
        admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
        member.subscribe([topic])
        while len(member.assignment()) < 1:
            member.poll(timeout_ms=1_000)
        admin.create_partitions({topic: 2})
        while not assignor.shares.is_set():
            member.poll(timeout_ms=0)  # its time is up before the broker can answer
        for _ in range(30):
            member.poll(timeout_ms=1_000)
            if len(member.assignment()) == 2:
                break
        assert len(member.assignment()) == 2
