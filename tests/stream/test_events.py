from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.events import AT_ONCE, MAX_DEPTH, Decoded, Decoder, Erase, Event, Interaction, Request, encode
from stream.fields import FieldMap
from stream.policy import EventPolicy
from tests.stream.poison import Poison, poison
from tests.stream.records import NOON, record

GOLDEN = Path(__file__).parent / "golden"
MOMENT = NOON + 250

REASONS = {
    "null value": "null_value",
    "not UTF-8": "bad_utf8",
    "truncated": "bad_json",
    "deep arrays": "too_deep",
    "deep objects": "too_deep",
    "5 MB of text": "too_large",
    "bad UTF-8 in a field that is not read": "bad_utf8",
    "NaN": "bad_json",
    "user is a number": "wrong_type",
    "user is missing": "missing_field",
    "item is missing": "missing_field",
    "time is missing": "missing_field",
    "user is empty": "bad_id",
    "item is too long": "bad_id",
    "unknown type": "unknown_type",
    "unknown schema": "unknown_schema",
    "time in 1970": "impossible_time",
    "time in seconds": "impossible_time",
    "time in microseconds": "impossible_time",
    "time in 2099": "future_time",
    "envelope without an id": "bad_envelope",
    "envelope without data": "bad_envelope",
}


def read(value: bytes | None, decoder: Decoder | None = None, partition: int = 0, offset: int = 0) -> Decoded:
    source = record(value, partition=partition, offset=offset, timestamp_ms=NOON + 60_000)
    return (decoder or Decoder()).decode(source)


def interaction(**changes: object) -> bytes:
    fields = {"user_id": "u17", "item_id": "i942", "event_time": MOMENT}
    return msgspec.json.encode({**fields, **changes})


def reason(decoded: Decoded) -> str | None:
    return None if decoded.error is None else decoded.error.reason


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("interaction", Interaction("01J", "u17", "i942", MOMENT, "view", 4.5)),
        ("request", Request("01K", "u17", MOMENT, 20, ("i7",))),
        ("erase", Erase("01L", "u17", MOMENT)),
    ],
)
def test_events_are_written_and_read_as_pinned(name: str, event: Event) -> None:
    golden = (GOLDEN / f"{name}.json").read_bytes()

    assert encode(event) == golden.rstrip()
    assert read(golden) == Decoded(record(golden, timestamp_ms=NOON + 60_000), (event,), None, MOMENT, event.event_id)


@pytest.mark.parametrize("name", ["interaction-as-documented", "cloudevent"])
def test_other_ways_to_say_the_same(name: str) -> None:
    assert read((GOLDEN / f"{name}.json").read_bytes()).events == (
        Interaction("01J", "u17", "i942", MOMENT, "view", 4.5),
    )


def test_without_type_and_id_a_record_is_an_interaction_named_by_its_place() -> None:
    decoded = read(interaction(), partition=3, offset=7)

    assert decoded.events == (Interaction("interactions-3-7", "u17", "i942", MOMENT),)
    assert decoded.identity is None


def test_null_is_the_same_as_absent() -> None:
    assert read(interaction(event_id=None, event_type=None, value=None, type=None)).events == read(interaction()).events


def test_several_items_in_one_record() -> None:
    items = [{"item_id": "i1"}, {"item_id": "i2", "value": 2}]
    decoded = read(interaction(item_id=None, items=items, event_type="purchase"), offset=7)

    assert decoded.events == (
        Interaction("interactions-0-7-0", "u17", "i1", MOMENT, "purchase"),
        Interaction("interactions-0-7-1", "u17", "i2", MOMENT, "purchase", 2.0),
    )
    assert [one.event_id for one in read(interaction(item_id=None, items=items, event_id="e")).events] == ["e-0", "e-1"]


@pytest.mark.parametrize(
    ("written", "time_ms"),
    [
        (MOMENT, MOMENT),
        ("2026-03-01T12:00:00.250Z", MOMENT),
        ("2026-03-01T13:30:00.250+01:30", MOMENT),
        ("2026-03-01T12:00:00.250999Z", MOMENT),
        ("2026-03-01T12:00:00Z", NOON),
        ("1980-01-01T00:00:00Z", 315_532_800_000),
    ],
)
def test_times(written: str | int, time_ms: int) -> None:
    assert read(interaction(event_time=written)).time_ms == time_ms


