import math

import numpy as np
import pytest

from models.base import Floats
from models.gaps import Gaps
from tests.models.tiny import each, view

CANDIDATES = np.array([[1, 2, 9, -1]], np.int32)


def learned(*stream: tuple[int, int, int]) -> Gaps:
    gaps = Gaps()
    for events in each(stream):
        gaps.learn(events)
    return gaps


def after(gaps: Gaps, seconds: int) -> Floats:
    found: Floats = gaps.of(view([(0, 1_000)], now_s=1_000 + seconds), CANDIDATES)[0]
    return found


def log_normal(value: float, mean: float, variance: float) -> float:
    return -((value - mean) ** 2) / variance / 2 - math.log(variance) / 2


# item 1 is met after 9 and 99 seconds, item 2 after 999; the first events of the users have no gap
STREAM = ((0, 1, 0), (0, 1, 9), (0, 2, 1_008), (0, 1, 1_107))


def test_the_ratio_of_two_normal_distributions() -> None:
    own = np.log([10, 100])
    every = np.log([10, 1_000, 100])
    mean, variance = every.mean(), every.var() + 1e-4
    # two of its own gaps and five that are like all
    shared_mean = (own.sum() + 5 * mean) / 7
    shared_variance = ((own**2).sum() + 5 * (variance + mean**2)) / 7 - shared_mean**2
    for seconds in (0, 30, 5_000):
        gap = math.log1p(seconds)
        expected = log_normal(gap, shared_mean, shared_variance) - log_normal(gap, mean, variance)
        assert after(learned(*STREAM), seconds)[0] == pytest.approx(expected, rel=1e-3, abs=1e-5)


def test_an_item_is_likelier_after_gaps_like_its_own() -> None:
    gaps = learned(*STREAM)
    assert after(gaps, 5)[0] > 0 > after(gaps, 5)[1]
    assert after(gaps, 5_000)[1] > 0 > after(gaps, 5_000)[0]


def test_new_items_new_users_and_padding_have_none() -> None:
    gaps = learned(*STREAM)
    assert after(gaps, 5)[2:].tolist() == [0, 0]
    assert not gaps.of(view([], now_s=5), CANDIDATES).any()
    assert not after(Gaps(), 5).any()


def test_the_surest_is_bounded() -> None:
    stream = [(0, n % 2, 100 * n) for n in range(400)] + [(0, 2, 40_000 + n) for n in range(400)]
    found = after(learned(*stream), 10_000_000)
    assert np.isfinite(found).all()
    assert abs(found).max() == 5


def test_an_item_that_is_always_met_after_the_same_gap_is_not_taken_for_a_law() -> None:
    """Item 1 always comes after ten seconds, everything else after anything: its variance is .05 of all."""
    stream, now = [(0, 0, 0)], 0
    for n in range(600):
        now += 10 if n % 2 else 10 ** (1 + n % 5)
        stream.append((0, 1 if n % 2 else 2, now))
    state = learned(*stream).state()
    own, every = state["own"][1], state["all"]
    assert own[2] < 1e-3
    share = own[0] / (own[0] + 5)
    shift = own[1] - every[1]
    variance = 0.05 * (every[2] + 1e-4)
    gap = math.log1p(12)
    expected = log_normal(gap, every[1] + share * shift, variance) - log_normal(gap, every[1], every[2] + 1e-4)
    assert after(learned(*stream), 12)[0] == pytest.approx(expected, rel=1e-3)


def test_what_is_usual_of_all_follows_the_newest_hundred_thousand() -> None:
    gaps, events = Gaps(), each([(0, 1, 0), (0, 1, 9)])[1]
    gaps.learn(events)
    state = gaps.state()
    state["all"][:] = [100_000, 0, 1]
    gaps.restore(state)
    gaps.learn(events)
    assert gaps.state()["all"].tolist() == pytest.approx(
        [100_000, math.log(10) / 1e5, 1 - 1e-5 + math.log(10) ** 2 / 1e5]
    )


def test_what_is_usual_follows_the_newest_thousand() -> None:
    gaps = learned(*[(0, 1, n) for n in range(1_500)], *[(0, 1, 1_500 + 100 * n) for n in range(4_000)])
    assert gaps.state()["own"][1, 0] == 1_000
    assert gaps.state()["own"][1, 1] == pytest.approx(math.log1p(100), rel=0.02)


def test_a_forgotten_item_is_as_new() -> None:
    gaps = learned(*STREAM)
    gaps.forget_items(np.arange(5) == 2)
    assert after(gaps, 5)[1] == 0
    assert after(gaps, 5)[0] != 0
    assert not gaps.state()["own"][2:].any(), "nothing of it is left in a snapshot"
    assert len(gaps.state()["own"]) == 2


def test_restored_gaps_are_the_same() -> None:
    gaps, other = learned(*STREAM), Gaps()
    other.restore(gaps.state())
    for events in each([(1, 3, 5), (1, 1, 700)]):
        gaps.learn(events)
        other.learn(events)
    assert (after(gaps, 5) == after(other, 5)).all()
    assert {name: table.tolist() for name, table in gaps.state().items()} == {
        name: table.tolist() for name, table in other.state().items()
    }
