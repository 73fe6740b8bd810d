import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from kafka import KafkaProducer
from kafka.structs import TopicPartition as KafkaPartition

from stream.broker import EmbeddedBroker
from stream.errors import CommitInDoubtError, LeaseLostError, LogError, LogUnavailableError, RecoveryError
from stream.kafka import KafkaLog
from stream.kafka_clients import Connection
from stream.kafka_headers import HeaderName
from stream.log import OutputRecord, Record, TopicPartition
from stream.topics import TaskTopics, ensure_topics, task_topics

ROOT = Path(__file__).parents[2]


@pytest.fixture
def connection(broker: EmbeddedBroker) -> Connection:
    return Connection(broker.bootstrap)


@pytest.fixture
def application(prefix: str) -> str:
    return f"{prefix}app"


@pytest.fixture
def topics(connection: Connection, application: str, prefix: str) -> TaskTopics:
    return ensure_topics(connection, task_topics(application, f"{prefix}in", f"{prefix}out", 1))


@pytest.fixture
def log(connection: Connection, application: str, topics: TaskTopics) -> Iterator[KafkaLog]:
    log = KafkaLog(connection, application, topics, end_process=lambda _code: None)
    assert log.acquire(_never)
    yield log
    log.close()


def _never() -> bool:
    return False


def _produce(connection: Connection, topic: str, *values: bytes) -> None:
    with KafkaProducer(**connection.settings()) as producer:
        for value in values:
            producer.send(topic, value=value, partition=0)


def _poll_until(log: KafkaLog, count: int) -> list[Record]:
    records: list[Record] = []
    while len(records) < count:
        records += log.poll(1_000)
    return records


def test_aborted_and_open_records_are_not_seen(connection: Connection, topics: TaskTopics, log: KafkaLog) -> None:
    name = topics.input.name
    with KafkaProducer(**connection.settings(), transactional_id=f"{name}.writer") as producer:
        producer.init_transactions()
        for end in (producer.abort_transaction, producer.commit_transaction):
            producer.begin_transaction()
            producer.send(name, value=end.__name__.encode(), partition=0)
            producer.flush()
            end()
    source = TopicPartition(name, 0)
    log.seek({source: 0})
    assert [record.value for record in _poll_until(log, 1)] == [b"commit_transaction"]
    while log.bounds()[source] != (0, 4) or log.behind():  # each transaction takes one more offset for its marker
        assert log.poll(100) == []
    assert [record.value for record in log.read({source: (0, 4)})] == [b"commit_transaction"]


def test_a_fenced_leader_is_told_so(
    connection: Connection, application: str, topics: TaskTopics, log: KafkaLog
) -> None:
    with KafkaProducer(**connection.settings(), transactional_id=application) as usurper:
        usurper.init_transactions()
    source = TopicPartition(topics.input.name, 0)
    with pytest.raises(LeaseLostError):
        log.commit([OutputRecord(topics.output.name, 0, b"user", b"list")], b"journal", {source: 1})
    assert log.acquire(_never)
    assert log.committed() == {}
    log.commit([], b"journal", {source: 1})
    assert log.committed() == {source: 1}


def test_a_transaction_that_fails_leaves_nothing_behind(topics: TaskTopics, log: KafkaLog) -> None:
    source = TopicPartition(topics.input.name, 0)
    no_key_on_a_compacted_topic = OutputRecord(topics.output.name, 0, None, b"list")
    with pytest.raises(CommitInDoubtError, match="state must be rebuilt"):
        log.commit([no_key_on_a_compacted_topic], b"journal", {source: 1})
    assert log.acquire(_never)
    assert log.committed() == {}
    assert list(log.journal(0)) == []


def test_a_value_that_no_topic_takes_is_left_out(connection: Connection, topics: TaskTopics, log: KafkaLog) -> None:
    size = topics.dead_letters.max_message_bytes
    log.commit([OutputRecord(topics.dead_letters.name, 0, b"key", bytes(size))], b"journal", {})
    consumer = connection.consumer()
    consumer.assign([KafkaPartition(topics.dead_letters.name, 0)])
    consumer.seek_to_beginning()
    ((record,),) = consumer.poll(timeout_ms=30_000).values()
    consumer.close()
    assert (record.key, record.value) == (b"key", None)
    assert record.headers == [("__springtide.value.left.out", str(size).encode())]


def test_header_names_that_are_not_utf_8_are_read_and_sent_as_they_are(
    connection: Connection, topics: TaskTopics, log: KafkaLog
) -> None:
    name, raw = topics.input.name, b"\xff\xfename"
    with KafkaProducer(**connection.settings()) as producer:
        headers = [(HeaderName(raw.decode(errors="surrogateescape")), b"1"), ("é", b"2")]
        for value in (b"a", b"b"):
            producer.send(name, value=value, headers=headers, partition=0)
    source = TopicPartition(name, 0)
    log.seek({source: 0})
    records = _poll_until(log, 2)

    assert [record.value for record in records] == [b"a", b"b"]
    assert log.read({source: (0, 2)}) == records
    log.commit([OutputRecord(topics.dead_letters.name, 0, b"key", b"a", records[0].headers)], b"journal", {source: 2})
    consumer = connection.consumer()
    consumer.assign([KafkaPartition(topics.dead_letters.name, 0)])
    consumer.seek_to_beginning()
    ((dead,),) = consumer.poll(timeout_ms=30_000).values()
    consumer.close()
    assert [(name.encode(), value) for name, value in dead.headers] == [(raw, b"1"), ("é".encode(), b"2")]


