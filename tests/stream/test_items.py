from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.events import AT_ONCE, Item
from stream.items import MAX_ATTRIBUTES, ItemDecoder
from tests.stream.poison import poison
from tests.stream.records import NOON, record

GOLDEN = Path(__file__).parent / "golden"


def read(value: bytes | None, key: bytes | None = b"i942", *, vector_length: int = 3, integers: bool = False) -> Item:
    decoded = ItemDecoder(vector_length=vector_length, integer_ids=integers).decode(record(value, key=key))
    if decoded.error is not None:
        raise decoded.error
    assert decoded.item is not None
    assert (decoded.events, decoded.time_ms) == ((), AT_ONCE)
    return decoded.item


def message(**fields: object) -> bytes:
    return msgspec.json.encode({"item_id": "i942", **fields})


def reason(value: bytes | None, key: bytes | None = b"i942") -> str | None:
    error = ItemDecoder(vector_length=3).decode(record(value, key=key)).error
    return None if error is None else error.reason


def test_a_whole_message_is_read() -> None:
    assert read((GOLDEN / "item.json").read_bytes()) == Item(
        item_id="i942",
        available=True,
        published_ms=NOON,
        attributes=("genre=jazz", "genre=soul", "label=Blue", "year=2026", "live=true"),
        vector=(0.12, -0.4, 0.33),
    )


def test_the_id_is_enough_and_means_available() -> None:
    assert read(message()) == Item(item_id="i942", available=True)
    assert read(message(available=None, attributes=None, vector=None, published_at=None)) == read(message())


def test_what_has_no_value_is_withdrawn() -> None:
    assert read(None) == Item(item_id="i942", available=False)
    assert reason(None, key=None) == "missing_field"
    assert reason(None, key=b"") == "bad_id"
    assert reason(None, key=b"\xff") == "bad_utf8"


def test_the_key_is_the_item() -> None:
    assert read(message(), key=None).item_id == "i942"
    assert reason(message(), key=b"i943") == "key_mismatch"


def test_integer_ids_are_read_where_the_settings_say_so() -> None:
    assert read(message(item_id=942), key=b"942", integers=True).item_id == "942"
    assert reason(message(item_id=942), key=b"942") == "wrong_type"


def test_vectors_are_not_looked_at_where_none_are_expected() -> None:
    assert read(message(vector=[1, 2]), vector_length=0).vector == ()


def test_a_value_said_twice_counts_once() -> None:
    assert read(message(attributes={"genre": ["a", "a", None], "none": None})).attributes == ("genre=a",)


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"vector": [1, 2]}, "wrong_vector"),
        ({"vector": [1, 2, "x"]}, "wrong_type"),
        ({"vector": [0.5] * 5_000}, "wrong_type"),
        ({"attributes": {"genre": list(range(MAX_ATTRIBUTES + 1))}}, "too_many_attributes"),
        ({"attributes": {"title": "x" * 300}}, "long_attribute"),
        ({"attributes": {"size": {"cm": 3}}}, "wrong_type"),
        ({"attributes": ["jazz"]}, "wrong_type"),
        ({"published_at": 1_767_225_600}, "impossible_time"),
        ({"published_at": "2026-03-01T12:00:00"}, "wrong_type"),
        ({"available": "yes"}, "wrong_type"),
        ({"type": "interaction"}, "unknown_type"),
        ({"schema": "springtide.item/2"}, "unknown_schema"),
        ({"item_id": ""}, "bad_id"),
        ({"item_id": None}, "missing_field"),
    ],
)
def test_bad_messages_are_refused_with_a_reason(fields: dict[str, object], wrong: str) -> None:
    assert reason(message(**fields)) == wrong


def test_numbers_that_are_none_are_refused() -> None:
    for number in (b"NaN", b"Infinity", b"1e999"):
        assert reason(b'{"item_id":"i942","vector":[1,2,' + number + b"]}") in {"bad_json", "wrong_type"}


def test_poison_never_raises() -> None:
    decoder = ItemDecoder(vector_length=3)
    for bad in poison():
        decoded = decoder.decode(record(bad.value, key=bad.key, headers=bad.headers))
        assert (decoded.error is None) != (decoded.item is None), bad.name


@given(st.binary(), st.binary() | st.none())
def test_bytes_from_outside_never_raise(value: bytes, key: bytes | None) -> None:
    decoded = ItemDecoder(vector_length=3).decode(record(value, key=key))
    assert (decoded.error is None) != (decoded.item is None)
