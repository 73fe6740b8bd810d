from typing import Any

import pytest

from consumers.measuring.comparisons import ablation, change, spread


def summary(ndcg: float) -> dict[str, float]:
    return {"hr@10": 2 * ndcg, "ndcg@10": ndcg, "mrr": ndcg / 2, "events": 9}


def figures(ndcg: float, cold: float = 0.0) -> dict[str, Any]:
    return {
        "with_history": summary(ndcg),
        "mixture": {"with_history": summary(0.1)},
        "experts": {"one": {"with_history": summary(0.05)}},
        "published": summary(0.02),
        "slices": {"cold_items": {"list": summary(cold)}},
    }


def test_seeds_have_a_mean_and_the_deviation_of_a_sample() -> None:
    found = spread([figures(0.1), figures(0.2), figures(0.3)])
    assert found.keys() == {"list", "mixture", "one", "published"}
    assert found["list"]["ndcg@10"] == pytest.approx({"mean": 0.2, "spread": 0.1})
    assert found["list"]["hr@10"] == pytest.approx({"mean": 0.4, "spread": 0.2})
    assert found["mixture"]["mrr"] == pytest.approx({"mean": 0.05, "spread": 0.0})


def test_what_is_left_out_is_worth_what_the_list_loses() -> None:
    found = ablation(figures(0.2, cold=0.1), {"bursts": figures(0.19, cold=0.12)})
    assert found["bursts"]["with_history"] == summary(0.19)
    assert found["bursts"]["change"] == pytest.approx(-0.05)
    assert found["bursts"]["slices"]["cold_items"]["change"] == pytest.approx(0.2)


def test_nothing_has_no_share() -> None:
    assert change(summary(0.0), summary(0.1)) is None
