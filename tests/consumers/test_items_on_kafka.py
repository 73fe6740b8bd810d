"""The topic of the items on a real broker: read, journaled, withdrawn by a record without a value, followed again."""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from kafka import KafkaProducer
from kafka.structs import TopicPartition as KafkaPartition

from consumers.pipeline import Outputs, Pipeline
from consumers.service import Service
from consumers.serving.recovery import Follower
from consumers.serving.task import Task
from consumers.settings import Settings
from stream.broker import EmbeddedBroker
from stream.kafka import KafkaLog
from stream.kafka_clients import Connection
from stream.snapshots import state_hash
from stream.topics import TaskTopics, ensure_topics
from tests.consumers.stream import MINUTE, NOON, round_robin
from tests.consumers.toy import Notes

PATIENCE_S = 100
WALK = round_robin(6)


class _Counts(Notes):
    """Counts what was committed, and wakes up who waits for that."""

    def __init__(self) -> None:
        super().__init__(threading.Condition())
        self.lists = self.items = 0

    def answered(self, outputs: Outputs, timestamps_ms: Sequence[int], now_ms: int) -> None:
        with self._changed:
            self.lists += len(outputs.lists)
            self.items += outputs.items
            self._changed.notify_all()

    def wait(self, *, lists: int, items: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: (self.lists, self.items) == (lists, items), PATIENCE_S)


class _Bench:
    """One task with items on a broker."""

    def __init__(self, bootstrap: str, prefix: str, folder: Path) -> None:
        self.settings = Settings.model_validate(
            {
                "application": {"name": f"{prefix}app"},
                "input": {"topic": f"{prefix}in", "partitions": 2},
                "items": {"topic": f"{prefix}items"},
                "publish": {"topic": f"{prefix}out"},
                "state": {"dir": folder},
                "network": {"enabled": False},
            }
        )
        self.connection = Connection(bootstrap)
        self.topics: TaskTopics = ensure_topics(self.connection, self.settings.topics())
        self.notes = _Counts()
        self.made: list[Pipeline] = []
        self._events = 0

    def task(self, log: KafkaLog, folder: Path) -> Task[Pipeline]:
        def make(epoch: int) -> Pipeline:
            self.made.append(Pipeline(self.settings, epoch))
            return self.made[-1]

        return Task(log, self.settings.application.name, "", folder, make)

    def log(self) -> KafkaLog:
        return KafkaLog(self.connection, self.settings.application.name, self.topics, end_process=lambda _code: None)

    @contextmanager
    def running(self) -> Iterator[None]:
        service = Service(self.task(self.log(), self.settings.state.dir), self.settings, self.notes)
        thread = threading.Thread(target=service.run)
        thread.start()
        try:
            yield
        finally:
            service.stop()
            thread.join(PATIENCE_S)

    def tell(self, told: Mapping[str, Mapping[str, object] | None]) -> None:
        with KafkaProducer(**self.connection.settings()) as producer:
            for key, item in told.items():
                value = None if item is None else json.dumps({"item_id": key, **item}).encode()
                producer.send(f"{self.settings.items.topic}", key=key.encode(), value=value)

    def walk(self, pairs: Sequence[str]) -> None:
        with KafkaProducer(**self.connection.settings()) as producer:
            for pair in pairs:
                user, item = pair.split()
                time_ms = NOON + self._events * MINUTE
                event = {"user_id": user, "item_id": item, "event_time": time_ms}
                producer.send(
                    self.settings.input.topic, value=json.dumps(event).encode(), partition=0, timestamp_ms=time_ms
                )
                self._events += 1

    def lists(self, count: int) -> list[set[str]]:
        """The items of the first `count` lists, in order."""
        reader = self.connection.consumer()
        reader.assign([KafkaPartition(self.settings.publish.topic, 0)])
        reader.seek_to_beginning()
        lists: list[set[str]] = []
        while len(lists) < count:
            for records in reader.poll(timeout_ms=1_000).values():
                lists += [{item["item_id"] for item in json.loads(record.value)["items"]} for record in records]
        reader.close()
        return lists


def test_what_is_withdrawn_leaves_the_lists_and_the_journal_leads_to_the_same_state(
    broker: EmbeddedBroker, prefix: str, tmp_path: Path
) -> None:
    bench = _Bench(broker.bootstrap, prefix, tmp_path / "state")
    bench.tell({item: {"attributes": {"genre": "x"}} for item in "abcdn"})
    with bench.running():
        bench.walk(WALK)
        bench.notes.wait(lists=len(WALK), items=5)
        bench.tell({"c": None, "n": {"available": False}})
        bench.notes.wait(lists=len(WALK), items=7)
        bench.walk(WALK)
        bench.notes.wait(lists=2 * len(WALK), items=7)
    led = bench.made[-1]

    lists = bench.lists(2 * len(WALK))
    assert "c" in set.union(*lists[: len(WALK)])
    assert set.union(*lists[len(WALK) :]) == {"a", "b", "d"}

    log = bench.log()
    assert log.acquire(lambda: False)
    followed = Follower(bench.task(log, tmp_path / "nowhere")).lead()
    log.close()
    assert state_hash(followed.pipeline.state()) == state_hash(led.state())
    assert sum(offset for source, offset in followed.offsets.items() if source.topic == bench.settings.items.topic) == 7
