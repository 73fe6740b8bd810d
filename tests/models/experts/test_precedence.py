import numpy as np
import pytest

from models.base import Floats
from models.experts.neighbours import Neighbours

FOLLOWERS, NEAR = 0, 1
"""Lanes."""


def meet(table: Neighbours, target: int, window: list[int], weight: float = 1.0) -> None:
    forward = np.ones((1, len(window), 2), np.float32)
    mirrored = np.tile(np.array([0, 1], np.float32), (1, len(window), 1))
    weights = np.array([weight], np.float32)
    table.meet(np.array([window], np.int32), np.array([target], np.int32), weights, forward, mirrored, forward)


@pytest.fixture
def met() -> Neighbours:
    """Item 2 came after 1 five times and before it once; item 3 only after 1, once; item 4 after itself."""
    table = Neighbours(2, width=8, seed=0)
    for first, then in [(1, 2)] * 5 + [(2, 1), (1, 3), (4, 4)]:
        meet(table, then, [first])
    return table


def order(table: Neighbours, others: dict[int, float], candidates: list[int]) -> list[float]:
    rows, weights = np.array([list(others)], np.int32), np.array([list(others.values())], np.float32)
    found: Floats = table.precedence(table.together(rows, np.array([candidates], np.int32)), weights, FOLLOWERS, NEAR)
    return [float(value) for value in found[0]]


BY_2, BY_3 = np.log(5.5 / 1.5), np.log(1.5 / 0.5)


def test_what_comes_after_stands_against_what_comes_before(met: Neighbours) -> None:
    assert order(met, {1: 1}, [2, 3]) == pytest.approx([BY_2, BY_3])
    assert order(met, {2: 1}, [1, 3]) == pytest.approx([-BY_2, 0])


def test_others_are_weighed_and_summed(met: Neighbours) -> None:
    assert order(met, {2: 0.5, 3: 0.25, -1: 9}, [1]) == pytest.approx([-0.5 * BY_2 - 0.25 * BY_3])


def test_no_item_comes_after_itself(met: Neighbours) -> None:
    assert order(met, {4: 1, 1: 1}, [4, 1]) == [0, 0]


def test_what_has_not_met_has_no_order(met: Neighbours) -> None:
    assert order(met, {1: 1, 77: 1}, [1, 9, -1, 1_000_000]) == [0, 0, 0, 0]
    assert order(Neighbours(2, width=8, seed=0), {1: 1}, [2]) == [0]


def test_queries_do_not_see_each_other(met: Neighbours) -> None:
    ones = np.ones((2, 1), np.float32)
    rows, candidates = np.array([[1], [1]], np.int32), np.array([[2, -1], [3, 1]], np.int32)
    found = met.precedence(met.together(rows, candidates), ones, FOLLOWERS, NEAR)
    assert found == pytest.approx(np.array([[BY_2, 0], [BY_3, 0]]))


def test_forgotten_items_count_no_more(met: Neighbours) -> None:
    met.forget(np.arange(5) == 3)
    assert order(met, {1: 1}, [2, 3]) == pytest.approx([BY_2, 0])
