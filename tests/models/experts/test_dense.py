import numpy as np
import torch

from models.base import Column
from models.experts.dense import Probabilities, listed
from stream.windows import UserWindows
from tests.models.checks import queries_of

KNOWN = np.array([True, True, False, True])
ALL = np.arange(4, dtype=np.int32)


def reading(values: list[list[float]], excluded: list[list[int]], items: list[int] | None = None) -> Probabilities:
    """Each query's vector holds its logits of the items 0 to 3, whose vectors are the axes; item 2 is not known."""
    nobody = UserWindows(1, 1).view(np.full(len(values), -1, np.int32), np.zeros(len(values), np.int64))
    scored = ALL if items is None else np.array(items, np.int32)
    queries = queries_of(nobody, excluded)
    found = listed(torch.eye(4), KNOWN, scored).logits(torch.tensor(values))
    return Probabilities(Column("any", 2), queries, found, torch.eye(4), KNOWN)


def test_shares_are_of_the_known_items_that_may_be_offered() -> None:
    even = reading([[1.0, 1.0, 9.0, 1.0], [0.0, 5.0, 9.0, 0.0]], [[], [1, 99]])
    scores = even.score(np.array([[0, 2, 3], [0, -1, 99]], np.int32))[:, :, 0]
    third, half = np.log1p(1e6 / 3), np.log1p(1e6 / 2)
    np.testing.assert_allclose(scores, [[third, 0, third], [half, 0, 0]], rtol=1e-6)


def test_proposals_are_the_largest_shares() -> None:
    some = reading([[1.0, 2.0, 9.0, 3.0], [1.0, 2.0, 9.0, 3.0]], [[3], [0, 1]])
    assert some.propose().tolist() == [[[1, 0]], [[3, -1]]]


def test_only_scored_items_are_proposed_and_others_stand_beside_them() -> None:
    short = reading([[1.0, 2.0, 9.0, 1.0]], [[]], items=[3, 2, 0, 99])
    assert short.propose().tolist() == [[[3, 0]]]
    scores = short.score(np.array([[0, 1, 2, 3]], np.int32))[:, :, 0]
    half = np.log1p(1e6 / 2)
    np.testing.assert_allclose(scores, [[half, np.log1p(1e6), 0, half]], rtol=1e-6)  # e / 2 would be more than one


def test_nothing_left_to_offer_is_no_evidence() -> None:
    nothing = reading([[1.0, 2.0, 9.0, 1.0]], [[0, 1]], items=[1, 0])
    assert nothing.propose().tolist() == [[[-1, -1]]]
    assert not nothing.score(ALL[None]).any()
    assert not reading([[1.0, 2.0, 9.0, 1.0]], [[]], items=[]).score(ALL[None]).any()


def test_logits_of_any_size_stay_finite() -> None:
    huge = reading([[1e30, -1e30, 0.0, 0.0]], [[]])
    assert huge.propose().tolist() == [[[0, -1]]]
    assert np.isfinite(huge.score(ALL[None])).all()
