from dataclasses import replace

import numpy as np
import pytest

from models.experts.sessions import SimilarSessions
from tests.models.checks import CHECKS, Check, name_of
from tests.models.tiny import DAY_S, log_features, query, sparse, teach


def small() -> SimilarSessions:
    return SimilarSessions(capacity=150)


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
def test_contract(check: Check) -> None:
    check(small)


def taught() -> SimilarSessions:
    """User 0 goes 0 1 2 3, then user 1 goes 4 1 5."""
    expert = small()
    teach(expert, [(0, 0, 0), (0, 1, 1), (0, 2, 2), (0, 3, 3), (1, 4, 10), (1, 1, 11), (1, 5, 12)])
    return expert


HISTORY = [(1, 30), (0, 20)]
LIKE, UNLIKE, OLDER = 0.98 * 1.2, 0.2, 0.7 * 0.2
"""Weights of those who met item 1: user 0, who came from 0 as well, before user 1, who did not; and of user 0 at 0."""


def test_similar_moments_say_what_came_after_and_half_as_loud_what_came_before() -> None:
    expert = taught()
    scores = [
        0.5 * LIKE,  # before 1, which user 0 met as well
        OLDER,
        LIKE + OLDER * 0.85,
        LIKE * 0.85 + OLDER * 0.85**2,
        0.5 * UNLIKE,
        UNLIKE,
    ]
    reading = expert.read(query(HISTORY, now_s=40))
    found = log_features(reading, expert.columns, "similar_sessions", items=6)[0]
    assert found == pytest.approx(sparse(scores, prior=1), rel=1e-5)
    assert reading.propose()[0, 0, :7].tolist() == [2, 3, 0, 5, 1, 4, -1]


def test_what_is_excluded_is_not_there_and_counts_for_nothing() -> None:
    reading = taught().read(query(HISTORY, now_s=40, excluded=[0, 1, 3, 77]))
    found = log_features(reading, SimilarSessions.columns, "similar_sessions", items=6)[0]
    scores = [0, 0, LIKE + OLDER * 0.85, 0, 0.5 * UNLIKE, UNLIKE]
    assert found == pytest.approx(sparse(scores, prior=1), rel=1e-5)


def test_an_item_counts_where_it_stands_newest() -> None:
    """1 0 1 is the window 1 0 to this expert: positions are those of distinct items."""
    expert = taught()
    once, again = (expert.read(query([*HISTORY, *more], now_s=40)) for more in ([], [(1, 10), (0, 5)]))
    asked = np.arange(6, dtype=np.int32)[None]
    assert once.score(asked).tolist() == again.score(asked).tolist()


def test_silence_changes_nothing() -> None:
    expert = taught()
    soon = query(HISTORY, now_s=40)
    late = replace(soon, windows=replace(soon.windows, now_ms=soon.windows.now_ms + 500 * DAY_S * 1000))
    asked = np.arange(6, dtype=np.int32)[None]
    assert expert.read(soon).score(asked).tolist() == expert.read(late).score(asked).tolist()


def test_reasons_are_the_items_whose_moments_say_so() -> None:
    """Item 3 comes from both items of the window, most from the newest; 1 from the older one; 7 from nowhere."""
    reading = taught().read(query([(9, 50)], [(9, 35), *HISTORY], now_s=60))
    zeros = np.zeros(3, np.int32)
    assert reading.because(zeros + 1, zeros, np.array([3, 1, 7], np.int32)).tolist() == [[1, 2], [2, -1], [-1, -1]]


def _heads(events: list[tuple[int, int, int]], window: list[tuple[int, int]], item: int) -> list[int]:
    expert = small()
    teach(expert, events)
    reading = expert.read(query(window, now_s=60))
    zero = np.zeros(1, np.int32)
    found: list[int] = reading.because(zero, zero, np.array([item], np.int32))[0].tolist()
    return found


def test_the_reason_is_the_head_that_gives_most() -> None:
    """Both 5 and 1 lead to 2: 5 is newer, and 1 was met by somebody who came from 0 as well."""
    events = [(0, 0, 0), (0, 1, 1), (0, 2, 2), (1, 5, 10), (1, 2, 11)]
    assert _heads(events, [(5, 40), (1, 30), (0, 20)], item=2) == [1, 0]


def test_what_came_before_is_a_reason_half_as_good() -> None:
    """Item 3 came before 1 and after 0."""
    events = [(0, 7, 0), (0, 0, 1), (0, 3, 2), (0, 1, 3)]
    assert _heads(events, [(1, 40), (0, 30), (7, 20)], item=3) == [1, 0]
    assert _heads(events, [(1, 40)], item=3) == [0, -1]
