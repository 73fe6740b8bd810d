"""Which records make a batch, and how long they are waited for."""

import threading
from collections.abc import Mapping

import msgspec
import pytest

from consumers.durations import Duration
from consumers.serving import intake as intake_module
from consumers.serving.intake import Intake
from consumers.settings import Batch
from stream.events import Decoded
from stream.log import Record, TopicPartition
from stream.memory import MemoryBroker, MemoryLog
from tests.consumers.stream import NOON, settings
from tests.consumers.toy import Notes, Toy

FIRST, SECOND = TopicPartition("in", 0), TopicPartition("in", 1)
LATENCY_MS = 20


class SlowLog(MemoryLog):
    """A log whose second partition brings nothing in the first `silent` polls; remembers what was paused."""

    def __init__(self, broker: MemoryBroker, silent: int) -> None:
        super().__init__(broker)
        self.silent = silent
        self.paused: list[frozenset[TopicPartition]] = []

    def poll(self, timeout_ms: int, paused: frozenset[TopicPartition] = frozenset()) -> list[Record]:
        self.paused.append(paused)
        self.silent -= 1
        return super().poll(0, paused | {SECOND} if self.silent >= 0 else paused)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each look at the clock take a tenth of a second."""
    now_s = 0.0

    def monotonic() -> float:
        nonlocal now_s
        now_s += 0.1
        return now_s

    monkeypatch.setattr("consumers.serving.intake.time.monotonic", monotonic)


def intake(minutes: Mapping[TopicPartition, list[int]], silent: int) -> tuple[Intake[Toy], SlowLog]:
    """Take in events at the given minutes."""
    broker = MemoryBroker("in", 2)
    for source, times in minutes.items():
        for minute in times:
            body = {"user_id": "u", "item_id": "i", "event_time": NOON + 60_000 * minute}
            broker.append(source, msgspec.json.encode(body), timestamp_ms=NOON + 60_000 * minute)
    log = SlowLog(broker, silent)
    assert log.acquire(lambda: False)
    offsets = dict.fromkeys(log.inputs(), 0)
    log.seek(offsets)
    batch = Batch(latency=Duration.parse(f"{LATENCY_MS}ms"))
    return Intake(log, Toy(settings(), 0), offsets, batch, Notes(threading.Condition()), lambda: False), log


def minutes_of(batch: list[Decoded]) -> list[int]:
    return [(one.time_ms - NOON) // 60_000 for one in batch]


def test_a_partition_that_has_records_is_waited_for_so_that_time_is_in_order() -> None:
    taken, log = intake({FIRST: [1, 3], SECOND: [0, 2]}, silent=5)
    assert minutes_of(taken.next_batch(20)) == [0, 1, 2, 3]
    assert len(log.paused) == 6


def test_it_is_not_waited_for_without_end() -> None:
    taken, log = intake({FIRST: [1, 3], SECOND: [0, 2]}, silent=1_000)
    assert minutes_of(taken.next_batch(20)) == [1, 3]
    assert 5 < len(log.paused) < 30
    log.silent = 0
    assert minutes_of(taken.next_batch(20)) == [0, 2]


def test_a_partition_with_too_many_waiting_bytes_is_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "_MERGE_BYTES", 1)
    taken, log = intake({FIRST: [1, 3], SECOND: [0, 2]}, silent=3)
    taken.next_batch(20)
    assert log.paused == [frozenset(), {FIRST}, {FIRST}, {FIRST}]


def test_a_batch_is_no_longer_than_it_may_be_and_the_first_are_short() -> None:
    taken, _ = intake({FIRST: list(range(200)), SECOND: []}, silent=0)
    assert [len(taken.next_batch(batches)) for batches in range(3)] == [32, 64, 104]


def test_nothing_is_said_when_nothing_comes() -> None:
    taken, _ = intake({FIRST: [], SECOND: []}, silent=0)
    assert taken.next_batch(0) == []


def test_the_first_record_waits_for_others_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s, asked_ms = 0.0, list[int]()
    taken, log = intake({FIRST: [1], SECOND: []}, silent=0)
    polled = log.poll

    def poll(timeout_ms: int, paused: frozenset[TopicPartition] = frozenset()) -> list[Record]:
        nonlocal now_s
        now_s += timeout_ms / 1000 if asked_ms else 0.25
        asked_ms.append(timeout_ms)
        return polled(timeout_ms, paused)

    monkeypatch.setattr("consumers.serving.intake.time.monotonic", lambda: now_s)
    monkeypatch.setattr(log, "poll", poll)
    assert minutes_of(taken.next_batch(0)) == [1]
    assert asked_ms[1:] == [LATENCY_MS]
