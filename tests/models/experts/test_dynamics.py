import numpy as np
import pytest

from models.experts.dynamics import Dynamics
from models.series import LENGTH
from stream.events import Item
from tests.models.checks import CHECKS, Check, bytes_of, name_of
from tests.models.tiny import DAY_S, MONDAY_S, log_features, query, teach

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
    best = {hour: int(expert.read(query([], now_s=20 * DAY_S + hour * HOUR_S)).propose()[0, 1, 0]) for hour in (1, 13)}
    assert best == {1: 0, 13: 1}


def published(hours_ago: float) -> Item:
    return Item(item_id="x", available=True, published_ms=int((MONDAY_S - hours_ago * HOUR_S) * 1000))


def test_an_item_begins_with_its_publication_where_that_is_told() -> None:
    expert = Dynamics()
    expert.stock(np.array([2, 1], np.int32), [published(48), Item(item_id="y", available=True)])
    silent = expert.read(query([], now_s=0))
    assert not silent.score(np.array([[0, 1, 2]], np.int32)).any(), "what nobody has met has no evidence"
    teach(expert, [(0, 1, 0), (0, 2, 0)])
    # The event that is asked about is the only one; of the long rate it leaves the more, the shorter the past.
    found = log_features(expert.read(query([], now_s=HOUR_S // 2)), expert.columns, "by_hour", items=3)[0]
    assert found[1] > found[2] > found[0] == 0
    expert.stock(np.array([1], np.int32), [published(-1)])
    assert expert.state()["first_ms"][1] == MONDAY_S * 1000, "what was met before it was published began then"
    expert.forget_items(np.array([False, True, True]))
    teach(expert, [(0, 1, 60), (0, 2, 60)])
    assert expert.state()["first_ms"][1] == expert.state()["first_ms"][2] == (MONDAY_S + 60) * 1000


def test_items_without_a_series_have_no_rate() -> None:
    expert, restored = Dynamics(), Dynamics()
    teach(expert, [(0, item, hour * HOUR_S) for hour in range(LENGTH + 1) for item in range(3)])  # now of four hours
    state = expert.state()
    state["series.counts"], state["series.periods"] = state["series.counts"][:0], state["series.periods"][:0]
    restored.restore(state)  # as where series begin anew
    features = restored.read(query([], now_s=LENGTH * HOUR_S)).score(np.array([[0, 1, 2]], np.int32))
    assert not features.any()


def test_bytes_of_an_item() -> None:
    expert = Dynamics()
    teach(expert, [(0, 0, 0)])
    one = bytes_of(expert.state())
    teach(expert, [(0, item, 1) for item in range(1, 500)])
    assert bytes_of(expert.state()) - one == 499 * 76
