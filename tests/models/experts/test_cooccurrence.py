import numpy as np
import pytest

from models.experts import bursts, covisitation, transitions
from models.experts.cooccurrence import Cooccurrence
from tests.models.checks import CHECKS, Check, name_of
from tests.models.tiny import DAY_S, each, log_features, query, sparse, teach

READOUTS = (*transitions.READOUTS, *covisitation.READOUTS, *bursts.READOUTS)


def wide() -> Cooccurrence:
    return Cooccurrence(READOUTS, seed=3)


def narrow() -> Cooccurrence:
    """Rows overflow, and windows are longer than what is read of them."""
    return Cooccurrence(READOUTS, width=4, depth=5, seed=3)


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
@pytest.mark.parametrize("factory", [wide, narrow], ids=name_of)
def test_contract(factory: type[Cooccurrence], check: Check) -> None:
    check(factory)


def recent(expert: Cooccurrence, item: int, now_s: int) -> list[float]:
    """Feature of the items 1, 2, 3 after `item` by the counts with a half-life of two days."""
    reading = expert.read(query([(item, now_s)], now_s=now_s))
    features: list[float] = log_features(reading, expert.columns, "recent_transitions", 4)[0, 1:].tolist()
    return features


def test_counts_fade_by_half_in_two_days() -> None:
    expert = wide()
    teach(expert, [(0, 0, 0), (0, 1, 0), (1, 0, 2 * DAY_S), (1, 2, 2 * DAY_S)])
    assert recent(expert, 0, 2 * DAY_S) == pytest.approx(sparse([1, 2, 0]))


def test_an_old_event_that_comes_late_counts_by_its_own_time() -> None:
    expert = wide()
    teach(expert, [(0, 0, 4 * DAY_S), (0, 1, 4 * DAY_S), (1, 0, 0), (1, 2, 0)])
    assert recent(expert, 0, 4 * DAY_S) == pytest.approx(sparse([4, 1, 0]))


def test_counts_keep_their_ratios_when_the_origin_moves() -> None:
    """Counts of day 0 and day 2, after an event 200 days later has moved the origin."""
    expert = wide()
    early = [(0, 0, 0), (0, 1, 0), (1, 0, 2 * DAY_S), (1, 2, 2 * DAY_S)]
    teach(expert, [*early, (2, 5, 200 * DAY_S), (2, 6, 200 * DAY_S)])
    assert recent(expert, 0, 200 * DAY_S) == pytest.approx(sparse([1, 2, 0]))
    assert recent(expert, 5, 200 * DAY_S) == [0, 0, 0]


def test_ten_years_of_silence_leave_finite_scores() -> None:
    expert = wide()
    years = 10 * 365 * DAY_S
    teach(expert, [(0, 0, 0), (0, 1, 0), (0, 0, years), (0, 2, years), (1, 0, 60), (1, 3, 60)])
    reading = expert.read(query([(0, years)], [(2, years), (0, years), (1, 0)], now_s=years))
    features = reading.score(np.tile(np.arange(4, dtype=np.int32), (2, 1)))
    assert np.isfinite(features).all()
    assert recent(expert, 0, years)[1] == pytest.approx(np.log(1.0001 / 0.0001), abs=1e-5)


@pytest.mark.parametrize(("times", "weight"), [(3, 1.0), (1, 3.0)])
def test_an_event_of_weight_three_counts_as_three(times: int, weight: float) -> None:
    expert = wide()
    for events in each([(0, 0, 0), (0, 1, 0)], weight):
        for _ in range(times):
            expert.learn(events)
    mass = expert.read(query([(0, 0)], now_s=0)).mass()
    assert mass is not None
    assert mass[0, :2] == pytest.approx([3, 3 / (3**0.7 + 5)])


def test_only_the_newest_positions_are_named_as_reasons() -> None:
    expert = wide()
    teach(expert, [(0, 0, 0), (0, 1, 10), (1, 2, 0), (1, 1, 10), (2, 2, 20), (2, 1, 30)])
    reading = expert.read(query([(2, 40), (5, 35), (0, 30)], now_s=40))
    transitions_lane, last_lane = np.array([1], np.int32), np.array([0], np.int32)
    zero, item = np.zeros(1, np.int32), np.array([1], np.int32)
    assert reading.because(zero, transitions_lane, item).tolist() == [[0, 2]]
    assert reading.because(zero, last_lane, item).tolist() == [[0, -1]]
