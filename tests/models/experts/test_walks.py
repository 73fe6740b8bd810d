"""Users 0 to 3 go 0 1, 1 2, 1 2 and 3 2: from 0 it is two steps to 2, by way of 1."""

from collections import Counter

import numpy as np
import pytest

from models.experts import covisitation, transitions
from models.experts.cooccurrence import Cooccurrence
from models.experts.walks import Walks
from tests.models.checks import CHECKS, Check, name_of
from tests.models.tiny import Reader, log_features, query, sparse, teach


def on_its_own() -> Reader:
    """Walks with the table that they read."""
    together = Cooccurrence((*transitions.READOUTS, *covisitation.READOUTS), seed=3)
    return Reader(Walks(together), together)


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
def test_contract(check: Check) -> None:
    check(on_its_own)


PAIRS = {(0, 1): 1, (1, 2): 2, (2, 3): 1}
NORMS = {0: 1, 1: 3, 2: 3, 3: 1}


@pytest.fixture
def expert() -> Reader:
    learned = on_its_own()
    teach(learned, [(0, 0, 0), (0, 1, 1), (1, 1, 2), (1, 2, 3), (2, 1, 4), (2, 2, 5), (3, 3, 6), (3, 2, 7)])
    return learned


def s(a: int, b: int) -> float:
    return float(PAIRS[min(a, b), max(a, b)] / (NORMS[a] ** 0.5 + 2) / (NORMS[b] ** 0.5 + 2))


def test_companions_of_companions_are_found_and_companions_are_not(expert: Reader) -> None:
    reading = expert.read(query([(0, 40)], now_s=40))
    scores = [s(0, 1) * s(1, 0), 0, s(0, 1) * s(1, 2), 0]
    assert log_features(reading, expert.columns, "walks", 4)[0] == pytest.approx(sparse(scores), rel=1e-5)
    assert reading.propose()[0, 0, :3].tolist() == [2, 0, -1]


def test_two_distinct_items_begin_and_the_older_one_weighs_less(expert: Reader) -> None:
    reading = expert.read(query([(0, 40), (0, 39), (3, 38), (2, 37)], now_s=40))
    from_0 = [s(0, 1) * s(1, 0), 0, s(0, 1) * s(1, 2), 0]
    from_3 = [0, s(3, 2) * s(2, 1), 0, s(3, 2) * s(2, 3)]
    scores = [zero + 0.8 * three for zero, three in zip(from_0, from_3, strict=True)]
    assert log_features(reading, expert.columns, "walks", 4)[0] == pytest.approx(sparse(scores), rel=1e-5)


def taught(pairs: list[tuple[int, int]]) -> Reader:
    """Each pair is a user's only two events."""
    expert = on_its_own()
    for user, (first, second) in enumerate(pairs):
        teach(expert, [(user, first, 2 * user), (user, second, 2 * user + 1)])
    return expert


def walked(pairs: list[tuple[int, int]], heads: list[int], items: int) -> list[float]:
    """Scores of all items by the formula, with dictionaries."""
    met, norms = Counter[tuple[int, int]](), Counter[int]()
    for pair in pairs:
        met.update({pair, pair[::-1]})
        norms.update(set(pair))

    def alike(a: int, b: int) -> float:
        return float(met[a, b] / (norms[a] ** 0.5 + 2) / (norms[b] ** 0.5 + 2))

    scores = [0.0] * items
    for j, head in enumerate(heads):
        others = [other for item, other in met if item == head != other]  # of equals whom it met first
        for step in sorted(others, key=lambda item: -alike(head, item))[:4]:
            for item in range(items):
                scores[item] += 0.8**j * alike(head, step) * alike(step, item)
    return scores


@pytest.mark.parametrize("seed", range(5))
def test_scores_are_what_the_formula_says(seed: int) -> None:
    """Some items are met far more often than others, some with themselves."""
    items = 12
    drawn = (items * np.random.default_rng(seed).random((150, 2)) ** 2).astype(int)
    pairs = [(int(first), int(second)) for first, second in drawn]
    expert = taught(pairs)
    for heads in ([0, 5], [3, 0], [7, 1]):
        reading = expert.read(query([(head, 999 - n) for n, head in enumerate(heads)], now_s=999))
        found = log_features(reading, expert.columns, "walks", items)[0]
        assert found == pytest.approx(sparse(walked(pairs, heads, items)), rel=1e-4, abs=1e-5)


def test_what_is_excluded_is_not_there(expert: Reader) -> None:
    reading = expert.read(query([(0, 40)], now_s=40, excluded=[0]))
    assert log_features(reading, expert.columns, "walks", 4)[0] == pytest.approx(sparse([0, 0, 1, 0]), rel=1e-5)


def test_reasons_name_where_the_walk_began(expert: Reader) -> None:
    reading = expert.read(query([(0, 40), (0, 39), (3, 38)], now_s=40))
    targets = np.array([2, 1, 77], np.int32)
    named = reading.because(np.zeros(3, np.int32), np.zeros(3, np.int32), targets)
    assert named.tolist() == [[0, -1], [2, -1], [-1, -1]]


def test_reasons_name_both_where_both_lead_there_the_stronger_first() -> None:
    """From 0 there are two ways to 9, both stronger than the one from 5."""
    expert = taught(3 * [(0, 1), (0, 2), (1, 9), (2, 9)] + 2 * [(5, 6), (6, 9)])
    zero = np.zeros(1, np.int32)
    for window, named in (([0, 5], [0, 1]), ([5, 0], [1, 0]), ([0, 0, 7], [0, -1])):
        reading = expert.read(query([(item, 99 - n) for n, item in enumerate(window)], now_s=99))
        assert reading.because(zero, zero, np.array([9], np.int32))[0].tolist() == named
