import numpy as np
import pytest

from consumers.measuring.comparisons import ablation, change, spread, spread_of_changes
from models.metrics import MISS


def summary(ndcg: float) -> dict[str, float]:
    return {"hr@10": 2 * ndcg, "ndcg@10": ndcg, "mrr": ndcg / 2, "events": 9}


def test_seeds_have_a_mean_and_the_deviation_of_a_sample() -> None:
    found = spread([{"list": summary(ndcg), "one": summary(0.05)} for ndcg in (0.1, 0.2, 0.3)])
    assert found.keys() == {"list", "one"}
    assert found["list"]["ndcg@10"] == pytest.approx({"mean": 0.2, "spread": 0.1})
    assert found["list"]["hr@10"] == pytest.approx({"mean": 0.4, "spread": 0.2})
    assert found["one"]["mrr"] == pytest.approx({"mean": 0.025, "spread": 0.0})


def test_what_is_left_out_is_worth_what_the_list_loses() -> None:
    whole, lesser = np.array([0, 0, 0, MISS], np.int32), np.array([0, MISS, MISS, 0], np.int32)
    events = np.array([True, True, False, True])
    found = ablation(whole, lesser, events, {"cold_items": np.array([True, True, True, False])})
    assert (found["with_history"]["events"], found["with_history"]["ndcg@10"]) == (3, pytest.approx(2 / 3))
    assert found["change"] == pytest.approx(0.0)
    assert found["slices"]["cold_items"]["list"]["ndcg@10"] == pytest.approx(0.5)
    assert found["slices"]["cold_items"]["change"] == pytest.approx(-0.5)


def test_what_seeds_say_of_a_thing_is_summed_up_where_all_say_something() -> None:
    runs: list[dict[str, dict[str, float | None]]] = [
        {"bursts": {"change": -0.02}, "network": {"change": None}},
        {"bursts": {"change": -0.04}, "network": {"change": 0.1}},
    ]
    found = spread_of_changes(runs)
    assert found["bursts"] == pytest.approx({"mean": -0.03, "spread": 0.0141421356})
    assert found["network"] is None


def test_nothing_has_no_share() -> None:
    assert change(summary(0.0), summary(0.1)) is None
