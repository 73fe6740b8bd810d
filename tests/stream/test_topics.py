from dataclasses import replace

import pytest

from stream.broker import EmbeddedBroker
from stream.errors import TopicError
from stream.kafka_clients import Connection
from stream.topics import INPUT_MAX_BYTES, TaskTopics, check_topics, ensure_topics, existing_topics, task_topics


@pytest.fixture
def connection(broker: EmbeddedBroker) -> Connection:
    return Connection(broker.bootstrap)


def _create(connection: Connection, name: str, partitions: int, **configs: str) -> None:
    with connection.admin() as admin:
        topic = {"num_partitions": partitions, "configs": {key.replace("_", "."): v for key, v in configs.items()}}
        admin.create_topics({name: topic}, wait_for_metadata=True)


def test_missing_topics_are_made_as_the_table_says(connection: Connection, prefix: str) -> None:
    table = task_topics(f"{prefix}app", f"{prefix}in", f"{prefix}out", 3)
    real = ensure_topics(connection, table)
    assert real == _without_more(table)
    assert ensure_topics(connection, table, create=False) == real
    with connection.admin() as admin:
        assert set(existing_topics(admin, [f"{prefix}in", f"{prefix}nowhere"])) == {f"{prefix}in"}


def _without_more(table: TaskTopics) -> TaskTopics:
    source, output, dead_letters, journal = (replace(spec, more={}) for spec in table.all())
    return TaskTopics(source, output, dead_letters, journal)


def test_the_others_follow_an_input_that_is_there(connection: Connection, prefix: str) -> None:
    big = 60 * 2**20
    _create(connection, f"{prefix}in", 2, max_message_bytes=str(big))
    real = ensure_topics(connection, task_topics(f"{prefix}app", f"{prefix}in", f"{prefix}out", 7))
    assert [spec.partitions for spec in real.all()] == [2, 2, 2, 1]
    assert real.dead_letters.max_message_bytes > big


def test_nothing_is_made_when_that_is_not_allowed(connection: Connection, prefix: str) -> None:
    table = task_topics(f"{prefix}app", f"{prefix}in", f"{prefix}out", 3)
    with pytest.raises(TopicError, match=rf"Topic {prefix}in does not exist: create it with 3 partitions"):
        ensure_topics(connection, table, create=False)
    with connection.admin() as admin:
        assert existing_topics(admin, [spec.name for spec in table.all()]) == {}


def test_a_wrong_partition_count_on_the_broker_is_refused(connection: Connection, prefix: str) -> None:
    _create(connection, f"{prefix}out", 5, cleanup_policy="compact,delete")
    table = task_topics(f"{prefix}app", f"{prefix}in", f"{prefix}out", 3)
    with pytest.raises(TopicError, match=r"has 5 partitions and the input .* has 3: give both the same"):
        ensure_topics(connection, table)
    with connection.admin() as admin:
        assert set(existing_topics(admin, [spec.name for spec in table.all()])) == {f"{prefix}out"}, "nothing was made"


