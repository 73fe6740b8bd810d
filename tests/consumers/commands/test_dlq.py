import io
import json
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kafka import KafkaProducer
from kafka.structs import TopicPartition as KafkaPartition
from rich.console import Console

from consumers.commands.dlq import DeadLetters, Group, Sender, list_dead_letters, replay_dead_letters
from consumers.settings import Settings
from stream.broker import EmbeddedBroker
from stream.dead_letters import PREFIX, dead_letter
from stream.errors import LogError, MessageError, SettingsError
from stream.kafka_clients import Connection
from stream.kafka_reader import RangeReader, records_between
from stream.log import OutputRecord, Record, TopicPartition
from stream.topics import TaskTopics, ensure_topics
from tests.consumers.toy import leading, toy_settings

NOON = 1_772_366_400_000
PATIENCE_S = 100


class Bench:
    """A task whose dead-letter topic is filled by hand."""

    def __init__(self, broker: EmbeddedBroker, prefix: str, folder: Path) -> None:
        self.settings: Settings = toy_settings(prefix, folder, kafka={"bootstrap": broker.bootstrap})
        self.connection: Connection = self.settings.kafka.connection()
        self.topics: TaskTopics = ensure_topics(self.connection, self.settings.topics())
        self._offsets = 0

    def bury(self, reason: str, partition: int = 0, **changes: object) -> None:
        """Write one dead letter; `changes` to the record that it is made of."""
        source = Record(self.topics.input.name, partition, self._offsets, NOON, b"key", f"{self._offsets}".encode())
        self._offsets += 1
        application = str(changes.pop("application", self.settings.application.name))
        error = MessageError(reason, f"It is {reason}.")
        letter = dead_letter(
            msgspec.structs.replace(source, **changes), error,
            stage="decode", application=application, version="1", group=application,
        )  # fmt: skip
        self.write(letter)

    def write(self, record: OutputRecord) -> None:
        with KafkaProducer(**self.connection.settings(), max_request_size=2**25) as producer:
            producer.send(
                record.topic,
                value=record.value,
                key=record.key,
                headers=[(name, value or b"") for name, value in record.headers],
                partition=record.partition,
                timestamp_ms=record.timestamp_ms,
            )

    def input(self) -> list[Record]:
        """All committed records of the input topic."""
        return self.read(self.topics.input.name)

    def read(self, topic: str) -> list[Record]:
        sources = [TopicPartition(topic, number) for number in range(2)]
        with self.connection.consumer() as consumer:
            ends = consumer.end_offsets([KafkaPartition(*source) for source in sources])
        with closing(RangeReader(self.connection, sources, lambda: None)) as reader:
            return reader.read({source: (0, ends[KafkaPartition(*source)]) for source in sources})

    def groups(self) -> list[Group]:
        with DeadLetters(self.connection, self.settings.application.name, self.topics) as letters:
            return letters.groups()

    def replay(self, *reasons: str, dry_run: bool = False) -> str:
        console = Console(file=io.StringIO(), width=300)
        replay_dead_letters(self.settings, reasons, dry_run=dry_run, console=console)
        assert isinstance(console.file, io.StringIO)
        return console.file.getvalue().strip()


@pytest.fixture
def bench(broker: EmbeddedBroker, prefix: str, tmp_path: Path) -> Bench:
    return Bench(broker, prefix, tmp_path)


def attempts(record: Record) -> int:
    return int(dict(record.headers)[f"{PREFIX}attempts"] or b"")


def test_letters_are_grouped_by_reason_and_stage(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(4):
        bench.bury("wrong_type", partition=number % 2, timestamp_ms=NOON + number)
    bench.bury("bad_json", timestamp_ms=2**62)
    bench.bury("null_value", value=None)
    bench.bury("bad_json", application="somebody else")
    bench.write(OutputRecord(bench.topics.dead_letters.name, 0, b"key", b"no letter"))

    first, *others = bench.groups()

    assert first == Group(
        "wrong_type", "decode", 4, 0, 4, NOON, NOON + 3, [(0, 1), (1, 0), (1, 1)], "It is wrong_type."
    )
    assert [(group.reason, group.records, group.waiting, group.left) for group in others] == [
        ("bad_json", 1, 1, 0),
        ("null_value", 1, 0, 1),
    ]
    list_dead_letters(bench.settings, as_json=True, console=Console())
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["reason"], line["records"]) for line in lines] == [
        ("wrong_type", 4),
        ("bad_json", 1),
        ("null_value", 1),
    ]
    console = Console(file=io.StringIO(), width=300)
    list_dead_letters(bench.settings, as_json=False, console=console)
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert "2026-03-01 12:00:00" in shown
    assert f"{2**62} ms" in shown


def test_no_letters_are_said_in_a_sentence(bench: Bench) -> None:
    console = Console(file=io.StringIO(), width=300)
    list_dead_letters(bench.settings, as_json=False, console=console)
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue() == f"No dead letters in {bench.topics.dead_letters.name}.\n"
    assert bench.replay() == f"Sent 0 dead letters to {bench.topics.input.name}."


