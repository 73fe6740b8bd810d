import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.clock import EventTimeMerge, Watermarks, merge, utc
from stream.errors import MessageError
from stream.events import AT_ONCE, Decoded
from stream.log import TopicPartition
from tests.stream.records import NOON, decoded, record

SOURCES = [TopicPartition("interactions", partition) for partition in range(3)]
FIRST, SECOND, THIRD = SOURCES


def at(partition: int, *times_ms: int) -> list[Decoded]:
    return [decoded(time_ms, partition=partition, offset=offset) for offset, time_ms in enumerate(times_ms)]


def bad(partition: int, offset: int) -> Decoded:
    source = record(b"x", partition=partition, offset=offset)
    return Decoded(source, (), MessageError(reason="bad_json", message="No."), AT_ONCE)


def places(taken: list[Decoded]) -> list[tuple[int, int]]:
    return [(one.record.partition, one.record.offset) for one in taken]


def test_partitions_are_merged_by_event_time() -> None:
    assert places(merge(at(1, 20, 40) + at(0, 10, 30))) == [(0, 0), (1, 0), (0, 1), (1, 1)]


def test_ties_go_by_topic_and_partition() -> None:
    assert places(merge(at(2, 10, 10) + at(0, 10))) == [(0, 0), (2, 0), (2, 1)]


def test_order_within_a_partition_is_kept_although_a_late_event_waits_behind_its_head() -> None:
    assert places(merge(at(0, 30, 10) + at(1, 20, 40))) == [(1, 0), (0, 0), (0, 1), (1, 1)]


def test_what_has_no_time_goes_as_soon_as_it_is_the_head() -> None:
    assert places(merge([*at(0, 30), bad(0, 1), *at(1, 20)])) == [(1, 0), (0, 0), (0, 1)]
    assert places(merge([*at(0, 30), bad(1, 0), *at(1, 0, 40)[1:]])) == [(1, 0), (0, 0), (1, 1)]


def test_an_empty_partition_is_waited_for_where_asked() -> None:
    waiting = EventTimeMerge(SOURCES)
    waiting.add(at(0, 10, 30) + at(1, 20))

    assert waiting.take(9, frozenset({THIRD})) == []
    assert places(waiting.take(9, frozenset({FIRST, SECOND}))) == [(0, 0), (1, 0)]
    assert len(waiting) == 1
    assert places(waiting.take(9)) == [(0, 1)]


def test_crowded_partitions_are_named_until_they_are_taken() -> None:
    waiting = EventTimeMerge(SOURCES)
    waiting.add(at(1, 10, 20))
    one = next(size for size in range(1, 5_000) if SECOND not in waiting.crowded(2 * size))

    assert one > 100
    assert waiting.crowded(one + 1) == {SECOND}
    waiting.take(1)
    assert waiting.crowded(one + 1) == frozenset()
    assert waiting.crowded(one - 1) == {SECOND}


def by_definition(given_order: list[Decoded]) -> list[Decoded]:
    """Merge by looking at every head each time."""
    left = list(given_order)
    merged = []
    while left:
        heads: dict[int, Decoded] = {}
        for one in left:
            heads.setdefault(one.record.partition, one)
        best = min(heads.values(), key=lambda one: (one.time_ms, one.record.partition))
        merged.append(best)
        left.remove(best)
    return merged


@st.composite
def arrivals(draw: st.DrawFn) -> list[Decoded]:
    """Draw records of three partitions in some order of arrival; a few have no time."""
    counts = [0, 0, 0]
    arrived = []
    for partition, time_ms in draw(st.lists(st.tuples(st.integers(0, 2), st.integers(AT_ONCE, 9)), max_size=30)):
        offset = counts[partition]
        counts[partition] += 1
        one = bad(partition, offset) if time_ms == AT_ONCE else decoded(time_ms, partition=partition, offset=offset)
        arrived.append(one)
    return arrived


@given(arrivals())
def test_merge_is_what_it_says(arrived: list[Decoded]) -> None:
    assert places(merge(arrived)) == places(by_definition(arrived))


@given(arrivals(), st.data())
def test_whatever_is_taken_is_in_the_order_of_merge_and_nothing_is_lost(
    arrived: list[Decoded], data: st.DataObject
) -> None:
    waiting = EventTimeMerge(SOURCES)
    taken: list[Decoded] = []
    left = arrived
    while left or len(waiting):
        cut = data.draw(st.integers(0, len(left)))
        waiting.add(left[:cut])
        left = left[cut:]
        behind = frozenset(one.record.source for one in left)
        batch = waiting.take(data.draw(st.integers(1, 10)), behind if left else frozenset())
        assert places(batch) == places(merge(batch))
        taken += batch

    assert sorted(places(taken)) == sorted(places(arrived))
    assert waiting.crowded(1) == frozenset()


@given(arrivals(), st.integers(1, 5))
def test_waiting_for_all_that_are_behind_gives_one_order_however_the_records_arrive(
    arrived: list[Decoded], step: int
) -> None:
    waiting = EventTimeMerge(SOURCES)
    taken: list[Decoded] = []
    for start in range(0, len(arrived), step):
        waiting.add(arrived[start : start + step])
        taken += waiting.take(len(arrived), frozenset(one.record.source for one in arrived[start + step :]))

    assert places(taken) == places(merge(arrived))


def test_watermarks_follow_the_latest_event_less_the_grace() -> None:
    watermarks = Watermarks(grace_ms=10)
    assert (watermarks.of(FIRST), watermarks.lowest()) == (None, None)

    watermarks.observe(FIRST, 100)
    watermarks.observe(SECOND, 200)
    assert (watermarks.of(FIRST), watermarks.of(SECOND), watermarks.lowest()) == (90, 190, 90)


@given(st.lists(st.tuples(st.sampled_from(SOURCES), st.integers(-100, 100))))
def test_watermarks_never_go_back_and_survive_a_restore(observed: list[tuple[TopicPartition, int]]) -> None:
    watermarks = Watermarks(grace_ms=5)
    for source, time_ms in observed:
        before = watermarks.of(source)
        watermarks.observe(source, time_ms)
        assert watermarks.of(source) == max(time_ms - 5, time_ms - 5 if before is None else before)

    restored = Watermarks(grace_ms=5)
    restored.restore(watermarks.state())
    assert [restored.of(source) for source in SOURCES] == [watermarks.of(source) for source in SOURCES]
    assert restored.lowest() == watermarks.lowest()


@pytest.mark.parametrize("time_ms", [0, 250, NOON, NOON + 1, 253_402_300_799_999])
def test_utc_is_exact(time_ms: int) -> None:
    assert (utc(time_ms) - utc(0)) / dt.timedelta(milliseconds=1) == time_ms
    assert utc(NOON) == dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
