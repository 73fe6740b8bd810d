"""A join of the group that has begun is ended, however short the polls are in which it happens.

A member that has shared out partitions joins its group again when it sees that its topic has others by now; above all
right after its start, when it has shared out before it knew the topic at all. kafka-python 3.0.12 sees that by a
comparison which its own join makes true again half-way. So when a poll's time is up in the second half, the next poll
finds nothing to be done, and nobody takes what the join brings: the member holds no partition, sends no heartbeats and
hears of nothing any more, while each of its polls returns in time. Nothing that a consumer can be given or asked helps.

Here the client is mended as this module is imported, which `stream.kafka_clients` does for all: as long as a join has
begun and not ended, there is one to be done, as Kafka's own Java client has it.
"""

from kafka.coordinator.consumer import ConsumerCoordinator

_sees_a_reason = ConsumerCoordinator.need_rejoin


def _need_rejoin(coordinator: ConsumerCoordinator) -> bool:
    """Return whether the client sees a reason to join, or is in the middle of joining."""
    return bool(_sees_a_reason(coordinator) or coordinator.rebalance_in_progress())


ConsumerCoordinator.need_rejoin = _need_rejoin
