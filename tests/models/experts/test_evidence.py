import numpy as np
import pytest

from models.base import Column, Rows
from models.experts.evidence import Evidence
from tests.models.tiny import sparse

COLUMNS = (Column("first", 2), Column("second", 3))


def because(queries: Rows, columns: Rows, items: Rows) -> Rows:
    return np.column_stack([queries + items, columns]).astype(np.int32)


def evidence() -> Evidence:
    """Query 0 knows nothing; query 1 has evidence for the items 5, 3, 8 and 6."""
    scores = np.array([[1, 0], [3, 2], [3, 0], [1, 6]], np.float32)
    return Evidence(COLUMNS, (2.0, 0.0), np.array([0, 0, 4]), np.array([5, 3, 8, 6], np.int32), scores, because)


def test_the_largest_scores_are_proposed_and_ties_stay_in_order() -> None:
    assert evidence().propose().tolist() == [[[-1, -1, -1]] * 2, [[3, 8, -1], [6, 3, -1]]]


def test_features_are_logs_of_shares() -> None:
    features = evidence().score(np.array([[3, 5, 6, 8], [3, 5, 6, 8]], np.int32))
    assert not features[0].any()
    assert features[1, :, 0] == pytest.approx(sparse([3, 1, 1, 3], prior=2))
    assert features[1, :, 1] == pytest.approx(sparse([2, 0, 6, 0]))
    assert features[1, 0, 0] == pytest.approx(np.log(0.3001 / 0.0001))


def test_candidates_without_evidence_have_none() -> None:
    features = evidence().score(np.array([[0, 99, -1], [0, 99, -1]], np.int32))
    assert features.shape == (2, 3, 2)
    assert not features.any()


def test_mass_is_the_sum_without_the_prior() -> None:
    assert evidence().mass().tolist() == [[0, 0], [8, 8]]


def test_nothing_at_all() -> None:
    nothing = Evidence(
        COLUMNS, (0, 0), np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros((0, 2), np.float32), because
    )
    assert nothing.propose().shape == (0, 2, 3)
    assert nothing.score(np.zeros((0, 1), np.int32)).shape == (0, 1, 2)


def test_the_expert_says_why() -> None:
    one, two = np.array([1, 2], np.int32), np.array([3, 4], np.int32)
    assert evidence().because(one, two, two).tolist() == [[4, 3], [6, 4]]
    assert evidence().pairs(one[None], np.ones((1, 2), np.float32)) is None
    silent = Evidence(COLUMNS, (0, 0), np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros((0, 2), np.float32))
    assert silent.because(one, two, two).tolist() == [[-1, -1], [-1, -1]]
