from collections.abc import Iterable

import numpy as np
import pytest

from models.base import Rows
from models.measuring.bootstrap import RESAMPLES, STRETCHES, resampled, widest


def users(of: Iterable[int]) -> Rows:
    return np.array(list(of), np.int32)


def test_blocks_are_drawn_whole_and_means_are_over_their_events() -> None:
    # Users 0 to 9; user 0 has eleven events of value 1, the others one of value 0 each.
    values = np.array([[1.0]] * 11 + [[0.0]] * 9)
    means = resampled(users([0] * 11 + [*range(1, 10)]), values, seed=1)["user"]
    assert means.shape == (RESAMPLES, 1)
    drawn = {round(11 * times / (11 * times + 10 - times), 9) for times in range(11)}
    assert {round(mean, 9) for mean in means[:, 0]} <= drawn
    assert (means == 0).mean() == pytest.approx(0.9**10, abs=0.05)


def test_stretches_are_of_equally_many_events() -> None:
    values = np.repeat(np.arange(STRETCHES), 3)[:, None].astype(float)
    means = resampled(users([0] * 3 * STRETCHES), values, seed=1)
    assert means.keys() == {"time"}  # one user says nothing about others
    assert np.allclose(means["time"] * STRETCHES, np.round(means["time"] * STRETCHES))


def test_columns_are_drawn_together() -> None:
    rng = np.random.default_rng(0)
    values = rng.random((500, 1))
    for means in resampled(users(rng.integers(0, 50, 500)), np.hstack([values, 2 * values]), seed=1).values():
        assert means[:, 1] == pytest.approx(2 * means[:, 0])


def test_a_seed_gives_the_same_and_another_seed_something_else() -> None:
    values = np.arange(40.0)[:, None]
    one, same, other = (resampled(users(range(40)), values, seed)["user"] for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()


def test_the_interval_is_that_of_the_textbook_where_events_are_independent() -> None:
    values = np.random.default_rng(0).normal(size=(2_000, 1))
    low, high, _ = widest({"user": resampled(users(range(2_000)), values, seed=1)["user"][:, 0]})
    assert low == pytest.approx(values.mean() - 1.96 / 2_000**0.5, abs=0.006)
    assert high == pytest.approx(values.mean() + 1.96 / 2_000**0.5, abs=0.006)


@pytest.mark.parametrize("block", ["user", "time"])
def test_blocks_of_events_that_are_alike_make_it_wider(block: str) -> None:
    rng = np.random.default_rng(0)
    level = rng.normal(size=STRETCHES)
    order = np.arange(2_000) * STRETCHES // 2_000
    alike = rng.permutation(order) if block == "user" else order
    owners = alike if block == "user" else rng.permutation(order)
    found = {kind: means[:, 0] for kind, means in resampled(users(owners), level[alike][:, None], seed=1).items()}
    low, high, kind = widest(found)
    assert kind == block
    assert high - low > 3 * 2 * 1.96 * level.std() / 2_000**0.5
    assert low < level.mean() < high
