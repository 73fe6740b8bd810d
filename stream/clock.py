"""Event time: in which order the partitions' records happened, and how far time has come.

Partitions are read side by side, each at its own pace. To learn a backlog of days in the order in which it happened,
their records are merged by event time: always the earliest head first, and within a partition the order of the log. The
merge is a function of the records alone. Whoever merges the same set of records again, such as a follower of the
journal, gets the same order.

A partition's watermark says: no event older than this is expected any more. It is the latest event time seen there,
less a grace, and it never goes back.
"""

import datetime as dt
from collections import deque
from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heapreplace

import msgspec
import numpy as np

from stream.events import Decoded
from stream.log import TopicPartition
from stream.snapshots import State

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

_OVERHEAD_BYTES = 700  # of the Python objects that hold a waiting record and its event, besides their key and value


def utc(time_ms: int) -> dt.datetime:
    """Return epoch milliseconds as a datetime in UTC."""
    return _EPOCH + dt.timedelta(milliseconds=time_ms)


class Watermarks:
    """How far event time has come on each partition.

    Parameters
    ----------
    grace_ms
        How much later than its successors an event may arrive and still be expected.
    """

    def __init__(self, grace_ms: int) -> None:
        self._grace_ms = grace_ms
        self._latest: dict[TopicPartition, int] = {}

    def observe(self, source: TopicPartition, time_ms: int) -> None:
        """Take note of an event; an earlier one than seen before changes nothing."""
        if time_ms > self._latest.get(source, time_ms - 1):
            self._latest[source] = time_ms

    def of(self, source: TopicPartition) -> int | None:
        """Return the watermark of one partition in epoch milliseconds; None before its first event."""
        latest = self._latest.get(source)
        return None if latest is None else latest - self._grace_ms

    def lowest(self) -> int | None:
        """Return the watermark of all: the lowest among the partitions that had events; None before the first."""
        return min(self._latest.values()) - self._grace_ms if self._latest else None

    def state(self) -> State:
        """Return a copy of the latest event times by partition."""
        rows = [(topic, partition, latest) for (topic, partition), latest in sorted(self._latest.items())]
        return {"latest": np.frombuffer(msgspec.json.encode(rows), np.uint8).copy()}

    def restore(self, state: State) -> None:
        """Take back what `state` gave."""
        rows = msgspec.json.decode(state["latest"].tobytes(), type=list[tuple[str, int, int]])
        self._latest = {TopicPartition(topic, partition): latest for topic, partition, latest in rows}


class EventTimeMerge:
    """Records of several partitions that wait for their turn in event time.

    Memory is bounded by whoever adds: `crowded` says which partitions should pause.
    """

    def __init__(self, partitions: Iterable[TopicPartition]) -> None:
        self._sources = sorted(set(partitions))
        self._waiting: dict[TopicPartition, deque[Decoded]] = {source: deque() for source in self._sources}
        self._bytes = dict.fromkeys(self._sources, 0)

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def add(self, decoded: Iterable[Decoded]) -> None:
        """Let records wait; those of one partition come in the order of the log."""
        for one in decoded:
            source = one.record.source
            self._waiting[source].append(one)
            self._bytes[source] += _bytes_of(one)

    def take(self, limit: int, waiting_for: frozenset[TopicPartition] = frozenset()) -> list[Decoded]:
        """Remove and return up to `limit` records, the earliest head first, ties by topic and partition.

        Stops where a partition in `waiting_for` has nothing more: its next record may be earlier than all others. The
        answer is ordered as `merge` would order it.
        """
        if any(not self._waiting[source] for source in waiting_for):
            return []
        heads = [(queue[0].time_ms, rank) for rank, queue in enumerate(self._waiting.values()) if queue]
        heapify(heads)
        taken: list[Decoded] = []
        while heads and len(taken) < limit:
            rank = heads[0][1]
            source = self._sources[rank]
            queue = self._waiting[source]
            one = queue.popleft()
            taken.append(one)
            self._bytes[source] -= _bytes_of(one)
            if queue:
                heapreplace(heads, (queue[0].time_ms, rank))
            elif source in waiting_for:
                break
            else:
                heappop(heads)
        return taken

    def crowded(self, max_bytes: int) -> frozenset[TopicPartition]:
        """Return the partitions whose waiting records hold `max_bytes` or more."""
        return frozenset(source for source, size in self._bytes.items() if size >= max_bytes)


def merge(decoded: Sequence[Decoded]) -> list[Decoded]:
    """Order records by event time: always the earliest of the partitions' heads, ties by topic and partition.

    Records of one partition stay in the order in which they are given. A record without a time, such as one that could
    not be read, is taken as soon as it is the head of its partition.
    """
    waiting = EventTimeMerge(one.record.source for one in decoded)
    waiting.add(decoded)
    return waiting.take(len(decoded))


def _bytes_of(one: Decoded) -> int:
    """Estimate the memory that one waiting record holds."""
    return _OVERHEAD_BYTES + len(one.record.key or b"") + len(one.record.value or b"")
