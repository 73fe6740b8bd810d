from dataclasses import replace

import numpy as np
import pytest

from models.base import Expert, Floats, Queries
from models.experts.replies import Replies
from tests.models.beings import asked, taught
from tests.models.checks import CHECKS, Check, name_of
from tests.models.tiny import log_features, query, sparse

MINUTE_S = 60


def sure() -> Replies:
    """Give an expert that asks for no proof."""
    return Replies(times_as_often=0, more=0)


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
def test_contract(check: Check) -> None:
    check(sure)


def features(expert: Expert, queries: Queries, column: str, items: int = 5) -> Floats:
    found: Floats = log_features(expert.read(queries), Replies.columns, column, items)[0]
    return found


def test_who_came_lately_is_the_likeliest() -> None:
    """By hand: to 0 came 1 at first, 2 twice, and 3; asked ten minutes after 3 and thirty after 2."""
    came = [(2, 0, 0), (1, 0, 0), (2, 0, 30 * MINUTE_S), (3, 0, 50 * MINUTE_S)]
    now = query([], now_s=60 * MINUTE_S)
    expected = sparse([0, 1 / 7, 1 / 4, 1 / 2, 0], prior=0.1)
    found = features(taught(sure(), came), asked(now), "replies")
    assert found == pytest.approx(expected, abs=1e-4)
    assert features(taught(sure(), came), asked(now), "unanswered") == pytest.approx(expected, abs=1e-4)


def test_who_was_turned_to_since_is_answered() -> None:
    """0 turned to 1 before 1 came, and to 2 after 2 did."""
    expert = taught(sure(), [(0, 1, 0), (1, 0, 10), (2, 0, 20), (0, 2, 30)])
    now = query([(2, 30), (1, 0)], now_s=30)
    assert (features(expert, asked(now), "replies", 3) > 0).tolist() == [False, True, True]
    assert (features(expert, asked(now), "unanswered", 3) > 0).tolist() == [False, True, False]


def test_a_list_made_ahead_takes_it_that_the_last_one_comes() -> None:
    """Ten minutes ahead: 2, who does something too, has been turned to just now, and 1 came just before."""
    expert = taught(sure(), [(2, 4, 0), (1, 0, 0), (0, 2, 0)])
    now = query([(2, 0)], now_s=10 * MINUTE_S)
    for column in ("replies", "unanswered"):
        found = features(expert, asked(now, ahead=True), column, 3)
        assert found == pytest.approx(sparse([0, 1 / 2, 1], prior=0.1), abs=1e-4)
        assert features(expert, asked(now), column, 3)[2] == 0
    barred = asked(query([(2, 0)], now_s=10 * MINUTE_S, excluded=[2]), ahead=True)
    assert features(expert, barred, "replies", 3)[2] == 0


def test_whom_nobody_can_expect_is_not_expected() -> None:
    """Himself, and what never did anything, do not come."""
    expert = taught(sure(), [(1, 0, 0), (0, 2, 0)])
    for newest in (0, 2, 4):
        found = features(expert, asked(query([(newest, 0)], now_s=10 * MINUTE_S), ahead=True), "replies")
        assert np.flatnonzero(found).tolist() == [1]
    stranger = asked(query([(1, 0)], now_s=10), ahead=True)
    nobody = replace(stranger, selves=np.full(1, -1, np.int32))
    assert not features(expert, nobody, "replies").any()
    assert features(expert, stranger, "replies").any()


def test_who_is_expected_counts_once() -> None:
    """1 has come, has been turned to since, and is taken to come again."""
    expert = taught(sure(), [(1, 0, 0), (0, 1, 0)])
    reading = expert.read(asked(query([(1, 0)], now_s=10 * MINUTE_S), ahead=True))
    assert reading.propose()[0, 0, :2].tolist() == [1, -1]
    expected = sparse([0, 1], prior=0.1)
    assert log_features(reading, Replies.columns, "replies", 2)[0] == pytest.approx(expected, abs=1e-4)


def test_nobody_comes_to_himself_and_an_answer_in_the_same_moment_is_one() -> None:
    expert = taught(sure(), [(0, 0, 0), (1, 0, 10), (0, 1, 10)])
    now = asked(query([(1, 10), (0, 0)], now_s=10))
    assert np.flatnonzero(features(expert, now, "replies")).tolist() == [1]
    assert not features(expert, now, "unanswered").any()


def test_an_event_that_comes_late_makes_no_tie_older() -> None:
    came = [(1, 0, 600), (1, 0, 0)]
    assert features(taught(sure(), came), asked(query([], now_s=1200)), "replies", 2) == pytest.approx(
        sparse([0, 1 / 2], prior=0.1), abs=1e-4
    )


def test_sixteen_senders_are_kept() -> None:
    expert = taught(sure(), [(user, 0, user) for user in range(1, 20)])
    found = features(expert, asked(query([], now_s=20)), "replies", 20)
    assert np.flatnonzero(found).tolist() == list(range(4, 20))


def pairs_of_talkers(events: int) -> list[tuple[int, int, int]]:
    """Eleven pairs, in which one turns to the other and the other back."""
    talk = []
    for n in range(events):
        pair, turn = n % 11, n // 11 % 2
        talk.append((2 * pair + turn, 2 * pair + 1 - turn, n))
    return talk


def speaks(expert: Expert) -> bool:
    return bool(features(expert, asked(query([], now_s=10_000)), "replies", 2).any())


def test_it_speaks_once_items_are_seen_to_be_users() -> None:
    """After a hundred events each item is found among the user's senders, and not among those of another: 20 more."""
    assert not speaks(taught(Replies(), pairs_of_talkers(100 + 19)))
    assert speaks(taught(Replies(), pairs_of_talkers(100 + 20)))


def test_who_is_forgotten_leaves_the_senders_of_others() -> None:
    expert = taught(sure(), [(1, 0, 0), (2, 0, 1)])
    expert.forget_users(np.array([False, True]))
    assert np.flatnonzero(features(expert, asked(query([], now_s=2)), "replies")).tolist() == [2]