def test_letters_are_sent_again_each_once_by_reason_or_all(bench: Bench) -> None:
    for number in range(6):
        bench.bury("wrong_type" if number % 3 else "bad_json", partition=number % 2, headers=(("trace", b"1"),))
    bench.bury("null_value", value=None)
    topic = bench.topics.input.name

    assert bench.replay("bad_json", dry_run=True) == f"Would send 2 dead letters to {topic}: bad_json 2."
    assert bench.input() == []
    assert bench.replay("bad_json") == f"Sent 2 dead letters to {topic}: bad_json 2."
    assert bench.replay("bad_json") == f"Sent 0 dead letters to {topic}."
    rest = bench.replay()

    assert rest.startswith(f"Sent 4 dead letters to {topic}: wrong_type 4.\n1 cannot be sent again")
    assert bench.replay(dry_run=True).startswith("Would send 0 dead letters")
    again = bench.input()
    assert [(one.partition, one.value) for one in again] == [
        *((0, value) for value in (b"0", b"2", b"4")),
        *((1, value) for value in (b"3", b"1", b"5")),
    ]
    assert {(one.key, one.headers) for one in again} == {(b"key", (("trace", b"1"), (f"{PREFIX}attempts", b"1")))}
    assert all(one.timestamp_ms > NOON for one in again)
    assert {group.reason: (group.sent, group.waiting) for group in bench.groups()} == {
        "wrong_type": (4, 0),
        "bad_json": (2, 0),
        "null_value": (0, 0),
    }


def test_many_letters_go_in_several_transactions(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumers.commands.dlq._LETTERS_AT_ONCE", 3)
    monkeypatch.setattr("consumers.commands.dlq._STEP", 2)
    for number in range(11):
        bench.bury("bad_json", partition=number % 2)
    bench.replay()
    assert Counter(one.value for one in bench.input()) == Counter(f"{n}".encode() for n in range(11))
    assert bench.replay().startswith("Sent 0 ")


def test_a_letter_that_does_not_fit_into_the_input_is_left(bench: Bench) -> None:
    bench.bury("too_large", value=b"x" * (bench.topics.input.max_message_bytes - 1_000))
    assert "1 cannot be sent again: they have no value, or do not fit any more." in bench.replay()


def test_a_reason_that_no_letter_has_is_refused_with_those_that_there_are(bench: Bench) -> None:
    bench.bury("bad_json")
    with pytest.raises(SettingsError, match="has the reason 'badjson'; there are: bad_json"):
        bench.replay("bad_json", "badjson")
    assert bench.input() == []


def test_who_was_interrupted_or_overtaken_sends_nothing_twice(bench: Bench) -> None:
    for _ in range(3):
        bench.bury("bad_json")
    name, size = bench.settings.application.name, bench.topics.dead_letters.max_message_bytes
    with DeadLetters(bench.connection, name, bench.topics) as letters:
        (batch,) = letters.waiting({"bad_json"})
    overtaken = Sender(bench.connection, name, size)
    overtaken.send(batch[:1])
    overtaken._producer.begin_transaction()
    overtaken._send(batch[1].sent_again())
    overtaken._producer.flush()

    assert bench.replay().startswith("Sent 2 ")

    with pytest.raises(LogError, match="what was sent is not sent twice"):
        overtaken.send(batch[2:])
    overtaken.close()
    assert Counter(one.value for one in bench.input()) == Counter([b"0", b"1", b"2"])


def test_a_note_behind_an_open_transaction_of_somebody_else_counts(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.bury("bad_json")
    name, size = bench.settings.application.name, bench.topics.dead_letters.max_message_bytes
    with DeadLetters(bench.connection, name, bench.topics) as letters:
        (batch,) = letters.waiting({"bad_json"})
    others = KafkaProducer(**bench.connection.settings(), transactional_id=f"{name}.others")
    others.init_transactions()
    others.begin_transaction()
    others.send(bench.topics.dead_letters.name, b"open", partition=0).get(PATIENCE_S)
    with closing(Sender(bench.connection, name, size)) as sender:
        sender.send(batch)
    ends = iter([others.abort_transaction])

    def once_it_has_ended(*arguments: Any) -> Iterator[Record]:
        """End the open transaction, now that it is decided how far to read."""
        for end in ends:
            end()
        return records_between(*arguments)

    monkeypatch.setattr("consumers.commands.dlq.records_between", once_it_has_ended)
    assert bench.replay().startswith("Sent 0 ")
    others.close()


def test_what_fails_again_says_how_often(broker: EmbeddedBroker, bench: Bench, prefix: str, tmp_path: Path) -> None:
    with KafkaProducer(**bench.connection.settings()) as producer:
        for number in range(6):
            producer.send(bench.topics.input.name, value=b"not json", partition=number % 2)
    dead = bench.topics.dead_letters.name

    with leading(broker.bootstrap, prefix, tmp_path) as process:
        for failures in (1, 2):
            deadline = time.monotonic() + PATIENCE_S
            found: list[Record] = []
            while len(found) < 6 * failures:
                assert time.monotonic() < deadline
                found = [one for one in bench.read(dead) if one.headers]
            counted = Counter(attempts(one) for one in found)
            assert counted == Counter({failure: 6 for failure in range(1, failures + 1)})
            assert bench.replay().startswith("Sent 6 ")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    assert {one.value for one in bench.input()} == {b"not json"}
