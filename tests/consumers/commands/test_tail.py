import datetime as dt
import io
from collections.abc import Iterator

import pytest
from kafka import KafkaProducer
from rich.console import Console

from consumers.commands.tail import Newest, line, subscribe, table, tail
from consumers.settings import Settings
from stream.broker import EmbeddedBroker
from stream.errors import TopicError
from stream.recommendations import Model, Reason, Recommendation, RecommendedItem, Trigger, encode
from stream.topics import ensure_topics

TIME = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def listed(number: int, user: str = "u1", minute: int = 0) -> Recommendation:
    reasons = [Reason("popularity", 0.2), Reason("transitions", 0.8, ["i1", "i2", "i3"])]
    return Recommendation(
        rec_id=f"{number:032x}",
        user_id=user,
        items=[RecommendedItem(f"i{n}", n, 0.5 / n, reasons) for n in (1, 2, 3, 4)],
        rest=0.1,
        trigger=Trigger(f"e{number}", "in", 0, number),
        model=Model("1", number),
        event_time=TIME + dt.timedelta(minutes=minute),
    )


@pytest.fixture
def settings(broker: EmbeddedBroker, prefix: str) -> Settings:
    settings = Settings.model_validate(
        {
            "application": {"name": f"{prefix}app"},
            "kafka": {"bootstrap": broker.bootstrap},
            "input": {"topic": f"{prefix}in", "partitions": 2},
            "publish": {"topic": f"{prefix}out"},
        }
    )
    ensure_topics(settings.kafka.connection(), settings.topics())
    return settings


def publish(settings: Settings, values: list[bytes], *, commit: bool = True) -> None:
    producer = KafkaProducer(
        **settings.kafka.connection().settings(), transactional_id=settings.application.name, retry_backoff_ms=5
    )
    producer.init_transactions()
    producer.begin_transaction()
    for number, value in enumerate(values):
        producer.send(settings.publish.topic, value, b"key", partition=number % 2)
    if commit:
        producer.commit_transaction()
    else:
        producer.flush()
        producer.abort_transaction()
    producer.close()


def first(batches: Iterator[list[Recommendation]], count: int) -> list[str]:
    found: list[str] = []
    while len(found) < count:
        found += [one.trigger.event_id for one in next(batches)]
    return sorted(found)


def test_new_committed_lists_come_once_and_what_is_no_list_is_left_out(settings: Settings) -> None:
    publish(settings, [encode(listed(1))])
    batches = subscribe(settings.kafka.connection(), settings.publish.topic)
    assert next(batches) == []
    publish(settings, [encode(listed(2))], commit=False)
    publish(settings, [encode(listed(3)), b"{}", encode(listed(3)), encode(listed(4))])

    assert first(batches, 2) == ["e3", "e4"]


def test_from_the_beginning_all_that_is_there_comes(settings: Settings) -> None:
    publish(settings, [encode(listed(number)) for number in range(5)])
    batches = subscribe(settings.kafka.connection(), settings.publish.topic, from_start=True)

    assert first(batches, 5) == ["e0", "e1", "e2", "e3", "e4"]


def test_json_lines_are_the_messages_of_one_user(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = iter([[listed(1, "u1"), listed(2, "u2")], [listed(3, "u1")]])
    monkeypatch.setattr("consumers.commands.tail.subscribe", lambda *_args, **_options: batches)
    tail(settings, user="u1", from_start=False, as_json=True, console=Console())

    assert capsys.readouterr().out.encode() == encode(listed(1)) + b"\n" + encode(listed(3)) + b"\n"


def test_a_missing_topic_is_one_sentence(settings: Settings) -> None:
    with pytest.raises(TopicError, match=r"Topic nothing\.here does not exist at"):
        next(subscribe(settings.kafka.connection(), "nothing.here"))


def test_a_line_says_what_comes_next_and_why() -> None:
    assert line(listed(1)) == "2026-03-01 12:00:00  u1: i1 50%, i2 25%, i3 17%; transitions 80% after i1, i2"


def test_the_table_shows_ids_as_they_are() -> None:
    console = Console(file=io.StringIO(), width=160)
    console.print(table([listed(1, user="[bold]u")], "out"))
    assert isinstance(console.file, io.StringIO)

    assert "[bold]u" in console.file.getvalue()


def test_the_newest_list_of_each_user_is_kept_by_event_time() -> None:
    newest = Newest(users=2)
    newest.add([listed(3, "u3", minute=3), listed(1, "u1", minute=1), listed(2, "u2", minute=2)])
    assert [one.user_id for one in newest] == ["u3", "u2"]

    newest.add([listed(4, "u2", minute=4)])
    assert [one.trigger.event_id for one in newest] == ["e4", "e3"]