def test_a_time_may_be_a_little_ahead_of_the_record() -> None:
    decoder = Decoder(max_ahead_ms=1_000)

    def at(time_ms: int, timestamp_ms: int) -> str | None:
        return reason(decoder.decode(record(interaction(event_time=time_ms), timestamp_ms=timestamp_ms)))

    assert at(NOON + 1_000, NOON) is None
    assert at(NOON + 1_001, NOON) == "future_time"


def test_without_a_timestamp_of_the_record_no_time_is_believed() -> None:
    assert reason(Decoder().decode(record(interaction(event_time=NOON), timestamp_ms=-1))) == "no_timestamp"


@pytest.mark.parametrize("bad", poison(), ids=lambda bad: bad.name)
def test_poison_is_refused(bad: Poison) -> None:
    source = record(bad.value, key=bad.key, headers=bad.headers)
    decoded = Decoder().decode(source)

    assert decoded.error is not None
    assert (decoded.events, decoded.time_ms) == ((), AT_ONCE)
    assert decoded.record is source
    assert decoded.error.reason == REASONS.get(bad.name, decoded.error.reason)
    assert len(str(decoded.error)) < 300


def test_poison_names_are_unique_and_every_pinned_reason_has_its_record() -> None:
    names = [bad.name for bad in poison()]

    assert len(set(names)) == len(names)
    assert set(REASONS) <= set(names)


def at_depth(frames: int, call: Callable[[], Decoded]) -> Decoded:
    return call() if frames == 0 else at_depth(frames - 1, call)


@pytest.mark.parametrize("frames", [0, 400])
def test_nesting_is_judged_alike_however_deep_the_caller_stands(frames: int) -> None:
    def nested(levels: int) -> bytes:
        inner = levels - 1  # the message itself is one
        return interaction(text="a long text with [[[ and {{{ and \\ " * 10)[:-1] + (
            b',"context":' + b"[" * inner + b"]" * inner + b"}"
        )

    assert reason(at_depth(frames, lambda: read(nested(MAX_DEPTH)))) is None
    assert reason(at_depth(frames, lambda: read(nested(MAX_DEPTH + 1)))) == "too_deep"


def test_many_brackets_side_by_side_are_not_deep() -> None:
    assert reason(read(interaction(context=[[1]] * 1_000))) is None


def test_names_given_twice() -> None:
    twice = b'{"user_id":"u1","item_id":"i1","user_id":"u2","event_time":%d}' % MOMENT

    assert read(twice).events[0].user_id == "u2"


def test_ids_are_bounded_in_bytes() -> None:
    assert reason(read(interaction(item_id="\N{SNOWMAN}" * 170))) is None  # 510 bytes
    assert reason(read(interaction(item_id="\N{SNOWMAN}" * 171))) == "bad_id"


def test_integer_ids_only_where_allowed() -> None:
    numbers = interaction(user_id=17, item_id=-942, event_id=5)

    assert reason(read(numbers)) == "wrong_type"
    assert read(numbers, Decoder(integer_ids=True)).events == (Interaction("5", "17", "-942", MOMENT),)
    assert read(interaction(type="request", exclude=[7, "i8"]), Decoder(integer_ids=True)).events == (
        Request("interactions-0-0", "u17", MOMENT, None, ("7", "i8")),
    )
    assert reason(read(interaction(user_id=2**63), Decoder(integer_ids=True))) == "wrong_type"


def test_size_limit_counts_the_whole_value() -> None:
    value = interaction()

    assert reason(read(value, Decoder(max_value_bytes=len(value)))) is None
    assert reason(read(value, Decoder(max_value_bytes=len(value) - 1))) == "too_large"


@pytest.mark.parametrize(("key", "mismatch"), [(b"u17", False), (None, False), (b"u18", True), (b"\xff", True)])
def test_a_key_that_is_not_the_user_is_noted(key: bytes | None, mismatch: bool) -> None:
    assert Decoder().decode(record(interaction(), key=key, timestamp_ms=MOMENT)).key_mismatch is mismatch


