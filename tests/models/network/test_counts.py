import numpy as np
import pytest
import torch

from models.network.counts import CountEncoder, ItemTransformer
from models.series import LENGTH
from stream.snapshots import state_hash
from tests.models.checks import CHECKS, Check, name_of
from tests.models.tiny import HOUR_S, each, hours, teach


def small() -> ItemTransformer:
    return ItemTransformer(followed=20, seed=3)


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
def test_contract(check: Check) -> None:
    check(small)


def test_an_untrained_one_says_that_an_item_stays_at_its_level() -> None:
    encoder = CountEncoder()
    steady = torch.full((1, LENGTH - 2), 7.0)
    newest = torch.zeros(1, LENGTH - 2)
    newest[0, 0] = 8.0
    with torch.inference_mode():
        assert encoder(steady).exp().item() == pytest.approx(7.1, rel=1e-5)
        fading = 0.5 ** (np.arange(LENGTH - 2) / 3)
        assert encoder(newest).exp().item() == pytest.approx(8 / fading.sum() + 0.1, rel=1e-5)


def test_it_learns_the_hour_of_the_day() -> None:
    day = [[30, 2]] * 12 + [[2, 30]] * 12  # each item has half of the day
    expert = small()
    for events in each(hours(day * 12)):
        expert.learn(events)
    teach(expert, [(0, 0, 12 * 24 * HOUR_S)])
    expected = expert.state()["expected"][np.argsort(expert.state()["items"])]
    assert expected[0] > 3 * expected[1], "though item 1 was asked for 30 times in the last hour"
    assert expert.progress.updates > 500
    assert expert.progress.skipped == 0


def test_a_step_that_is_not_finite_is_not_taken() -> None:
    expert = small()
    for events in each(hours([[5, 3]] * 4)):
        expert.learn(events)
    broken = expert.state()
    broken["weights"][:] = np.nan
    expert.restore(broken)
    moments = broken["first_moments"].copy()
    teach(expert, [(0, 0, 4 * HOUR_S)])
    assert expert.progress.skipped == 1
    assert np.array_equal(expert.state()["first_moments"], moments)


def test_the_seed_decides_the_first_weights_alone() -> None:
    one, same, other = ItemTransformer(seed=1), ItemTransformer(seed=1), ItemTransformer(seed=2)
    assert state_hash(one.state()) == state_hash(same.state()) != state_hash(other.state())
