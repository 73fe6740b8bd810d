from math import exp

import numpy as np
import pytest

from models.base import Floats, Queries
from models.experts.repeats import Repeats
from tests.models.checks import CHECKS, Check, name_of
from tests.models.tiny import DAY_S, log_features, query, sparse

HOUR_S = 3600


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
def test_contract(check: Check) -> None:
    check(Repeats)


def features(queries: Queries, column: str, items: int = 3) -> Floats:
    found: Floats = log_features(Repeats().read(queries), Repeats.columns, column, items)[0]
    return found


def test_recent_items_weigh_by_position() -> None:
    history = [(1, 30), (0, 20), (1, 10)]
    assert features(query(history, now_s=40), "own_recent") == pytest.approx(sparse([0.9, 1 + 0.81, 0], prior=0.5))


def test_the_hour_of_day_goes_round_at_midnight() -> None:
    """Seen on Tuesday at 1:00: item 0 was met at 23:00 on Monday, item 1 at 1:00, item 2 on Tuesday a week before."""
    history = [(0, 23 * HOUR_S), (1, HOUR_S), (2, HOUR_S - 6 * DAY_S)]
    scores = [exp(-4 / 4.5) + 0.02, 1.02 * 0.98, 2 * 1.02 * 0.98**2]
    found = features(query(history, now_s=DAY_S + HOUR_S), "own_hour")
    assert found == pytest.approx(sparse(scores, prior=0.5))


def test_weekends_are_apart_and_habits_fade() -> None:
    """Seen on Saturday at noon: item 0 was met on Friday at 13:00, item 1 the Sunday before at noon."""
    saturday = 5 * DAY_S + 12 * HOUR_S
    history = [(0, saturday - 23 * HOUR_S), (1, saturday - 6 * DAY_S)]
    scores = [(exp(-1) + 0.01) * 0.15 * exp(-23 / 24 / 60), 1.01 * exp(-6 / 60), 0]
    assert features(query(history, now_s=saturday), "own_weekpart") == pytest.approx(
        sparse(scores, prior=0.5), rel=1e-5
    )


def test_what_followed_the_newest_item_before() -> None:
    """From old to new 0 1 2 1 0 1: first 2 followed, then 0; now 0 stands in front as it did the first time."""
    items = [1, 0, 1, 2, 1, 0]
    history = [(item, 60 - j) for j, item in enumerate(items)]
    # j = 2 gives 0 and 1, j = 4 gives 2, 1 and 0. In front stood 2 (not 0) at j = 2, and 0 at j = 4.
    near, far = 0.95**2, 0.95**4
    scores = [near + 0.16 * far, 0.4 * near + 0.4 * far, 4 * far]
    assert features(query(history, now_s=90), "own_sequence") == pytest.approx(sparse(scores, prior=1))


def test_what_is_excluded_is_not_there_and_counts_for_nothing() -> None:
    queries = query([(1, 30), (0, 20), (1, 10)], [(2, 5)], now_s=40, excluded=[1, 77])
    reading = Repeats().read(queries)
    assert reading.propose()[0, 0, :2].tolist() == [0, -1]
    found = log_features(reading, Repeats.columns, "own_recent", 3)
    assert found[0] == pytest.approx(sparse([0.9, 0, 0], prior=0.5))
    assert found[1] == pytest.approx(sparse([0, 0, 1], prior=0.5))


def test_the_reason_is_the_item_itself() -> None:
    reading = Repeats().read(query([(1, 30), (0, 20), (0, 10)], now_s=40))
    two = np.zeros(2, np.int32)
    assert reading.because(two, two, np.array([0, 9], np.int32)).tolist() == [[1, -1], [-1, -1]]