def test_offsets_that_have_left_the_log_are_an_error(connection: Connection, topics: TaskTopics, log: KafkaLog) -> None:
    name = topics.input.name
    _produce(connection, name, b"a", b"b", b"c")
    with connection.admin() as admin:
        admin.delete_records({KafkaPartition(name, 0): 2})
    source = TopicPartition(name, 0)
    assert log.bounds() == {source: (2, 3)}
    with pytest.raises(
        RecoveryError, match=r"Offset 0 of .* partition 0 has left the log: .* springtide run --rebuild"
    ):
        log.read({source: (0, 3)})
    log.seek({source: 1})
    with pytest.raises(RecoveryError, match="Offset 1 of"):
        _poll_until(log, 1)
    log.seek({source: 2})
    assert [record.value for record in _poll_until(log, 1)] == [b"c"]


def test_a_commit_that_hangs_ends_the_process(connection: Connection, application: str, topics: TaskTopics) -> None:
    ended = threading.Event()
    hanging = KafkaLog(connection, application, topics, commit_budget_s=0.0, end_process=lambda _code: ended.set())
    assert hanging.acquire(_never)
    while not ended.is_set():  # each commit takes longer than nothing; the watchdog looks twice a second
        hanging.commit([], b"journal", {})
    hanging.close()


def test_the_lease_of_a_killed_leader_passes_on(connection: Connection, application: str, topics: TaskTopics) -> None:
    program = (
        "import sys\n"
        "from stream.kafka import KafkaLog\n"
        "from stream.kafka_clients import Connection\n"
        "from stream.topics import ensure_topics, task_topics\n"
        "connection = Connection(sys.argv[1])\n"
        "topics = ensure_topics(connection, task_topics(sys.argv[2], sys.argv[3], sys.argv[4], 1), create=False)\n"
        "log = KafkaLog(connection, sys.argv[2], topics, session_timeout_ms=6_000)\n"
        "log.acquire(lambda: False)\n"
        "print('leads', flush=True)\n"
        "sys.stdin.read()\n"
    )
    arguments = [connection.bootstrap, application, topics.input.name, topics.output.name]
    with subprocess.Popen(
        [sys.executable, "-c", program, *arguments], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as leader:
        assert leader.stdout is not None
        assert leader.stdout.readline() == "leads\n"
        os.kill(leader.pid, signal.SIGKILL)
    successor = KafkaLog(connection, application, topics, end_process=lambda _code: None)
    assert successor.acquire(_never)
    successor.commit([], b"journal", {TopicPartition(topics.input.name, 0): 1})
    successor.close()


def test_without_a_broker_the_sentence_says_what_to_do() -> None:
    with pytest.raises(LogUnavailableError, match=r"No Kafka broker answers at 127\.0\.0\.1:9 by PLAINTEXT: start one"):
        Connection("127.0.0.1:9").consumer()
    with pytest.raises(LogUnavailableError, match="No Kafka broker answers at nonsense"):
        Connection("nonsense", allow_plaintext=True).admin()


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SASL_PLAINTEXT"])
def test_data_in_the_clear_leaves_the_machine_only_when_allowed(protocol: str) -> None:
    with pytest.raises(LogError, match=f"{protocol} would send data unencrypted to kafka:9092"):
        Connection("kafka:9092", protocol)
    Connection("kafka:9092", protocol, allow_plaintext=True)
    Connection("kafka:9092", "SSL")
    Connection("localhost:9092, 127.0.0.1:9093,[::1]:9094", protocol)


def test_security_settings_reach_the_client_and_the_password_no_log(tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")
    connection = Connection("kafka:9093", "SASL_SSL", "PLAIN", "me", "secret", str(tmp_path / "ca.pem"))
    settings = connection.settings()
    assert settings["security_protocol"] == "SASL_SSL"
    assert settings["sasl_mechanism"] == "PLAIN"
    assert (settings["sasl_plain_username"], settings["sasl_plain_password"]) == ("me", "secret")
    assert len(settings["ssl_context"].get_ca_certs()) == 1
    assert "secret" not in repr(connection)
    assert "sasl_mechanism" not in Connection("127.0.0.1:9092").settings()


def test_a_partition_without_a_leader_is_named() -> None:
    with (
        pytest.raises(LogUnavailableError, match="Partition 3 of topic in is offline: start the brokers"),
        Connection("127.0.0.1:9").reaching(),
    ):
        raise KeyError(KafkaPartition("in", 3))  # as the client does when it asks for offsets
    missing = "something else"
    with pytest.raises(KeyError, match=missing), Connection("127.0.0.1:9").reaching():
        raise KeyError(missing)


def test_a_client_that_brings_nothing_while_records_wait_is_noticed(
    connection: Connection, topics: TaskTopics, log: KafkaLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_STALL_LOOK_S", "_STALL_S"):
        monkeypatch.setattr(f"stream.kafka.{name}", 0.0)
    source = TopicPartition(topics.input.name, 0)
    log.seek({source: 0})
    assert [log.poll(1) for _ in range(3)] == [[], [], []], "nothing waits"
    monkeypatch.setattr(log._inputs, "poll", lambda **_: {})
    _produce(connection, source.topic, b"waits")
    with pytest.raises(LogError, match=f"Records wait in {source.topic} partition 0"):
        _poll_until(log, 1)
