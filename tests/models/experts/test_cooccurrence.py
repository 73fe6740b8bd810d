import numpy as np
import pytest

from models.base import Floats, Queries
from models.experts import bursts, covisitation, transitions
from models.experts.cooccurrence import Cooccurrence
from stream.windows import WindowView
from tests.models.checks import CHECKS, Check, name_of
from tests.models.tiny import DAY_S, each, log_features, query, sparse, teach

TOLD_BY = "transitions", "covisitation", "page_burst"
READOUTS = (*transitions.READOUTS, *covisitation.READOUTS, *bursts.READOUTS)


def wide() -> Cooccurrence:
    return Cooccurrence(READOUTS, seed=3, told_by=TOLD_BY)


def narrow() -> Cooccurrence:
    """Rows overflow, and windows are longer than what is read of them."""
    return Cooccurrence(READOUTS, width=4, depth=5, seed=3, told_by=TOLD_BY)


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


def told_pairs(pairs: list[tuple[int, int, int]], told: bool = True) -> Cooccurrence:
    """Each pair is a user's only two events, and the seconds between them."""
    expert = Cooccurrence(READOUTS, seed=3, told_by=TOLD_BY if told else None)
    for user, (first, then, pause_s) in enumerate(pairs):
        teach(expert, [(user, first, 0), (user, then, pause_s)])
    return expert


def pairs_of(expert: Cooccurrence, window: list[tuple[int, int]], candidates: list[int], likely: list[float]) -> Floats:
    reading = expert.read(query(window, now_s=10 * DAY_S))
    said = reading.pairs(np.array([candidates], np.int32), np.array([likely], np.float32))
    assert said is not None
    row: Floats = said[0]
    return row


PAIRED = [(0, 1, 10)] * 3 + [(1, 2, 10)] * 2 + [(2, 0, DAY_S)]
NOW = 10 * DAY_S


def test_pairs_tell_what_comes_after_the_window() -> None:
    said = pairs_of(told_pairs(PAIRED), [(9, NOW), (0, NOW - 60)], [1, 2, 3], [0, 0, 0])
    assert said[:, 2] == pytest.approx([0.9 * np.log(3.5 / 0.5), 0.9 * np.log(0.5 / 1.5), 0], rel=1e-5)


def test_pairs_are_those_of_the_newest_twenty_items() -> None:
    """Item 0 stands at the position `place` of a window of others."""
    expert = told_pairs(PAIRED)
    for place, told in ((19, 0.9**19), (20, 0.0)):
        items = np.array([[*range(100, 100 + place), 0]], np.int32)
        windows = WindowView(
            users=np.zeros(1, np.int32),
            now_ms=np.array([NOW]),
            items=items,
            times_ms=np.full(items.shape, NOW),
            lengths=np.array([place + 1], np.int32),
            kinds=np.zeros(items.shape, np.uint8),
        )
        queries = Queries(windows, np.zeros(2, np.int64), np.zeros(0, np.int32))
        said = expert.read(queries).pairs(np.array([[1]], np.int32), np.zeros((1, 1), np.float32))
        assert said is not None
        by_0 = np.array([np.log(4 / (4 * 5 / 12 + 1)), np.log(3.5 / 0.5)])
        assert said[0, 0, [0, 2]] == pytest.approx(told * by_0, rel=1e-4)
        assert bool(said[0, 0, 1]) is bool(told)


def test_pairs_tell_what_comes_after_the_likeliest_candidates() -> None:
    said = pairs_of(told_pairs(PAIRED), [(9, NOW)], [1, 2, 3, -1], [0.5, 0.4, 0.1, 0])
    assert said[:, 3] == pytest.approx([0.4 * np.log(0.5 / 2.5), 0.5 * np.log(2.5 / 0.5), 0, 0], rel=1e-5)


def test_ten_candidates_are_the_likeliest() -> None:
    expert = told_pairs([(9, 11, 5), (10, 12, 5)])
    said = pairs_of(expert, [(77, NOW)], list(range(13)), [0.1 - n / 1_000 for n in range(13)])
    by_9 = np.log(1.5 / 0.5)
    assert said[9:, 3] == pytest.approx([0, 0, 0.091 * by_9, 0], rel=1e-5), "10 is the eleventh, as 0 is the first"


def test_pairs_tell_what_goes_together_in_one_burst() -> None:
    """A meeting ten seconds apart counts g; items 0, 1 and 2 have 3 g, 5 g and 2 g of 10 g; a day apart is none."""
    expert, g = told_pairs(PAIRED), np.exp(-10 / 120)
    by_1 = np.log((3 * g + 0.5) / (3 * g * 5 / 10 + 0.5))
    said = pairs_of(expert, [(0, NOW - 60)], [1, 2], [0, 0])
    by_2 = np.log(0.5 / (3 * g * 2 / 10 + 0.5))
    assert said[:, 1] == pytest.approx([np.exp(-0.5) * by_1, np.exp(-0.5) * by_2], rel=1e-5)
    later = pairs_of(expert, [(0, NOW - 360)], [1], [0])
    assert later[:, 1] == pytest.approx([np.exp(-3) * by_1], rel=1e-5)
    assert not pairs_of(expert, [(0, NOW - 3_600)], [1, 2], [0, 0])[:, 1].any(), "too long ago to be one burst"


def test_pairs_tell_lift_alone_where_nothing_else_is_asked_for() -> None:
    window, candidates = [(9, NOW), (0, NOW - 60)], [1, 2]
    said = pairs_of(told_pairs(PAIRED, told=False), window, candidates, [0.5, 0.5])
    lifts = [0.9 * np.log(4 / (4 * 5 / 12 + 1)), 0.9 * np.log(2 / (4 * 3 / 12 + 1))]
    assert said[:, 0] == pytest.approx(lifts, rel=1e-5)
    assert not said[:, 1:].any()
