import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from consumers.metrics.exposition import ManyHistogram, ToldCounter, ToldGauges

_BOUNDS = (0.5, 1, 2.5)


@given(st.lists(st.one_of(st.sampled_from([0.5, 1.0, 2.5]), st.floats(0, 10)), max_size=40), st.integers(1, 7))
def test_many_at_once_are_counted_as_one_by_one(values: list[float], batch: int) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    many = ManyHistogram("x", "x", _BOUNDS, ours)
    single = Histogram("springtide_x", "x", buckets=_BOUNDS, registry=theirs)
    for start in range(0, len(values), batch):
        many.observe(np.array(values[start : start + batch]))
    for value in values:
        single.observe(value)
    for bound in ("0.5", "1.0", "2.5", "+Inf"):
        labels = {"le": bound}
        expected = theirs.get_sample_value("springtide_x_bucket", labels)
        assert expected is not None
        assert ours.get_sample_value("springtide_x_bucket", labels) == expected
    assert ours.get_sample_value("springtide_x_count") == len(values)
    assert ours.get_sample_value("springtide_x_sum") == pytest.approx(sum(values))


def test_a_counter_is_what_it_was_told_last() -> None:
    registry = CollectorRegistry()
    counter = ToldCounter("x", "What x is.", "table", registry)
    assert b"# TYPE springtide_x_total counter" in generate_latest(registry)
    counter.set("users", 4)
    counter.set("users", 9)
    assert registry.get_sample_value("springtide_x_total", {"table": "users"}) == 9


def test_gauges_that_belong_together_have_no_value_until_they_are_told() -> None:
    registry = CollectorRegistry()
    gauges = ToldGauges({"x": "What x is.", "y": "What y is."}, "task", "a", registry)
    assert b"# TYPE springtide_y gauge" in generate_latest(registry)
    assert registry.get_sample_value("springtide_x", {"task": "a"}) is None
    gauges.set(0, 5)
    assert registry.get_sample_value("springtide_x", {"task": "a"}) == 0
    assert registry.get_sample_value("springtide_y", {"task": "a"}) == 5