TABLE = task_topics("app", "in", "out", 2)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"input": replace(TABLE.input, cleanup=frozenset({"compact"}))}, "Topic in has cleanup.policy=compact"),
        ({"journal": replace(TABLE.journal, partitions=4)}, "Topic app.journal has 4 partitions"),
        ({"journal": replace(TABLE.journal, cleanup=frozenset({"compact"}))}, "Topic app.journal has cleanup.policy"),
        (
            {"journal": replace(TABLE.journal, retention_ms=604_800_000)},
            "set retention.ms=-1 on it, and retention.bytes",
        ),
        (
            {"input": replace(TABLE.input, retention_ms=240_000), "outlive_ms": 240_000},
            "Topic in has retention.ms=240000, and a restart from the oldest snapshot needs records that are 240000 ms",
        ),
        ({"output": replace(TABLE.output, partitions=1)}, "Topic out has 1 partitions and the input in has 2"),
        ({"output": replace(TABLE.output, cleanup=frozenset({"delete"}))}, "set cleanup.policy=compact,delete"),
        ({"dead_letters": replace(TABLE.dead_letters, partitions=1)}, "add partitions to in.dlq"),
        (
            {"dead_letters": replace(TABLE.dead_letters, max_message_bytes=INPUT_MAX_BYTES)},
            "set max.message.bytes=11534336 or more on in.dlq",
        ),
    ],
)
def test_each_mismatch_is_one_sentence_with_its_mend(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises(TopicError, match=sentence.replace(".", r"\.")):
        check_topics(replace(TABLE, **wrong))  # type: ignore[arg-type]


def test_the_table_itself_is_right() -> None:
    check_topics(TABLE)
    check_topics(WITH_ITEMS)


WITH_ITEMS = task_topics("app", "in", "out", 2, items_topic="items")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"cleanup": frozenset({"delete"})}, "Topic items has cleanup.policy=delete, and must keep the newest record"),
        ({"cleanup": frozenset({"delete", "compact"})}, "set cleanup.policy=compact on it"),
        ({"compaction_lag_ms": 0}, "set min.compaction.lag.ms=2592000000 or more on items"),
        ({"partitions": 3}, "Topic in.dlq has 2 partitions and the input items has 3: add partitions to in.dlq"),
        ({"max_message_bytes": 2**26}, "the input items up to 67108864: set max.message.bytes=68157440"),
    ],
)
def test_a_topic_of_items_keeps_what_a_recovery_reads(wrong: dict[str, object], sentence: str) -> None:
    assert WITH_ITEMS.items is not None
    with pytest.raises(TopicError, match=sentence.replace(".", r"\.")):
        check_topics(replace(WITH_ITEMS, items=replace(WITH_ITEMS.items, **wrong)))  # type: ignore[arg-type]


def test_snapshots_older_than_an_input_without_limit_decide_what_must_not_be_compacted() -> None:
    assert WITH_ITEMS.items is not None
    endless = replace(WITH_ITEMS, input=replace(WITH_ITEMS.input, retention_ms=-1), outlive_ms=5_000)
    check_topics(replace(endless, items=replace(WITH_ITEMS.items, compaction_lag_ms=5_000)))
    with pytest.raises(TopicError, match=r"set min\.compaction\.lag\.ms=5000 or more"):
        check_topics(replace(endless, items=replace(WITH_ITEMS.items, compaction_lag_ms=4_999)))


def test_a_topic_of_items_is_made_to_match_the_input(connection: Connection, prefix: str) -> None:
    _create(connection, f"{prefix}in", 3, retention_ms=str(40 * 86_400_000))
    table = task_topics(f"{prefix}app", f"{prefix}in", f"{prefix}out", 2, items_topic=f"{prefix}items")
    made = ensure_topics(connection, table).items
    assert made is not None
    assert (made.partitions, made.cleanup, made.compaction_lag_ms) == (3, frozenset({"compact"}), 40 * 86_400_000)


def test_a_topic_of_items_with_more_partitions_gets_dead_letters_of_as_many(
    connection: Connection, prefix: str
) -> None:
    lag = str(30 * 86_400_000)
    _create(connection, f"{prefix}items", 5, cleanup_policy="compact", min_compaction_lag_ms=lag)
    table = task_topics(f"{prefix}app", f"{prefix}in", f"{prefix}out", 2, items_topic=f"{prefix}items")
    real = ensure_topics(connection, table)
    assert [spec.partitions for spec in real.all()] == [2, 2, 5, 1, 5]


@pytest.mark.parametrize("retention_ms", [240_001, -1])
def test_an_input_that_outlives_the_snapshots_is_right(retention_ms: int) -> None:
    check_topics(replace(TABLE, input=replace(TABLE.input, retention_ms=retention_ms), outlive_ms=240_000))
