import numpy as np

from models.ranking.candidates import union


def rows(*queries: list[list[int]]) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    return np.array(queries, np.int32)


def test_columns_take_turns() -> None:
    proposals = rows([[1, 2, 3], [4, 2, 5]])
    assert union(proposals).tolist() == [[1, 4, 2, 3, 5]]


def test_a_crowd_cuts_tails_and_no_heads() -> None:
    proposals = rows([[1, 2, 3], [4, 5, 6]])
    assert union(proposals, most=4).tolist() == [[1, 4, 2, 5]]
    crowds = rows([[1, 2, 3], [4, 5, 6]], [[6, 5, 4], [3, 2, 1]])
    assert union(crowds, most=4).tolist() == [[1, 4, 2, 5], [6, 3, 5, 2]]


def test_queries_do_not_see_each_other_and_are_padded() -> None:
    proposals = rows([[7, -1], [7, -1]], [[7, 8], [-1, -1]])
    assert union(proposals).tolist() == [[7, -1], [7, 8]]


def test_nothing_proposed_leaves_one_empty_place() -> None:
    assert union(rows([[-1, -1]], [[-1, -1]])).tolist() == [[-1], [-1]]


def test_no_queries() -> None:
    assert union(np.zeros((0, 2, 3), np.int32)).shape == (0, 1)


def test_what_is_barred_is_no_candidate_and_leaves_its_place_to_others() -> None:
    proposals = rows([[1, 2, 9], [4, 2, 5]])
    assert union(proposals, np.array([False, True, False, False, True])).tolist() == [[2, 9, 5]]
    assert union(proposals, np.ones(3, np.bool_), most=2).tolist() == [[4, 9]]
