import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.base import Floats, Rows
from models.ranking.features import GROUPS, count
from models.ranking.reasons import contributions, source_groups, strongest

EXPERTS = 2
FEATURES = count(EXPERTS)


def of_each(features: Floats, weights: Floats, parts: Floats) -> Floats:
    """Terms of n items, each the only candidate of a query."""
    queries: Rows = np.arange(len(features), dtype=np.int32)
    return contributions(features[:, None], weights, parts[:, None], queries, np.zeros_like(queries))


def test_terms_of_one_source_are_added() -> None:
    features, weights = np.ones((1, FEATURES), np.float32), np.zeros((1, FEATURES), np.float32)
    weights[0, :5] = [10, 1, 2, 4, -1]  # the mixture, the two experts, and their shares of the best
    weights[0, 5:] = [
        {"item_statistics": 0.5, "own_history": -0.25, "lift": 2, "precedence": -0.5}[group] for group in GROUPS
    ]
    terms = of_each(features, weights, np.array([[0.3, 0.1]], np.float32))
    assert source_groups() == ("item_statistics", "own_history", "lift", "precedence")
    assert terms[0] == pytest.approx([10 * 0.75 + 1 + 4, 10 * 0.25 + 2 - 1, 7 * 0.5, 17 * -0.25, 4, -1])


NUMBERS = st.floats(-10, 10, width=32)


@given(
    st.lists(NUMBERS, min_size=FEATURES, max_size=FEATURES),
    st.lists(NUMBERS, min_size=FEATURES, max_size=FEATURES),
    st.lists(st.floats(2**-20, 0.5, width=32), min_size=EXPERTS, max_size=EXPERTS),
)
def test_terms_add_up_to_the_score(features: list[float], weights: list[float], parts: list[float]) -> None:
    seen, weighed = np.array([features], np.float32), np.array([weights], np.float32)
    terms = of_each(seen, weighed, np.array([parts], np.float32))
    assert terms.sum() == pytest.approx(float((seen * weighed).sum()), abs=1e-3)


@pytest.mark.parametrize(
    ("terms", "named", "shares_named"),
    [
        ([1, -5, 6, 3], [2, 3], [0.6, 0.3]),
        ([4, 4, 8, 0], [2, 0], [0.5, 0.25]),
        ([-1, 2, 0, 0], [1, -1], [1, 0]),
        ([-1, 0, -3, 0], [-1, -1], [0, 0]),
    ],
)
def test_the_largest_terms_are_named(terms: list[int], named: list[int], shares_named: list[float]) -> None:
    sources, shares = strongest(np.array([terms], np.float32))
    assert sources[0].tolist() == named
    assert shares[0] == pytest.approx(shares_named)


def test_no_items() -> None:
    nothing: Floats = np.zeros((0, FEATURES), np.float32)
    terms = of_each(nothing, nothing, np.zeros((0, EXPERTS), np.float32))
    assert strongest(terms)[0].shape == (0, 2)


def test_the_candidate_that_is_meant() -> None:
    random = np.random.default_rng(1)
    features, parts = (random.random((2, 4, n), np.float32) for n in (FEATURES, EXPERTS))
    weights = random.random((2, FEATURES), np.float32)
    terms = contributions(features, weights, parts, np.array([1, 0, 1], np.int32), np.array([3, 0, 2], np.int32))
    expected = [features[1, 3] @ weights[1], features[0, 0] @ weights[0], features[1, 2] @ weights[1]]
    assert terms.sum(axis=1) == pytest.approx(expected, rel=1e-5)
