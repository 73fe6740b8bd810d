import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.web.rolling import Curve, Recent, latencies, quantile

EVENTS = st.lists(st.integers(1, 300), min_size=1, max_size=200)


@given(EVENTS)
def test_a_curve_is_bounded_and_loses_no_event(batches: list[int]) -> None:
    curve = Curve(points=8, events=10)
    for events in batches:
        curve.add(events, np.full((2, 3), float(events)))
    stretches = curve.stretches()
    assert len(stretches) <= 8
    assert sum(part.events for part in stretches) == sum(batches)
    assert all((part.sums == part.events).all() for part in stretches)


def test_a_curve_gets_coarser_as_it_gets_longer() -> None:
    curve = Curve(points=4, events=1)
    for number in range(9):
        curve.add(1, np.array([float(number)]))
    assert [(part.events, float(part.sums[0])) for part in curve.stretches()] == [(4, 6.0), (4, 22.0), (1, 8.0)]


def test_the_parts_of_a_curve_are_alike_where_batches_are_larger_than_they() -> None:
    curve = Curve(points=4, events=50)
    for _ in range(15):
        curve.add(128, np.zeros(1))
    assert [part.events for part in curve.stretches()] == [512, 512, 512, 384]


@given(EVENTS, st.integers(1, 500))
def test_the_newest_events_are_as_many_as_wanted_and_no_batch_more(batches: list[int], wanted: int) -> None:
    recent = Recent(wanted, np.zeros(1))
    for number, events in enumerate(batches):
        recent.add(events, np.array([float(number)]))
    events, sums = recent.total
    newest = next(
        (first for first in reversed(range(len(batches))) if sum(batches[first:]) >= wanted), 0
    )  # the last batches that are enough
    assert events == sum(batches[newest:])
    assert sums[0] == sum(range(newest, len(batches)))


def test_nothing_recent_is_zero() -> None:
    events, sums = Recent(5, np.zeros(2)).total
    assert (events, sums.tolist()) == (0, [0.0, 0.0])


@given(st.lists(st.floats(0.001, 60_000), min_size=1, max_size=100))
def test_quantiles_are_right_to_a_tenth_and_can_be_added(seconds: list[float]) -> None:
    half = len(seconds) // 2
    counts = latencies(np.array(seconds[:half])) + latencies(np.array(seconds[half:]))
    for q, exact in ((0.5, sorted(seconds)[(len(seconds) - 1) // 2]), (1.0, max(seconds))):
        assert quantile(counts, q) == pytest.approx(exact, rel=0.1)


def test_quantiles_of_extremes() -> None:
    assert quantile(latencies(np.zeros(0)), 0.5) is None
    assert quantile(latencies(np.array([-1.0, 0.0])), 0.99) == pytest.approx(0.001, rel=0.1)
    assert quantile(latencies(np.array([1e9])), 0.5) == pytest.approx(6.7e4, rel=0.1)
