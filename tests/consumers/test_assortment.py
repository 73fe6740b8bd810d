from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.assortment import with_more
from consumers.pipeline import Pipeline
from stream.events import Decoded
from stream.log import Record
from stream.snapshots import state_hash
from tests.consumers import stream
from tests.consumers.stream import NOON, interactions, items, lists, round_robin, run

WITH_ITEMS = {"items": {"topic": "items", "vector_length": 2}}


def pipeline(**sections: object) -> Pipeline:
    return Pipeline(stream.settings(**(WITH_ITEMS | sections)))


def told(pipeline: Pipeline, *items: str | Mapping[str, object], first: int = 0) -> list[Decoded]:
    """Decode records of the items topic; a text is the id of an item that is withdrawn."""
    return [
        pipeline.decoder.decode(
            Record("items", 0, first + place, NOON, item.encode(), None)
            if isinstance(item, str)
            else Record("items", 0, first + place, NOON, str(item["item_id"]).encode(), msgspec.json.encode(item))
        )
        for place, item in enumerate(items)
    ]


def listed(pipeline: Pipeline, batch: Sequence[Decoded]) -> set[str]:
    """Every item on the lists that answer a batch."""
    return {item for answer in lists(run(pipeline, list(batch))) for item in items(answer)}


def tell(pipeline: Pipeline, *items: str | Mapping[str, object]) -> None:
    run(pipeline, told(pipeline, *items))


@pytest.fixture
def walked() -> Pipeline:
    """After twelve rounds of a -> b -> c -> d."""
    made = pipeline()
    run(made, interactions(made, round_robin(12)))
    return made


def test_what_is_withdrawn_is_on_no_list_until_it_is_back(walked: Pipeline) -> None:
    after = interactions(walked, ["u9 b"], first=36)
    assert "c" in listed(walked, after)

    assert listed(walked, [*told(walked, "c"), *interactions(walked, ["u8 b", "u7 c"], first=37)]) == {"a", "b", "d"}
    tell(walked, {"item_id": "c", "available": False, "attributes": {"kind": "x"}})
    assert listed(walked, interactions(walked, ["u6 b"], first=39)) == {"a", "b", "d"}
    tell(walked, {"item_id": "c"})
    assert "c" in listed(walked, interactions(walked, ["u5 b"], first=40))


def test_an_item_withdrawn_before_anybody_met_it_is_never_listed(walked: Pipeline) -> None:
    tell(walked, "z")
    assert walked.admission.items.find("z") < 0, "nothing is known of it, and it takes no row"
    pairs = [f"u{user} {item}" for user in range(4, 9) for item in "bz"]
    assert "z" not in listed(walked, interactions(walked, pairs, first=36))


def test_it_stays_barred_when_its_row_was_another_ones_for_a_while() -> None:
    made = pipeline(models={"items": 10})
    run(made, interactions(made, [f"u1 i{number}" for number in range(9)]))
    tell(made, "i0")
    others = [f"u{number} j{number}" for number in range(8)]
    assert "i0" not in listed(made, interactions(made, others, first=9))
    assert made.admission.items.find("i0") < 0
    assert {"j6", "j7"} <= listed(made, interactions(made, ["u3 j7", "u4 j6"], first=20))

    pairs = [f"u{user} {item}" for user in range(5) for item in ("i0", "j7")]
    assert "i0" not in listed(made, interactions(made, pairs, first=30))
    assert made.admission.items.find("i0") >= 0


def test_what_nobody_has_met_is_listed_for_who_likes_its_like() -> None:
    made = pipeline()
    tell(made, *({"item_id": item, "attributes": {"genre": "jazz" if item in "abn" else "folk"}} for item in "abcdno"))
    run(made, interactions(made, round_robin(12)))
    (answer,) = lists(run(made, interactions(made, ["u9 a"], first=36)))
    assert "n" in items(answer)
    assert "o" not in items(answer)
    reasons = next(item.reasons for item in answer.items if item.item_id == "n")
    assert reasons == [] or reasons[0].expert in {"like_attributes", "item_statistics"}


def test_an_item_that_nobody_met_takes_no_place_of_another() -> None:
    made = pipeline(models={"items": 10})
    run(made, interactions(made, [f"u1 i{number}" for number in range(8)]))
    outputs = run(made, told(made, *({"item_id": f"n{number}"} for number in range(5))))
    assert (outputs.items, outputs.homeless) == (5, 3)
    assert all(made.admission.items.find(f"i{number}") >= 0 for number in range(8))


def test_items_are_neither_answered_nor_counted_as_events(walked: Pipeline) -> None:
    outputs = run(walked, told(walked, {"item_id": "n"}, "a", {"item_id": ""}))
    assert (outputs.lists, outputs.accepted, outputs.ignored, outputs.items) == ([], 0, 0, 2)
    assert outputs.reasons == ["bad_id"]
    assert walked.watermark_ms == NOON + 34 * 60_000


def test_an_empty_items_topic_changes_no_list() -> None:
    with_topic, without = pipeline(), Pipeline(stream.settings())
    for made in (with_topic, without):
        run(made, interactions(made, round_robin(12)))
    ends = [next(iter(lists(run(made, interactions(made, ["u9 b"], first=36))))) for made in (with_topic, without)]
    assert items(ends[0]) == items(ends[1])


def test_a_restored_state_bars_the_same(walked: Pipeline) -> None:
    tell(walked, "c", "z", {"item_id": "n", "attributes": {"genre": "jazz"}, "vector": [1, 2], "published_at": NOON})
    restored = pipeline()
    restored.restore(walked.state())
    assert state_hash(restored.state()) == state_hash(walked.state())
    for made in (walked, restored):
        assert not listed(made, interactions(made, ["u4 b", "u5 z", "u6 b"], first=36)) & {"c", "z"}
        tell(made, {"item_id": "z"}, "b")
    assert state_hash(restored.state()) == state_hash(walked.state())


_CHANGES = st.tuples(st.sampled_from("abcdef"), st.booleans())
_EVENTS = st.tuples(st.sampled_from("12345"), st.sampled_from("abcdef"))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.one_of(_CHANGES, _EVENTS), min_size=1, max_size=8), min_size=1, max_size=10))
def test_no_list_ever_has_what_is_not_available(batches: list[list[tuple[str, bool | str]]]) -> None:
    made, offset, gone = pipeline(models={"items": 10}), 0, set[str]()
    run(made, interactions(made, [f"u{user} {item}" for user in range(3) for item in "abcdef"], start_ms=NOON))
    for batch in batches:
        records: list[Decoded] = []
        for one, other in batch:
            offset += 1
            if isinstance(other, bool):
                gone = gone - {one} if other else gone | {one}
                records.append(*told(made, {"item_id": one, "available": other}, first=offset))
            else:
                records += interactions(made, [f"u{one} {other}"], first=100 + offset)
        assert not listed(made, _items_first(records)) & gone
        assert len(made.assortment) == len(gone)


def _items_first(records: Iterable[Decoded]) -> list[Decoded]:
    return sorted(records, key=lambda one: one.item is None)


@given(st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=5), st.lists(st.integers(0, 9), max_size=3))
def test_the_same_rows_are_added_to_each_list(some: list[list[int]], more: list[int]) -> None:
    starts = np.cumsum([0, *map(len, some)]).astype(np.int64)
    rows = np.array([row for one in some for row in one], np.int32)
    longer_starts, longer = with_more(starts, rows, np.array(more, np.int32))
    assert longer.dtype == np.int32
    assert [longer[a:b].tolist() for a, b in pairwise(longer_starts)] == [one + more for one in some]
