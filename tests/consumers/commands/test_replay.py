import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from rich.console import Console

from consumers.commands.replay import Pace, Replay, replay_file
from consumers.files.reading import EventBatch, EventFile
from consumers.settings import Settings
from stream.broker import EmbeddedBroker
from stream.errors import LogUnavailableError


@pytest.fixture
def settings(broker: EmbeddedBroker, prefix: str) -> Settings:
    return Settings.model_validate(
        {
            "application": {"name": f"{prefix}app"},
            "kafka": {"bootstrap": broker.bootstrap},
            "input": {"topic": f"{prefix}in", "partitions": 3},
            "publish": {"topic": f"{prefix}out"},
        }
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "events.csv"
    path.write_text("user,item,ts\n" + "".join(f"u{n % 7},i{n},{1767225600 + n}\n" for n in range(2_500)))
    return path


def everything(settings: Settings) -> list[ConsumerRecord]:
    with settings.kafka.connection().consumer() as consumer:
        partitions = [TopicPartition(settings.input.topic, number) for number in range(settings.input.partitions)]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = sum(consumer.end_offsets(partitions).values())
        records: list[ConsumerRecord] = []
        while len(records) < ends:
            for fetched in consumer.poll(timeout_ms=1_000).values():
                records += fetched
    return records


def send(settings: Settings, path: Path, *, ids: bool = True, sort: bool = False) -> str:
    console = Console(file=io.StringIO(), width=200)
    replay_file(settings, EventFile(path), Pace(), ids=ids, sort=sort, console=console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_file_arrives_whole_keyed_by_user_and_in_order(settings: Settings, file: Path) -> None:
    said = send(settings, file)
    records = everything(settings)
    messages = [json.loads(record.value) for record in records]

    assert "Sent 2,500 events" in said
    assert sorted(message["item_id"] for message in messages) == sorted(f"i{n}" for n in range(2_500))
    assert all(record.key.decode() == message["user_id"] for record, message in zip(records, messages, strict=True))
    for user in {record.key for record in records}:
        own = [
            (record.partition, message) for record, message in zip(records, messages, strict=True) if record.key == user
        ]
        assert len({partition for partition, _ in own}) == 1
        assert [message["event_time"] for _, message in own] == sorted(message["event_time"] for _, message in own)


def test_ids_name_the_row_so_that_a_second_replay_is_noticed(settings: Settings, file: Path) -> None:
    send(settings, file)
    send(settings, file)
    send(settings, file, ids=False)
    ids = [json.loads(record.value).get("event_id") for record in everything(settings)]

    assert ids.count("events.csv:17") == 2
    assert ids.count(None) == 2_500


def test_disorder_is_said_and_sorting_mends_it(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "disorder.csv"
    path.write_text("user,item,ts\nu,i1,1767225602\nu,i2,1767225600\nu,i3,1767225601\nu,i4,1767225603\n")

    assert "25.0% of them were older than the one before: --sort" in send(settings, path)
    assert "older" not in send(settings, path, sort=True)
    assert [json.loads(record.value)["item_id"] for record in everything(settings)[4:]] == ["i2", "i3", "i1", "i4"]


def test_a_stopped_replay_has_sent_what_it_says(settings: Settings, file: Path) -> None:
    connection = settings.kafka.connection()
    send(settings, file)  # makes the topics
    before = len(everything(settings))
    replay = Replay(connection, settings, Pace(rate=0.001), None)
    started = threading.Event()

    def batches() -> Iterator[EventBatch]:
        yield from EventFile(file)

    thread = threading.Thread(target=replay.send, args=(batches(), lambda _: started.set()))
    thread.start()
    assert started.wait(60)
    replay.stop()
    thread.join(60)

    assert not thread.is_alive()
    assert replay.sent.events == 1
    assert len(everything(settings)) == before + 1


def test_nobody_at_the_address_is_one_sentence(file: Path) -> None:
    nobody = Settings.model_validate({"kafka": {"bootstrap": "127.0.0.1:1"}})

    with pytest.raises(LogUnavailableError, match=r"No Kafka broker answers at 127\.0\.0\.1:1"):
        send(nobody, file)


def test_pace_says_when_an_event_is_due() -> None:
    assert Pace().due_s(100, 5_000) == 0
    assert Pace(rate=50).due_s(100, 5_000) == 2
    assert Pace(speed=10).due_s(100, 5_000) == 0.5
