from typing import Any

import msgspec
import numpy as np
import pytest

from consumers.backtest import Trial
from consumers.measuring.quality import figures, scorers
from models.measuring.streams import Stream
from models.metrics import MISS, summary


def trial(users: list[int], items: list[int], **ranks: list[Any]) -> Trial:
    """Ranks by scorer; those left out are misses."""
    count = len(users)
    columns = {name: ranks.get(name, [int(MISS)] * count) for name in ("shy", "bold", "mixture", "list")}
    return Trial(
        Stream(np.array(users, np.int32), np.array(items, np.int32), np.arange(count, dtype=np.int64)),
        tuple(columns),
        np.array(list(columns.values()), np.int32).T,
        np.array(ranks.get("published", columns["list"]), np.int32),
        np.array(ranks.get("promised", [[1.0]] * count), np.float32),
        [f"i{item}" for item in range(max(items) + 1)],
        np.ones(max(items) + 1, np.int64),
        rejected=0,
        seconds=2.0,
    )


HIT_LATE = [MISS] * 10 + [0] * 10


def test_all_counts_everybody_and_the_rest_those_met_before() -> None:
    found = figures(trial([*range(10)] * 2, [0] * 20, list=[int(rank) for rank in HIT_LATE]), {}, seed=1)
    assert (found["events"], found["users"], found["items"], found["events_per_second"]) == (20, 10, 1, 10.0)
    assert found["all"] == summary(np.array(HIT_LATE[2:], np.int32))
    assert found["with_history"] == found["published"] == summary(np.zeros(10, np.int32))
    assert found["mixture"]["with_history"]["hr@10"] == 0.0
    assert found["experts"].keys() == {"shy", "bold"}
    assert "floors" not in found
    msgspec.json.encode(found)


def test_the_best_are_named_overall_and_in_each_part() -> None:
    half = [0] * 11 + [1] * 9
    found = figures(
        trial([0] * 20, [0] * 20, shy=half, bold=half[::-1]),
        {"low": np.array([5] * 20, np.int32), "high": np.array([2] * 20, np.int32)},
        seed=1,
    )
    assert found["best_expert"]["name"] == "bold"  # at the top 11 times, the other 9 times after the warm-up
    assert found["best_floor"] == {"name": "high", **found["floors"]["high"]}
    assert found["best_floor"]["with_history"]["ndcg@10"] == pytest.approx(0.5)
    assert [part["best_expert"]["name"] for part in found["fifths"]] == ["shy", "shy", "bold", "bold", "bold"]
    assert [part["events"] for part in found["fifths"]] == [4, 4, 4, 3, 3]
    assert found["slices"]["repeats"]["events"] == 18
    assert found["curves"]["ndcg@10"].keys() == {"list", "mixture", "best_expert", "best_floor"}
    assert [name for name, _ in scorers(found)] == ["list", "mixture", "bold", "shy", "high", "low", "published"]


def test_intervals_are_of_the_list_and_its_best_rivals() -> None:
    rng = np.random.default_rng(0)
    users, ours, theirs = rng.integers(0, 50, 2_000), rng.integers(0, 12, 2_000), rng.integers(0, 20, 2_000)
    many = trial(users.tolist(), [0] * 2_000, list=ours.tolist(), bold=theirs.tolist())
    found = figures(many, {}, seed=1)
    assert (
        found["intervals"]["ndcg@10"]["low"] < found["with_history"]["ndcg@10"] < found["intervals"]["ndcg@10"]["high"]
    )
    ratio = found["with_history"]["ndcg@10"] / found["best_expert"]["with_history"]["ndcg@10"]
    assert found["intervals"]["best_expert"]["ratio"] == pytest.approx(ratio)
    assert found["intervals"] == figures(many, {}, seed=1)["intervals"]
    assert found["intervals"] != figures(many, {}, seed=2)["intervals"]
