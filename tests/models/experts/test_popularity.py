from collections.abc import Sequence

import numpy as np
import pytest

from models.base import Column, Floats, Queries
from models.experts.popularity import Popularity
from tests.models.checks import CHECKS, Check, name_of
from tests.models.tiny import DAY_S, each, log_features, query, teach

HOUR_S = 3600
NOBODY = query([], now_s=0)


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
def test_contract(check: Check) -> None:
    check(Popularity)


def features(expert: Popularity, column: str, queries: Queries = NOBODY, items: int = 3) -> Floats:
    found: Floats = log_features(expert.read(queries), expert.columns, column, items)[0]
    return found


def shares(weights: Sequence[float]) -> Floats:
    result: Floats = np.log1p(np.array(weights) / sum(weights) / 1e-6).astype(np.float32)
    return result


@pytest.mark.parametrize(
    ("column", "half_life_s"),
    [("popular_90m", 5400), ("popular_6h", 6 * HOUR_S), ("popular_1d", DAY_S), ("popular_7d", 7 * DAY_S)],
)
def test_weights_halve_in_a_half_life(column: str, half_life_s: int) -> None:
    expert = Popularity()
    teach(expert, [(0, 0, 0), (1, 1, half_life_s), (2, 2, 2 * half_life_s)])
    assert features(expert, column) == pytest.approx(shares([1, 2, 4]))


def test_order_of_arrival_does_not_matter_for_weights() -> None:
    expert = Popularity()
    teach(expert, [(2, 2, 2 * DAY_S), (0, 0, 0), (1, 1, DAY_S)])
    assert features(expert, "popular_1d") == pytest.approx(shares([1, 2, 4]))
    assert expert.read(NOBODY).propose()[0, 2, :4].tolist() == [2, 1, 0, -1]


def test_an_event_of_weight_three_counts_as_three() -> None:
    expert = Popularity()
    expert.learn(each([(0, 0, 0)], weight=3.0)[0])
    expert.learn(each([(1, 1, 0)])[0])
    assert features(expert, "popular_ever", items=2) == pytest.approx(shares([3, 1]))


def test_users_of_like_history_are_counted_together() -> None:
    """Item 0 is what newcomers take, item 1 what those with one event take, item 2 those with three."""
    expert = Popularity()
    teach(expert, [(0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 1, 0), (0, 0, 0), (0, 2, 0)])
    long = [(5, 0), (6, 0), (7, 0)]
    assert features(expert, "popular_at_length", query([], now_s=0)) == pytest.approx(shares([2, 0, 0]))
    assert features(expert, "popular_at_length", query(long[:2], now_s=0)) == pytest.approx(shares([1, 2, 0]), abs=0.5)
    assert features(expert, "popular_at_length", query(long, now_s=0)) == pytest.approx(shares([0, 0, 1]))


def test_users_back_after_a_like_time_are_counted_together() -> None:
    expert = Popularity()
    teach(expert, [(0, 0, 0), (0, 1, 59), (1, 0, 60), (1, 2, 120)])
    for gap_s, weights in ((59, [0, 1, 0]), (60, [0, 0, 1]), (599, [0, 0, 1]), (600, [0, 0, 0])):
        found = features(expert, "popular_after_gap", query([(9, 0)], now_s=gap_s))
        assert found == pytest.approx(shares(weights) if any(weights) else [0, 0, 0]), gap_s
    assert features(expert, "popular_after_gap").argmax() == 0


def test_the_leaders_are_those_of_the_largest_weights() -> None:
    """More items than leaders are kept; against sorting all weights."""
    expert, random = Popularity(), np.random.default_rng(0)
    items = np.minimum(random.geometric(0.002, 3000), 999)
    teach(expert, [(0, int(item), 60 * second) for second, item in enumerate(items)])
    proposed = expert.read(NOBODY).propose()[0]
    for e, (name, half_life_s) in enumerate([("popular_90m", 5400), ("popular_6h", 6 * HOUR_S), ("popular_1d", DAY_S)]):
        weights = np.bincount(items, 0.5 ** ((len(items) - np.arange(len(items))) * 60 / half_life_s), 1000)
        count = expert.columns[e].proposals
        assert expert.columns[e].name == name
        assert weights[proposed[e, :count]] == pytest.approx(np.sort(weights)[::-1][:count])


def test_leaders_are_distinct_and_the_largest_where_many_weigh_the_same() -> None:
    """All events in one second, of more items than leaders are kept."""
    expert, random = Popularity(), np.random.default_rng(1)
    items = random.permutation(np.concatenate([np.arange(900), random.integers(0, 900, 600)]))
    teach(expert, [(n, int(item), 0) for n, item in enumerate(items)])
    leaders = expert.state()["leaders"][expert.columns.index(Column("popular_ever", 15))]
    met = np.bincount(items)
    assert len(set(leaders.tolist())) == len(leaders)
    assert met[leaders].tolist() == np.sort(met)[::-1][: len(leaders)].tolist()


def test_what_is_excluded_makes_room_for_the_next() -> None:
    expert = Popularity()
    teach(expert, [(n, item, 0) for n, item in enumerate([0, 0, 0, 1, 1, 2])])
    assert expert.read(query([], now_s=0, excluded=[0, 99])).propose()[0, 4, :3].tolist() == [1, 2, -1]


def test_a_year_of_silence_leaves_only_what_is_new() -> None:
    expert = Popularity()
    teach(expert, [(0, 0, 0), (1, 0, 0), (2, 1, 365 * DAY_S)])
    assert features(expert, "popular_90m") == pytest.approx(shares([0, 1, 0]))
    assert expert.read(NOBODY).propose()[0, 0, :2].tolist() == [1, -1]
    assert expert.read(NOBODY).propose()[0, 4, :3].tolist() == [0, 1, -1]
    teach(expert, [(3, 2, 60)])  # a year late
    assert features(expert, "popular_90m") == pytest.approx(shares([0, 1, 0]))
    assert np.isfinite(expert.read(NOBODY).score(np.array([[0, 1, 2]], np.int32))).all()


def test_shares_add_up_again_after_forgetting_what_weighed_most() -> None:
    """Item 0 weighs e^39 times as much as item 1: the difference of totals would be nothing."""
    expert = Popularity()
    seconds = int(39 / np.log(2) * 5400)
    teach(expert, [(0, 1, 0), (1, 2, 0), (2, 0, seconds)])
    expert.forget_items(np.array([True]))
    assert features(expert, "popular_90m") == pytest.approx(shares([0, 1, 1]))
    assert expert.read(NOBODY).propose()[0, 0, :3].tolist() == [1, 2, -1]
