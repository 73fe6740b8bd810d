import numpy as np
import pytest

from models.base import Rows
from models.ranking.residuals import Residuals

CANDIDATES = np.array([[5, 2, 7, -1]], np.int32)
SIZES = np.array([3], np.int32)
FORESEEN = np.array([[0.5, 0.3, 0.2, 0]], np.float32)
MET = np.array([1], np.int32)


def learn(residuals: Residuals, targets: Rows = MET, weight: float = 1.0) -> None:
    residuals.learn(CANDIDATES, SIZES, FORESEEN, targets, np.array([weight], np.float32))


def test_nothing_is_known_at_first() -> None:
    assert Residuals().of(CANDIDATES).tolist() == [[0, 0, 0, 0]]


@pytest.mark.parametrize("weight", [1.0, 0.25])
def test_a_step_goes_from_what_was_foreseen_to_what_was_met(weight: float) -> None:
    residuals = Residuals()
    learn(residuals, weight=weight)
    steps = [weight * (met - foreseen) for met, foreseen in ((0, 0.5), (1, 0.3), (0, 0.2))]
    expected = [0.1 * step / (0.2 + step * step) ** 0.5 for step in steps]
    assert residuals.of(CANDIDATES)[0] == pytest.approx([*expected, 0], rel=1e-5)


def test_what_is_met_as_often_as_foreseen_comes_to_rest() -> None:
    """Item 5 is met in half of the events, as foreseen; item 2 in the other half, and foreseen with .3."""
    residuals = Residuals()
    for n in range(400):
        learn(residuals, targets=np.array([n % 2], np.int32))
    half, oftener, never, _ = residuals.of(CANDIDATES)[0]
    assert abs(half) < 0.1
    assert oftener > 0.5
    assert never < -0.5


def test_rows_that_were_no_candidates_have_none() -> None:
    residuals = Residuals()
    learn(residuals)
    assert residuals.of(np.array([[3, 1_000_000, -1]], np.int32)).tolist() == [[0, 0, 0]]


def test_a_miss_and_what_is_not_finite_teach_nothing() -> None:
    residuals = Residuals()
    learn(residuals, targets=np.array([-1], np.int32))
    broken = np.array([[np.nan, 0.3, 0.2, 0]], np.float32)
    residuals.learn(CANDIDATES, SIZES, broken, MET, np.ones(1, np.float32))
    assert residuals.of(CANDIDATES).tolist() == [[0, 0, 0, 0]]


def test_a_forgotten_item_is_as_new() -> None:
    residuals, fresh = Residuals(), Residuals()
    learn(residuals)
    residuals.forget_items(np.arange(10) == 7)
    assert residuals.of(CANDIDATES)[0, 2] == 0
    learn(residuals)
    learn(fresh)
    assert residuals.of(CANDIDATES)[0, 2] == fresh.of(CANDIDATES)[0, 2]


def test_the_state_is_as_long_as_what_was_learned_and_gives_it_back() -> None:
    residuals, other = Residuals(), Residuals()
    assert len(residuals.state()["values"]) == 0
    learn(residuals)
    state = residuals.state()
    assert len(state["values"]) == len(state["squares"]) == 8
    other.restore(state)
    learn(residuals)
    learn(other)
    assert (residuals.of(CANDIDATES) == other.of(CANDIDATES)).all()


def test_the_state_keeps_what_the_smallest_step_has_taught() -> None:
    """It moves the value, and is too small to be seen in the sum of squares."""
    residuals = Residuals()
    learn(residuals, weight=1e-6)
    assert len(residuals.state()["values"]) == 8
