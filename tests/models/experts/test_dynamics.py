import numpy as np
import pytest

from models.experts.dynamics import Dynamics
from tests.models.checks import CHECKS, Check, bytes_of, name_of
from tests.models.tiny import DAY_S, log_features, query, teach

HOUR_S = 3_600


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
def test_contract(check: Check) -> None:
    check(Dynamics)


def test_what_rises_is_above_what_stays_and_that_above_what_is_over() -> None:
    expert = Dynamics()
    steady = [(0, 0, HOUR_S // 2 + hour * HOUR_S) for hour in range(3)]
    over = [(1, 2, 60), (1, 2, 120), (1, 2, 180)]
    rising = [(2, 1, 2 * HOUR_S + 60), (2, 1, 2 * HOUR_S + 120), (2, 1, 2 * HOUR_S + 180)]
    teach(expert, sorted(steady + over + rising, key=lambda event: event[2]))
    reading = expert.read(query([], now_s=3 * HOUR_S))
    # At the start of the fourth hour: counts of the three before it, newest first, faded by half and by 2^(-1/8) an
    # hour; an hour that has just begun counts as .02 hours.
    short = np.array([0.875 / 0.895, 1.5 / 0.52, 0.375 / 0.895])  # item 1 was not there earlier than an hour before
    long = np.array([2.5290 / 2.5490, 2.7510 / 0.9370, 2.3133 / 2.5490])
    scores = short * (short + 0.5) / (long + 0.5)
    found = log_features(reading, expert.columns, "rising", items=4)[0]
    assert found == pytest.approx([*np.log1p(scores / scores.mean()), 0], rel=1e-3)
    assert reading.propose()[0, 0, :4].tolist() == [1, 0, 2, -1]


def test_an_item_is_ahead_at_its_hours_of_the_day() -> None:
    expert = Dynamics()
    teach(expert, [(0, item, day * DAY_S + hour * HOUR_S) for day in range(20) for item, hour in ((0, 1), (1, 13))])
    best = {hour: int(expert.read(query([], now_s=20 * DAY_S + hour * HOUR_S)).propose()[0, 2, 0]) for hour in (1, 13)}
    assert best == {1: 0, 13: 1}


def test_where_only_what_is_new_is_met_age_says_so() -> None:
    expert = Dynamics()
    # Every hour an item appears, is met eight times within eight minutes, and never again.
    teach(expert, [(0, hour, hour * HOUR_S + 60 * minute) for hour in range(60) for minute in range(8)])
    queries = query([], now_s=60 * HOUR_S - 45 * 60)
    new, last = (log_features(expert.read(queries), expert.columns, "by_age", items=60)[0, item] for item in (59, 58))
    assert new > last > 0
    teach(expert, [(0, 60, 60 * HOUR_S)])
    ratio = expert.state()["ages"]
    assert ratio[0, 0] > 0.99 * ratio[0].sum(), "events meet the youngest"
    assert ratio[1, 0] < 0.2 * ratio[1].sum(), "which are few among all"


def test_bytes_of_an_item() -> None:
    expert = Dynamics()
    teach(expert, [(0, 0, 0)])
    one = bytes_of(expert.state())
    teach(expert, [(0, item, 1) for item in range(1, 500)])
    assert bytes_of(expert.state()) - one == 499 * 76
