from itertools import pairwise

import numpy as np
import pytest
from river import linear_model, optim, time_series

from models.experts.demand import Demand
from stream.snapshots import state_hash
from tests.models.checks import CHECKS, Check, name_of
from tests.models.tiny import HOUR_S, hours, log_features, query, sparse, teach


def small() -> Demand:
    return Demand(followed=20)


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
def test_contract(check: Check) -> None:
    check(small)


def test_a_forecast_is_the_level_and_what_river_says_of_the_distance_from_it() -> None:
    counts = [3, 1, 4, 1, 5, 9, 2, 6]
    expert = small()
    teach(expert, [*hours([[count] for count in counts]), (0, 0, len(counts) * HOUR_S)])
    regression = linear_model.LinearRegression(optimizer=optim.SGD(0.003), intercept_lr=0.003)
    river = time_series.SNARIMAX(p=12, d=0, q=1, m=24, sp=1, regressor=regression)

    def level(past: list[int], places: int) -> float:
        fading = 0.5 ** (np.arange(places) / 12)
        return float(np.log1p(past[::-1] @ fading[: len(past)] / fading.sum()))

    for hour in range(1, len(counts)):
        river.learn_one(float(np.log1p(counts[hour]) - level(counts[:hour], 24)))  # type: ignore[no-untyped-call]
    forecast = river.forecast(horizon=1)[0]  # type: ignore[no-untyped-call]
    assert expert.state()["expected"] == pytest.approx([np.expm1(level(counts, 25) + forecast)], rel=1e-6)


def test_the_score_is_the_share_of_what_is_expected_and_what_is_barred_is_not_offered() -> None:
    expert = small()
    teach(expert, [*hours([[9, 3], [9, 3], [9, 3], [9, 3]]), (0, 2, 4 * HOUR_S)])
    items, expected = (expert.state()[name] for name in ("items", "expected"))
    assert items.tolist() == [0, 1], "what was first met in this hour is not followed yet"
    reading = expert.read(query([], now_s=4 * HOUR_S))
    found = log_features(reading, expert.columns, "demand", items=3)[0]
    assert found == pytest.approx(sparse([*expected, 0]), rel=1e-5)
    assert reading.propose()[0, 0, :3].tolist() == [0, 1, -1]
    assert expert.read(query([], now_s=4 * HOUR_S, excluded=[0])).propose()[0, 0, :2].tolist() == [1, -1]


def test_it_foresees_the_hour_of_the_day() -> None:
    day = [[30, 2]] * 12 + [[2, 30]] * 12  # each item has half of the day
    expert = small()
    teach(expert, [*hours(day * 8), (0, 0, 8 * 24 * HOUR_S)])
    expected = expert.state()["expected"][np.argsort(expert.state()["items"])]
    assert expected[0] > 2 * expected[1], "though item 1 was asked for 30 times in the last hour"


def test_only_the_most_active_are_followed() -> None:
    expert = Demand(followed=2)
    teach(expert, [*hours([[2, 9, 1, 5]]), (0, 0, HOUR_S)])
    assert expert.state()["items"].tolist() == [1, 3]


def test_what_was_only_met_in_a_period_that_became_longer_waits_for_its_end() -> None:
    expert = small()
    teach(expert, hours([*[[1, 0]] * 24, [0, 1], [0, 1], [0, 1]]))  # at the last hour periods become four hours
    assert expert.state()["items"].tolist() == [0]
    teach(expert, [(0, 0, 28 * HOUR_S)])
    assert expert.state()["items"].tolist() == [0, 1]


@pytest.mark.parametrize("taken", [1, 5, 30, 40])
def test_a_restored_one_forecasts_the_same_bits_from_any_hour_on(taken: int) -> None:
    random = np.random.default_rng(1)
    counts = random.poisson(6, (60, 4)) * (random.random((60, 4)) < 0.8)
    first, second = Demand(followed=3), Demand(followed=3)
    teach(first, hours(counts[:taken].tolist()))
    second.restore(first.state())
    assert state_hash(second.state()) == state_hash(first.state())
    for start, stop in pairwise(range(taken, 60, 5)):
        for expert in (first, second):
            teach(expert, hours(counts[start:stop].tolist(), first=start))
        assert state_hash(second.state()) == state_hash(first.state())
