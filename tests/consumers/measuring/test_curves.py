import numpy as np
import pytest

from consumers.measuring.curves import curves
from models.metrics import MISS


def test_a_point_is_the_mean_of_the_events_up_to_its_place() -> None:
    places = np.arange(0, 80, 2)  # 40 events, every other one of the stream; windows of 2
    ranks = np.where(np.arange(40) < 20, MISS, 0).astype(np.int32)
    found = curves(places, {"list": ranks, "mixture": ranks[::-1]})
    assert found["window"] == 2
    assert found["events"][0] == 3  # of the second event, which is the third of the stream
    assert found["events"][-1] == 79
    assert found["ndcg@10"]["list"] == [0.0] * 19 + [0.5] + [1.0] * 19
    assert found["ndcg@10"]["mixture"] == found["ndcg@10"]["list"][::-1]


def test_long_streams_have_a_hundred_points() -> None:
    found = curves(np.arange(10_000), {"list": np.zeros(10_000, np.int32)})
    assert len(found["events"]) == len(found["ndcg@10"]["list"]) == 100
    assert found["ndcg@10"]["list"] == pytest.approx([1.0] * 100)


def test_no_events_have_no_points() -> None:
    assert curves(np.zeros(0, np.int64), {"list": np.zeros(0, np.int32)})["events"] == []
