"""Users 0 to 3 go 0 1 2 3, 7 1 4, 0 1 2 and 8 0 1 5: who came to 1 from 0 goes on to 2, twice, or to 5."""

from collections import Counter

import numpy as np
import pytest

from models.base import Floats
from models.experts.paths import Paths
from models.experts.sessions import SimilarSessions
from tests.models.checks import CHECKS, Check, name_of
from tests.models.tiny import Reader, log_features, query, sparse, teach


def on_its_own(capacity: int = 150) -> Reader:
    """Paths with the moments that they read."""
    sessions = SimilarSessions(capacity)
    return Reader(Paths(sessions), sessions)


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
def test_contract(check: Check) -> None:
    check(on_its_own)


WAYS = [[0, 1, 2, 3], [7, 1, 4], [0, 1, 2], [8, 0, 1, 5]]


def taught(ways: list[list[int]], capacity: int = 150) -> Reader:
    """One user after the other goes one of these ways."""
    expert = on_its_own(capacity)
    seconds = iter(range(10_000))
    teach(expert, [(user, item, next(seconds)) for user, way in enumerate(ways) for item in way])
    return expert


def said(expert: Reader, newest_first: list[int], items: int, excluded: tuple[int, ...] = ()) -> Floats:
    window = [(item, 99_999 - n) for n, item in enumerate(newest_first)]
    reading = expert.read(query(window, now_s=99_999, excluded=excluded))
    found: Floats = log_features(reading, expert.columns, "same_path", items)[0]
    return found


def test_who_came_the_same_way_says_where_it_leads() -> None:
    assert said(taught(WAYS), [1, 0], 6) == pytest.approx(sparse([0, 0, 2, 0, 0, 1], prior=1), rel=1e-5)


def test_a_longer_path_counts_four_times() -> None:
    assert said(taught(WAYS), [1, 0, 8], 6) == pytest.approx(sparse([0, 0, 2, 0, 0, 4], prior=1), rel=1e-5)


def test_five_items_are_the_longest_path() -> None:
    expert = taught([[6, 5, 4, 3, 2, 1, 0, 9], [8, 1, 0, 7]])
    window = [0, 1, 2, 3, 4, 5, 6]
    expected = sparse([0] * 7 + [1, 0, 4**4], prior=1)
    assert said(expert, window, 10) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("window", [[], [1], [1, 1, 1], [1, 5], [3, 2], [77, 0]])
def test_without_a_path_nothing_is_said(window: list[int]) -> None:
    assert not said(taught(WAYS), window, 6).any()


def test_what_is_met_twice_breaks_no_path() -> None:
    assert said(taught(WAYS), [1, 1, 0, 1], 6).tolist() == said(taught(WAYS), [1, 0], 6).tolist()
    assert said(taught([[0, 0, 1, 2]]), [1, 0], 3) == pytest.approx(sparse([0, 0, 1], prior=1))


def test_what_is_excluded_is_not_there_and_counts_for_nothing() -> None:
    found = said(taught(WAYS), [1, 0], 6, excluded=(2, 44))
    assert found == pytest.approx(sparse([0, 0, 0, 0, 0, 1], prior=1), rel=1e-5)


def test_only_the_newest_sixty_moments_are_asked() -> None:
    older = [[0, 1, 2]] * 5 + [[0, 1, 3]] * 59 + [[0, 1, 4]]
    found = said(taught(older, capacity=1_000), [1, 0], 5)
    assert found == pytest.approx(sparse([0, 0, 0, 59, 1], prior=1), rel=1e-5)


def along(ways: list[list[int]], window: list[int], items: int) -> list[float]:
    """Scores of all items by the formula, from the ways as they are."""
    scores = Counter[int]()
    for way in ways:
        for place, item in enumerate(way[:-1]):
            if item != window[0]:
                continue
            before = [other for other in dict.fromkeys(reversed(way[:place])) if other != item]
            length = 0
            while length < min(5, len(before), len(window) - 1) and before[length] == window[1 + length]:
                length += 1
            scores[way[place + 1]] += 4 ** (length - 1) if length else 0
    return [scores[item] for item in range(items)]


@pytest.mark.parametrize("seed", range(5))
def test_scores_are_what_the_formula_says(seed: int) -> None:
    random = np.random.default_rng(seed)
    ways = [random.integers(0, 4, 8).tolist() for _ in range(20)]
    expert = taught(ways, capacity=1_000)
    for window in ([0, 1, 2, 3], [3, 1, 0], [2, 0]):
        expected = sparse(along(ways, window, 4), prior=1)
        assert said(expert, window, 4) == pytest.approx(expected, rel=1e-5), window


def test_reasons_name_the_newest_two_items_of_the_path() -> None:
    reading = taught(WAYS).read(query([(1, 40), (1, 39), (0, 38)], now_s=40))
    zeros = np.zeros(3, np.int32)
    named = reading.because(zeros, zeros, np.array([2, 3, 77], np.int32))
    assert named.tolist() == [[0, 2], [-1, -1], [-1, -1]]
