"""What every log keeps, held by the real one on Kafka and by the one in memory."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol

import pytest
from kafka import KafkaProducer
from kafka.structs import TopicPartition as KafkaPartition

from stream.broker import EmbeddedBroker
from stream.errors import LeaseLostError
from stream.kafka import KafkaLog
from stream.kafka_clients import Connection
from stream.kafka_reader import RangeReader
from stream.log import Log, OutputRecord, Record, TopicPartition
from stream.memory import MemoryBroker, MemoryLog
from stream.topics import TaskTopics, ensure_topics, task_topics


class Bench(Protocol):
    """Makes logs of one task, and plays the world around it."""

    input: str
    output: str

    def log(self) -> Log: ...

    def produce(self, partition: int, *values: bytes | None, timestamp_ms: int = 1_000) -> None: ...

    def written(self, topic: str) -> list[Record]: ...


class MemoryBench:
    input = "input"
    output = "output"

    def __init__(self) -> None:
        self._broker = MemoryBroker(self.input, 2)

    def log(self) -> Log:
        return MemoryLog(self._broker)

    def produce(self, partition: int, *values: bytes | None, timestamp_ms: int = 1_000) -> None:
        for value in values:
            self._broker.append(TopicPartition(self.input, partition), value, b"key", timestamp_ms)

    def written(self, topic: str) -> list[Record]:
        return self._broker.records(topic)


class KafkaBench:
    def __init__(self, broker: EmbeddedBroker, prefix: str) -> None:
        self.input = f"{prefix}input"
        self.output = f"{prefix}output"
        self._prefix = prefix
        self._connection = Connection(broker.bootstrap)
        table = task_topics(f"{prefix}app", self.input, self.output, 2)
        # What is written here is of 1970, and would leave a log that keeps its records for so and so many days.
        source, output, dead_letters, journal = (replace(spec, retention_ms=-1) for spec in table.all())
        self._topics = ensure_topics(self._connection, TaskTopics(source, output, dead_letters, journal))

    def log(self) -> Log:
        return KafkaLog(self._connection, f"{self._prefix}app", self._topics, end_process=lambda _code: None)

    def produce(self, partition: int, *values: bytes | None, timestamp_ms: int = 1_000) -> None:
        with KafkaProducer(**self._connection.settings(), linger_ms=5, batch_size=131_072) as producer:
            for value in values:
                producer.send(self.input, value=value, key=b"key", partition=partition, timestamp_ms=timestamp_ms)

    def written(self, topic: str) -> list[Record]:
        sources = [TopicPartition(topic, number) for number in range(2)]
        consumer = self._connection.consumer()
        ends = consumer.end_offsets([KafkaPartition(*source) for source in sources])
        consumer.close()
        reader = RangeReader(self._connection, sources, lambda: None)
        records = reader.read({source: (0, ends[KafkaPartition(*source)]) for source in sources})
        reader.close()
        return records


@pytest.fixture(params=["memory", "kafka"])
def bench(request: pytest.FixtureRequest, prefix: str) -> Bench:
    if request.param == "memory":
        return MemoryBench()
    return KafkaBench(request.getfixturevalue("broker"), prefix)


@pytest.fixture
def open_log(bench: Bench) -> Iterator[Callable[[], Log]]:
    logs: list[Log] = []

    def opened() -> Log:
        logs.append(bench.log())
        return logs[-1]

    yield opened
    for log in logs:
        log.close()


@pytest.fixture
def log(open_log: Callable[[], Log]) -> Log:
    return open_log()


def _never() -> bool:
    return False


def _poll_until(log: Log, count: int) -> list[Record]:
    records: list[Record] = []
    while len(records) < count:
        records += log.poll(1_000)
    return records


def test_inputs_and_bounds_name_every_partition(bench: Bench, log: Log) -> None:
    bench.produce(1, b"a", b"b")
    first, second = TopicPartition(bench.input, 0), TopicPartition(bench.input, 1)
    assert list(log.inputs()) == [first, second]
    assert log.bounds() == {first: (0, 0), second: (0, 2)}
    assert log.committed() == {}
    assert log.journal_bounds() == (0, 0)
    assert list(log.journal(0)) == []


def test_records_come_in_order_with_all_that_they_hold(bench: Bench, log: Log) -> None:
    bench.produce(0, b"a", None, b"c", timestamp_ms=5_000)
    assert log.acquire(_never)
    log.seek({source: 0 for source in log.inputs()})
    source = TopicPartition(bench.input, 0)
    assert log.behind() == {source}
    records = _poll_until(log, 3)
    assert [(r.offset, r.value) for r in records] == [(0, b"a"), (1, None), (2, b"c")]
    assert {(r.key, r.timestamp_ms, r.source) for r in records} == {(b"key", 5_000, source)}
    assert log.behind() == frozenset()


def test_seek_decides_where_poll_goes_on(bench: Bench, log: Log) -> None:
    bench.produce(0, b"a", b"b", b"c")
    assert log.acquire(_never)
    log.seek({TopicPartition(bench.input, 0): 2, TopicPartition(bench.input, 1): 0})
    assert [record.value for record in _poll_until(log, 1)] == [b"c"]


def test_a_paused_partition_is_silent_until_it_is_resumed(bench: Bench, log: Log) -> None:
    bench.produce(0, b"a")
    bench.produce(1, b"b")
    assert log.acquire(_never)
    log.seek({source: 0 for source in log.inputs()})
    paused = TopicPartition(bench.input, 0)
    silent: list[Record] = []
    while not silent:
        silent += log.poll(1_000, frozenset({paused}))
    assert [record.value for record in silent] == [b"b"]
    assert paused in log.behind()
    assert [record.value for record in _poll_until(log, 1)] == [b"a"]


def test_a_commit_writes_outputs_journal_and_offsets_together(bench: Bench, log: Log) -> None:
    bench.produce(0, b"a", b"b")
    assert log.acquire(_never)
    source = TopicPartition(bench.input, 0)
    outputs = [
        OutputRecord(bench.output, 1, b"user", b"list", (("when", b"now"),), 77_000),
        OutputRecord(f"{bench.input}.dlq", 0, None, None, (("why", b"nothing at all"),), 78_000),
    ]
    first = log.commit(outputs, b"journal 1", {source: 1})
    second = log.commit([], b"journal 2", {source: 2})
    assert second > first >= 0
    assert log.committed() == {source: 2}
    assert log.acquire(_never)  # from then on all that was committed can be read
    assert [(entry.offset, entry.value) for entry in log.journal(0)] == [(first, b"journal 1"), (second, b"journal 2")]
    assert [entry.value for entry in log.journal(first + 1)] == [b"journal 2"]
    start, end = log.journal_bounds()
    assert start == 0
    assert second < end
    (written,) = bench.written(bench.output)
    assert (written.partition, written.key, written.value) == (1, b"user", b"list")
    assert (written.headers, written.timestamp_ms) == ((("when", b"now"),), 77_000)
    (dead,) = bench.written(f"{bench.input}.dlq")
    assert (dead.partition, dead.key, dead.value, dead.headers) == (0, None, None, (("why", b"nothing at all"),))


def test_ranges_are_read_exactly_and_again(bench: Bench, log: Log) -> None:
    bench.produce(0, *(b"%d" % number for number in range(10)))
    bench.produce(1, b"x", b"y")
    first, second = log.inputs()
    assert log.acquire(_never)
    assert [r.value for r in log.read({second: (0, 1), first: (2, 5)})] == [b"2", b"3", b"4", b"x"]
    assert [r.value for r in log.read({second: (1, 2), first: (5, 5)})] == [b"y"]
    assert [r.value for r in log.read({first: (5, 10), second: (2, 2)})] == [b"5", b"6", b"7", b"8", b"9"]
    assert [r.value for r in log.read({first: (0, 2)})] == [b"0", b"1"]
    assert log.read({}) == []


def test_ranges_of_partitions_at_different_paces_are_read_exactly(bench: Bench, log: Log) -> None:
    bench.produce(0, *(b"%d" % number for number in range(6_000)))
    bench.produce(1, *(b"%d" % number for number in range(1_500)))
    first, second = log.inputs()
    assert log.acquire(_never)
    for start in range(0, 1_500, 100):
        fast, slow = range(4 * start, 4 * start + 400), range(start, start + 100)
        records = log.read({first: (fast.start, fast.stop), second: (slow.start, slow.stop)})
        assert [record.offset for record in records] == [*fast, *slow]


def test_a_partition_that_was_paused_half_read_goes_on(bench: Bench, log: Log) -> None:
    for partition in (0, 1):
        bench.produce(partition, *(b"%d" % number for number in range(3_000)))
    assert log.acquire(_never)
    log.seek({source: 0 for source in log.inputs()})
    offsets: dict[int, list[int]] = {0: [], 1: []}
    for turn in range(10_000):
        paused = frozenset({TopicPartition(bench.input, turn % 2)}) if turn < 20 else frozenset()
        for record in log.poll(20, paused):
            offsets[record.partition].append(record.offset)
        if all(len(of_one) == 3_000 for of_one in offsets.values()):
            break
    assert offsets == {0: list(range(3_000)), 1: list(range(3_000))}


def test_offsets_are_found_by_the_time_of_records(bench: Bench, log: Log) -> None:
    bench.produce(0, b"old", timestamp_ms=1_000)
    bench.produce(0, b"new", timestamp_ms=2_000)
    first, second = log.inputs()
    assert log.offsets_at(0) == {first: 0, second: 0}
    assert log.offsets_at(1_500) == {first: 1, second: 0}
    assert log.offsets_at(3_000) == {first: 2, second: 0}


def test_a_second_process_waits_and_takes_over_when_the_first_leaves(open_log: Callable[[], Log]) -> None:
    leader, standby = open_log(), open_log()
    assert leader.acquire(_never)
    source = leader.inputs()[0]
    asked = threading.Event()
    leads = threading.Event()

    def never_but_note() -> bool:
        asked.set()
        return False

    def stand_by() -> None:
        assert standby.acquire(never_but_note)
        leads.set()

    thread = threading.Thread(target=stand_by)
    thread.start()
    assert asked.wait(30)
    leader.seek({other: 0 for other in leader.inputs()})
    for number in range(1, 21):  # while the group takes the other one in
        leader.poll(20)
        leader.commit([], b"first", {source: number})
    assert not leads.is_set()
    leader.close()
    thread.join(30)
    assert leads.is_set()
    assert standby.committed() == {source: 20}
    standby.commit([], b"second", {source: 21})
    assert standby.committed() == {source: 21}


def test_waiting_for_the_lease_can_be_given_up(open_log: Callable[[], Log]) -> None:
    leader, standby = open_log(), open_log()
    assert leader.acquire(_never)
    answers = iter([False, False, True])
    assert not standby.acquire(lambda: next(answers))


def test_acquiring_again_goes_on_after_doubt(log: Log) -> None:
    assert log.acquire(_never)
    source = log.inputs()[0]
    log.commit([], b"one", {source: 1})
    assert log.acquire(_never)
    log.commit([], b"two", {source: 2})
    assert log.acquire(_never)
    assert [entry.value for entry in log.journal(0)] == [b"one", b"two"]


def test_a_leader_without_the_lease_cannot_commit(log: Log) -> None:
    with pytest.raises(LeaseLostError):
        log.commit([], b"journal", {log.inputs()[0]: 1})
    assert log.committed() == {}
    assert list(log.journal(0)) == []
