import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from kafka import KafkaConsumer, KafkaProducer
from kafka.consumer.fetcher import ConsumerRecord
from kafka.structs import TopicPartition as KafkaPartition

from consumers.serving.recovery import Follower
from stream import snapshots
from stream.broker import EmbeddedBroker
from stream.dead_letters import PREFIX
from stream.kafka import KafkaLog
from stream.kafka_clients import Connection
from stream.kafka_headers import HeaderName
from stream.topics import ensure_topics
from tests.consumers.toy import RAISES_IN_LEARN, RAISES_IN_RECOMMEND, Toy, leading, toy_settings, toy_task

EVENTS = 600
PATIENCE_S = 100
SESSION_S = 6.0  # of the toys
TAKEOVER_S = 10.0  # after that: far more than the two seconds that are promised, for a machine that is busy with more


def _produce(connection: Connection, topic: str, first: int, count: int) -> None:
    with KafkaProducer(**connection.settings()) as producer:
        for number in range(first, first + count):
            event = {"user_id": f"u{number % 9}", "item_id": "i", "event_time": 1_700_000_000_000 + number}
            producer.send(topic, value=json.dumps(event).encode(), partition=number % 2)


def _say(process: subprocess.Popen[str], role: str) -> float:
    """Return when a process said that this is its role."""
    assert process.stdout is not None
    assert f"{role}\n" in iter(process.stdout.readline, "")
    return time.monotonic()


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