def test_ignored_event_types_are_not_read_further() -> None:
    decoder = Decoder(policy=EventPolicy({"ping": "ignore"}))
    decoded = read(b'{"event_type":"ping"}', decoder)

    assert (decoded.events, decoded.error, decoded.time_ms) == ((), None, AT_ONCE)
    assert isinstance(read(interaction(type="erase", event_type="ping"), decoder).events[0], Erase)


@pytest.mark.parametrize("schema", ["springtide.interaction/1", "acme/7", 3, {"type": "struct"}])
def test_schemas_of_others_do_not_matter(schema: object) -> None:
    assert reason(read(interaction(schema=schema))) is None


SEGMENT = FieldMap(
    type="",
    event_id="messageId",
    user_id="userId",
    item_id="properties.product_id",
    event_time="timestamp",
    event_type="event",
    value="properties.price",
    items="properties.products",
)


def test_an_existing_topic_is_read_through_its_own_names() -> None:
    decoder = Decoder(SEGMENT)

    assert read((GOLDEN / "segment.json").read_bytes(), decoder).events == (
        Interaction("01J", "u17", "i942", MOMENT, "Product Viewed", 4.5),
    )
    order = {
        "userId": "u17",
        "messageId": "01J",
        "timestamp": MOMENT,
        "properties": {"products": [{"product_id": "i1", "price": 2}]},
    }
    assert read(msgspec.json.encode(order), decoder).events == (Interaction("01J-0", "u17", "i1", MOMENT, "", 2.0),)
    missing = read(b'{"userId":"u17","timestamp":%d}' % MOMENT, decoder)
    assert str(missing.error) == "`properties.product_id` is missing."


def test_fields_set_to_nothing_are_not_read() -> None:
    decoder = Decoder(FieldMap(value="", items=""))

    assert read(interaction(value="high", items=3), decoder).events[0] == Interaction(
        "interactions-0-0", "u17", "i942", MOMENT
    )


ids = st.text(min_size=1, max_size=100)
times = st.integers(315_532_800_000, NOON)
kinds = st.text().filter(lambda kind: kind not in EventPolicy().ignored)
events = st.one_of(
    st.builds(Interaction, ids, ids, ids, times, kinds, st.none() | st.floats(allow_nan=False, allow_infinity=False)),
    st.builds(Request, ids, ids, times, st.none() | st.integers(1, 1_000), st.lists(st.text(), max_size=5).map(tuple)),
    st.builds(Erase, ids, ids, times),
)


@given(events)
def test_what_is_written_is_read_back(event: Event) -> None:
    assert read(encode(event)).events == (event,)


names = st.sampled_from(
    "type user_id item_id event_time event_id event_type value items k exclude schema "
    "specversion id source data data_base64 time context".split()
)
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=10)
    | st.sampled_from(
        ["u17", "request", "erase", "interaction", "1.0", MOMENT, "2026-03-01T12:00:00Z", "springtide.x/2"]
    )
)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=6), max_leaves=20
)
messages = st.dictionaries(names, values, max_size=12).map(msgspec.json.encode)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Cut a message short, or write other bytes into its middle."""
    whole = draw(st.one_of(messages, events.map(encode)))
    start = draw(st.integers(0, len(whole)))
    return whole[:start] + draw(st.binary(max_size=4)) + whole[draw(st.integers(start, len(whole))) :]


headers = st.lists(
    st.tuples(
        st.sampled_from(["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "x"]),
        st.sampled_from([b"1.0", b"2026-03-01T12:00:00Z", b"", b"\xff"]) | st.binary(max_size=10),
    ),
    max_size=5,
).map(tuple)


@given(st.one_of(st.binary(), messages, damaged()), headers, st.none() | st.binary(max_size=5), st.booleans())
def test_no_bytes_raise_and_what_is_read_is_within_bounds(
    value: bytes, extra: tuple[tuple[str, bytes], ...], key: bytes | None, integer_ids: bool
) -> None:
    source = record(value, key=key, headers=extra, timestamp_ms=NOON + 60_000)
    decoded = Decoder(integer_ids=integer_ids).decode(source)

    assert decoded.record is source
    if decoded.error is not None:
        assert (decoded.events, decoded.time_ms) == ((), AT_ONCE)
        assert decoded.error.reason
    for event in decoded.events:
        assert 0 < len(event.user_id.encode()) <= 512
        assert 315_532_800_000 <= event.event_time_ms == decoded.time_ms
        assert read(encode(event)).events == (event,)
