from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.clock import utc
from stream.errors import MessageError
from stream.recommendations import (
    Model,
    Reason,
    Receipt,
    Recommendation,
    RecommendationReader,
    RecommendedItem,
    Trigger,
    encode,
    rec_id,
)
from tests.stream.poison import poison
from tests.stream.records import NOON

GOLDEN = (Path(__file__).parent / "golden" / "recommendation.json").read_bytes().rstrip()

RECEIPT = (Path(__file__).parent / "golden" / "receipt.json").read_bytes().rstrip()

LIST = Recommendation(
    rec_id=rec_id("springtide", 1, "interactions", 2, 10_451, 0),
    user_id="u17",
    items=[RecommendedItem("i5", 1, 0.113, [Reason("transitions", 0.71, ["i942"]), Reason("popularity", 0.29)])],
    rest=0.887,
    trigger=Trigger("01J", "interactions", 2, 10_451),
    model=Model("1", 104_511),
    event_time=utc(NOON + 250),
    watermark=utc(NOON - 59_750),
)


def changed(**changes: object) -> bytes:
    return msgspec.json.encode({**msgspec.json.decode(GOLDEN), **changes})


def test_lists_are_written_and_read_as_pinned() -> None:
    assert encode(LIST) == GOLDEN
    assert RecommendationReader().read(GOLDEN) == LIST


def test_receipts_are_written_as_pinned() -> None:
    receipt = Receipt(rec_id=LIST.rec_id, known=True, trigger=LIST.trigger, event_time=LIST.event_time)

    assert encode(receipt) == RECEIPT


def test_a_list_before_the_first_watermark_has_none() -> None:
    early = msgspec.structs.replace(LIST, watermark=None)

    assert RecommendationReader().read(encode(early)) == early


def test_unknown_fields_are_ignored() -> None:
    assert RecommendationReader().read(
        changed(colour="blue", model={"version": "1", "events_learned": 104_511, "x": 1})
    )


def test_another_major_version_is_refused_whatever_else_has_changed() -> None:
    with pytest.raises(MessageError, match=r"springtide\.recommendation/2") as raised:
        RecommendationReader().read(changed(schema="springtide.recommendation/2", items={"i5": 0.113}))
    assert raised.value.reason == "unknown_schema"


def test_lists_read_before_are_left_out_as_far_as_remembered() -> None:
    reader = RecommendationReader(remembered=2)
    read = [reader.read(changed(rec_id=name)) for name in "aabcca"]

    assert [one.rec_id if one else None for one in read] == ["a", None, "b", "c", None, "a"]


def test_a_removal_is_no_list() -> None:
    assert RecommendationReader().read(None) is None


@pytest.mark.parametrize("value", [bad.value for bad in poison() if bad.value is not None])
def test_other_bytes_are_refused(value: bytes) -> None:
    with pytest.raises(MessageError):
        RecommendationReader().read(value)


def test_rec_ids_are_pinned() -> None:
    assert rec_id("springtide", 1, "interactions", 2, 10_451, 0) == LIST.rec_id == msgspec.json.decode(GOLDEN)["rec_id"]


places = st.tuples(
    st.text(), st.integers(0, 99), st.text(), st.integers(0, 99), st.integers(0, 2**62), st.integers(0, 9)
)


@given(places, places)
def test_rec_ids_are_the_same_for_the_same_place_only(one: tuple, other: tuple) -> None:  # type: ignore[type-arg]
    assert (rec_id(*one) == rec_id(*other)) is (one == other)
    assert len(rec_id(*one)) == 32
