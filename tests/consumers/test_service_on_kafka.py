import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kafka import KafkaConsumer, KafkaProducer
from kafka.structs import TopicPartition as KafkaPartition

from consumers.recovery import recover
from stream.broker import EmbeddedBroker
from stream.kafka import KafkaLog
from stream.kafka_clients import Connection
from stream.topics import ensure_topics
from tests.consumers.toy import Toy, toy_settings, toy_task

ROOT = Path(__file__).parents[2]
EVENTS = 600
PATIENCE_S = 100


def _produce(connection: Connection, topic: str, first: int, count: int) -> None:
    with KafkaProducer(**connection.settings()) as producer:
        for number in range(first, first + count):
            event = {"user_id": f"u{number % 9}", "item_id": "i", "event_time": 1_700_000_000_000 + number}
            producer.send(topic, value=json.dumps(event).encode(), partition=number % 2)


@contextmanager
def _leader(bootstrap: str, prefix: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.consumers.toy", bootstrap, prefix, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "starts\n"
            yield process
        finally:
            process.kill()


def _lists(reader: KafkaConsumer, count: int) -> list[tuple[int, int, str]]:
    """Partition, offset and rec_id of the next `count` lists or more."""
    lists: list[tuple[int, int, str]] = []
    deadline = time.monotonic() + PATIENCE_S
    while len(lists) < count:
        assert time.monotonic() < deadline, f"{len(lists)} of {count} lists came"
        for records in reader.poll(timeout_ms=1_000).values():
            bodies = [json.loads(record.value) for record in records]
            lists += [(records[0].partition, body["offset"], body["rec_id"]) for body in bodies]
    return lists


def test_killed_at_any_time_it_answers_every_event_once(broker: EmbeddedBroker, prefix: str, tmp_path: Path) -> None:
    settings = toy_settings(prefix, tmp_path)
    connection = Connection(broker.bootstrap)
    topics = ensure_topics(connection, settings.topics())
    name = settings.input.topic
    _produce(connection, name, 0, EVENTS)
    reader = connection.consumer()
    reader.assign([KafkaPartition(settings.publish.topic, number) for number in range(2)])
    reader.seek_to_beginning()

    with _leader(broker.bootstrap, prefix, tmp_path) as process:
        lists = _lists(reader, EVENTS // 3)
        process.send_signal(signal.SIGKILL)
    with _leader(broker.bootstrap, prefix, tmp_path) as process:
        lists += _lists(reader, EVENTS - len(lists))
        _produce(connection, name, EVENTS, 10)
        lists += _lists(reader, 10)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    assert reader.poll(timeout_ms=1_000) == {}
    reader.close()

    expected = Counter((number % 2, number // 2) for number in range(EVENTS + 10))
    assert Counter((partition, offset) for partition, offset, _ in lists) == expected
    assert len({identity for *_, identity in lists}) == len(lists)

    made: list[Toy] = []
    log = KafkaLog(connection, settings.application.name, topics)
    assert log.acquire(lambda: False)
    standing = recover(toy_task(log, settings, made))
    log.close()
    assert sum(standing.offsets.values()) == EVENTS + 10
    assert made[-1].batches == 0  # the last snapshot, taken at SIGTERM, says it all
