import numpy as np
import pytest

from models.bootstrap import RESAMPLES, interval, resampled_means


def test_blocks_are_drawn_whole_and_means_are_over_their_events() -> None:
    # User 7 has three events of value 1, user 2 one of value 0: draws are both users, twice the one or twice the other.
    blocks, values = np.array([7, 2, 7, 7], np.int32), np.array([[1.0], [0.0], [1.0], [1.0]])
    means = resampled_means(blocks, values, seed=1)
    assert means.shape == (RESAMPLES, 1)
    assert set(means[:, 0]) == {0.0, 0.75, 1.0}
    assert (means == 0.75).mean() == pytest.approx(0.5, abs=0.05)


def test_columns_are_drawn_together() -> None:
    rng = np.random.default_rng(0)
    values = rng.random((500, 1))
    means = resampled_means(rng.integers(0, 50, 500).astype(np.int32), np.hstack([values, 2 * values]), seed=1)
    assert means[:, 1] == pytest.approx(2 * means[:, 0])


def test_a_seed_gives_the_same_and_another_seed_something_else() -> None:
    blocks, values = np.arange(40, dtype=np.int32), np.arange(40.0)[:, None]
    one, same, other = (resampled_means(blocks, values, seed) for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()


def test_the_interval_is_that_of_the_textbook_where_events_are_independent() -> None:
    values = np.random.default_rng(0).normal(size=(2_000, 1))
    low, high = interval(resampled_means(np.arange(2_000, dtype=np.int32), values, seed=1)[:, 0])
    assert low == pytest.approx(values.mean() - 1.96 / 2_000**0.5, abs=0.006)
    assert high == pytest.approx(values.mean() + 1.96 / 2_000**0.5, abs=0.006)


def test_events_of_one_user_that_are_alike_make_it_wider() -> None:
    tastes = np.repeat(np.random.default_rng(0).normal(size=100), 20)[:, None]
    alone, together = (
        np.diff(interval(resampled_means(blocks.astype(np.int32), tastes, seed=1)[:, 0]))[0]
        for blocks in (np.arange(2_000), np.repeat(np.arange(100), 20))
    )
    assert together > 3 * alone