def _check_each_once(reader: KafkaConsumer, lists: list[tuple[int, int, str]]) -> None:
    """No more lists come, and these are one for each event of `EVENTS` and ten more."""
    assert reader.poll(timeout_ms=1_000) == {}
    reader.close()

    expected = Counter((number % 2, number // 2) for number in range(EVENTS + 10))
    assert Counter((partition, offset) for partition, offset, _ in lists) == expected
    assert len({identity for *_, identity in lists}) == len(lists)


def test_killed_at_any_time_it_answers_every_event_once(broker: EmbeddedBroker, prefix: str, tmp_path: Path) -> None:
    settings = toy_settings(prefix, tmp_path)
    connection = Connection(broker.bootstrap)
    topics = ensure_topics(connection, settings.topics())
    name = settings.input.topic
    _produce(connection, name, 0, EVENTS)
    reader = connection.consumer()
    reader.assign([KafkaPartition(settings.publish.topic, number) for number in range(2)])
    reader.seek_to_beginning()

    with leading(broker.bootstrap, prefix, tmp_path) as process:
        lists = _lists(reader, EVENTS // 3)
        process.send_signal(signal.SIGKILL)
    with leading(broker.bootstrap, prefix, tmp_path) as process:
        lists += _lists(reader, EVENTS - len(lists))
        _produce(connection, name, EVENTS, 10)
        lists += _lists(reader, 10)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    _check_each_once(reader, lists)

    made: list[Toy] = []
    log = KafkaLog(connection, settings.application.name, topics, end_process=lambda _code: None)
    assert log.acquire(lambda: False)
    standing = Follower(toy_task(log, settings, made)).lead()
    log.close()
    assert sum(standing.offsets.values()) == EVENTS + 10
    assert made[-1].batches == 0  # the last snapshot, taken at SIGTERM, says it all


def test_who_is_told_to_stop_while_it_compiles_ends_at_once(
    broker: EmbeddedBroker, prefix: str, tmp_path: Path
) -> None:
    own = {
        "SPRINGTIDE_APPLICATION__NAME": f"{prefix}app",
        "SPRINGTIDE_KAFKA__BOOTSTRAP": broker.bootstrap,
        "SPRINGTIDE_INPUT__TOPIC": f"{prefix}in",
        "SPRINGTIDE_PUBLISH__TOPIC": f"{prefix}out",
        "SPRINGTIDE_STATE__DIR": str(tmp_path / "state"),
        "SPRINGTIDE_METRICS__PORT": "0",
        "NUMBA_CACHE_DIR": str(tmp_path / "kernels"),  # nothing is compiled yet
    }
    command = [sys.executable, "-m", "consumers.cli", "run"]
    with subprocess.Popen(command, env=os.environ | own, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any("Live page" in line for line in process.stderr)
        process.send_signal(signal.SIGTERM)
        _, rest = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, rest) == (0, "")


def test_a_standby_leads_when_the_leader_is_killed(broker: EmbeddedBroker, prefix: str, tmp_path: Path) -> None:
    settings = toy_settings(prefix, tmp_path)
    connection = Connection(broker.bootstrap)
    topics = ensure_topics(connection, settings.topics())
    reader = connection.consumer()
    reader.assign([KafkaPartition(settings.publish.topic, number) for number in range(2)])
    reader.seek_to_beginning()

    with leading(broker.bootstrap, prefix, tmp_path / "one") as leader:
        _say(leader, "leader")
        with leading(broker.bootstrap, prefix, tmp_path / "two") as standby:
            _say(standby, "standby")
            _produce(connection, settings.input.topic, 0, EVENTS)
            lists = _lists(reader, EVENTS // 3)
            killed_s = time.monotonic()
            leader.send_signal(signal.SIGKILL)
            took_s = _say(standby, "leader") - killed_s
            assert took_s < SESSION_S + TAKEOVER_S
            _produce(connection, settings.input.topic, EVENTS, 10)
            lists += _lists(reader, EVENTS + 10 - len(lists))
            standby.send_signal(signal.SIGTERM)
            assert standby.wait(PATIENCE_S) == 0
    _check_each_once(reader, lists)

    log = KafkaLog(connection, settings.application.name, topics, end_process=lambda _code: None)
    assert log.acquire(lambda: False)
    followed = Follower(toy_task(log, toy_settings(prefix, tmp_path / "nowhere"), [])).lead().pipeline
    log.close()
    (last, *_) = snapshots.candidates(tmp_path / "two")
    manifest, _ = snapshots.load(last, settings.application.name)
    assert manifest.state_hash == snapshots.state_hash(followed.state())


def test_a_header_name_that_is_not_utf_8_stops_nothing(broker: EmbeddedBroker, prefix: str, tmp_path: Path) -> None:
    settings = toy_settings(prefix, tmp_path)
    connection = Connection(broker.bootstrap)
    topics = ensure_topics(connection, settings.topics())
    raw = b"\xff\xfename"
    headers = [(HeaderName(raw.decode(errors="surrogateescape")), b"1")]
    good = json.dumps({"user_id": "u", "item_id": "i", "event_time": 1_700_000_000_000}).encode()
    with KafkaProducer(**connection.settings()) as producer:
        for value in (good, b"not json"):
            producer.send(settings.input.topic, value=value, headers=headers, partition=0)
    reader = connection.consumer()
    reader.assign([KafkaPartition(topics.output.name, 0), KafkaPartition(topics.dead_letters.name, 0)])
    reader.seek_to_beginning()

    answers: dict[str, ConsumerRecord] = {}
    deadline = time.monotonic() + PATIENCE_S
    with leading(broker.bootstrap, prefix, tmp_path) as process:
        while len(answers) < 2 and process.poll() is None and time.monotonic() < deadline:
            for partition, (record,) in reader.poll(timeout_ms=1_000).items():
                answers[partition.topic] = record
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    reader.close()

    assert json.loads(answers[topics.output.name].value)["offset"] == 0
    dead = answers[topics.dead_letters.name]
    assert dead.value == b"not json"
    assert (dead.headers[0][0].encode(), dead.headers[0][1]) == (raw, b"1")


def test_a_model_that_raises_costs_its_records_only(broker: EmbeddedBroker, prefix: str, tmp_path: Path) -> None:
    settings = toy_settings(prefix, tmp_path)
    connection = Connection(broker.bootstrap)
    topics = ensure_topics(connection, settings.topics())
    marked = {20: RAISES_IN_LEARN, 33: RAISES_IN_RECOMMEND}
    with KafkaProducer(**connection.settings()) as producer:
        for number in range(60):
            event = {"user_id": "u", "item_id": marked.get(number, "i"), "event_time": 1_700_000_000_000 + number}
            producer.send(settings.input.topic, value=json.dumps(event).encode(), partition=number % 2)
    reader = connection.consumer()
    reader.assign(
        [KafkaPartition(topic, n) for topic in (topics.output.name, topics.dead_letters.name) for n in (0, 1)]
    )
    reader.seek_to_beginning()

    found: Counter[tuple[str, int]] = Counter()
    deadline = time.monotonic() + PATIENCE_S
    with leading(broker.bootstrap, prefix, tmp_path) as process:
        while found.keys() != {("list", n) for n in range(60) if n != 33} | {("dead", 20), ("dead", 33)}:
            assert time.monotonic() < deadline, f"{len(found)} answers came"
            for partition, records in reader.poll(timeout_ms=1_000).items():
                for record in records:
                    if partition.topic == topics.output.name:
                        found["list", 2 * json.loads(record.value)["offset"] + record.partition] += 1
                    else:
                        found["dead", 2 * int(dict(record.headers)[f"{PREFIX}offset"]) + record.partition] += 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    reader.close()
    assert set(found.values()) == {1}
