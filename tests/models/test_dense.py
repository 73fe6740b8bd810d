import numpy as np
import torch

from models.base import Column
from models.dense import Probabilities
from stream.windows import UserWindows
from tests.models.checks import queries_of


def reading(logits: list[list[float]], known: list[bool], excluded: list[list[int]]) -> Probabilities:
    nobody = UserWindows(1, 1).view(np.full(len(logits), -1, np.int32), np.zeros(len(logits), np.int64))
    return Probabilities(Column("any", 2), queries_of(nobody, excluded), torch.tensor(logits), np.array(known))


def test_shares_are_of_the_known_items_that_may_be_offered() -> None:
    even = reading([[1.0, 1.0, 9.0, 1.0], [0.0, 5.0, 9.0, 0.0]], [True, True, False, True], [[], [1, 99]])
    scores = even.score(np.array([[0, 2, 3], [1, -1, 3]], np.int32))[:, :, 0]
    third, half = np.log1p(1e6 / 3), np.log1p(1e6 / 2)
    np.testing.assert_allclose(scores, [[third, 0, third], [0, 0, half]], rtol=1e-6)


def test_proposals_are_the_largest_shares() -> None:
    some = reading([[1.0, 2.0, 9.0, 3.0], [1.0, 2.0, 9.0, 3.0]], [True, True, False, True], [[3], [0, 1]])
    assert some.propose().tolist() == [[[1, 0]], [[3, -1]]]


def test_logits_of_any_size_stay_finite() -> None:
    huge = reading([[1e30, -1e30, 0.0]], [True, True, True], [[]])
    assert huge.propose().tolist() == [[[0, -1]]]
    assert np.isfinite(huge.score(np.array([[0, 1, 2]], np.int32))).all()
