import numpy as np

from models.experts.neighbours import Neighbours
from models.experts.pairs import Pairs


def met(pairs: list[tuple[int, int]]) -> Neighbours:
    table = Neighbours(1, width=64, seed=0)
    ones = np.ones((1, 1, 1), np.float32)
    for first, then in pairs:
        table.meet(np.array([[first]], np.int32), np.array([then], np.int32), np.ones(1, np.float32), ones, ones, ones)
    return table


def found(pairs: Pairs, b: int, j: int) -> list[int]:
    """Candidates of query b that its item j has met."""
    columns = pairs.columns[pairs.starts[b, j] : pairs.ends[b, j]]
    return sorted(pairs.candidates[b, columns].tolist())


def test_candidates_stand_in_the_rows_of_items_that_they_have_met() -> None:
    table = met([(0, 1), (0, 2), (3, 2)])
    items = np.array([[0, 3, 9], [2, -1, 0]], np.int32)
    pairs = table.together(items, np.array([[2, 1, 7], [3, -1, 1]], np.int32))
    assert [[found(pairs, b, j) for j in range(3)] for b in range(2)] == [[[1, 2], [2], []], [[3], [], [1]]]


def test_an_item_that_stands_twice_is_looked_up_once() -> None:
    pairs = met([(0, 1), (0, 2)]).together(np.array([[0, 5, 0]], np.int32), np.array([[1, 2]], np.int32))
    assert found(pairs, 0, 0) == found(pairs, 0, 2) == [1, 2]
    assert len(pairs.columns) == 2


def test_there_may_be_more_pairs_than_room_was_made_for() -> None:
    """Forty items have met forty others each."""
    table = met([(item, 40 + other) for item in range(40) for other in range(40)])
    items, candidates = np.arange(40, dtype=np.int32)[None], np.arange(40, 80, dtype=np.int32)[None]
    pairs = table.together(items, candidates)
    assert len(pairs.columns) == 1_600
    assert all(found(pairs, 0, j) == list(range(40, 80)) for j in range(40))


def test_nobody_asks() -> None:
    pairs = met([(0, 1)]).together(np.zeros((0, 3), np.int32), np.zeros((0, 1), np.int32))
    assert len(pairs.columns) == 0
