from collections.abc import Sequence

import numpy as np
import pytest

from models.base import Expert, Floats, Queries
from models.experts.circle import Circle
from tests.models.beings import asked, taught
from tests.models.checks import CHECKS, Check, name_of
from tests.models.tiny import log_features, query, sparse

MINUTE_S = 60


def sure() -> Circle:
    """Give an expert that asks for no proof."""
    return Circle(times_as_often=0, more=0)


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
def test_contract(check: Check) -> None:
    check(sure)


def features(expert: Expert, queries: Queries, items: int = 5) -> Floats:
    found: Floats = log_features(expert.read(queries), Circle.columns, "circle", items)[0]
    return found


def test_whom_those_met_whom_the_user_met() -> None:
    """By hand: 0 met 1 and 2; both met 3, and 2 met 4, in either direction. Asked two minutes after the last."""
    met = [(3, 1, 0), (0, 1, 60), (2, 3, 120), (4, 2, 180), (2, 0, 180)]
    now = query([(1, 60)], now_s=5 * MINUTE_S)
    near = {1: 1 / 5, 2: 1 / 3}  # four minutes ago, and two
    three = near[1] * 1 / 6 + near[2] * 1 / 4  # five minutes ago, and three
    four = near[2] * 1 / 3
    expected = sparse([0, 0, 0, three, four], prior=0.1)
    assert features(taught(sure(), met), asked(now)) == pytest.approx(expected, abs=1e-4)


def test_nobody_is_in_his_own_circle_and_his_others_are_where_they_met_each_other() -> None:
    now = asked(query([], now_s=0))
    assert not features(taught(sure(), [(0, 1, 0), (2, 0, 0), (0, 0, 0)]), now).any()
    assert np.flatnonzero(features(taught(sure(), [(0, 1, 0), (2, 0, 0), (1, 2, 0)]), now)).tolist() == [1, 2]


def test_sixteen_others_are_kept() -> None:
    """0 met 1 to 19, who each met one of 21 to 39; the last time 0 met somebody again."""
    met = [(n, n + 20, 0) for n in range(1, 20)] + [(0, n, n) for n in range(1, 20)] + [(4, 0, 30), (0, 3, 31)]
    found = features(taught(sure(), met), asked(query([], now_s=40)), 40)
    assert np.flatnonzero(found).tolist() == [23, 24, *range(26, 40)]


def test_the_reason_is_whoever_leads_there() -> None:
    """3 was met by 1 and by 2, and 2 was met last; 4 by 5, who came to the user and so is not in his window."""
    expert = taught(sure(), [(1, 3, 0), (2, 3, 0), (0, 1, 60), (0, 2, 240), (4, 5, 250), (5, 0, 250)])
    reading = expert.read(asked(query([(2, 240), (1, 60)], now_s=300)))
    nobody, one = np.zeros(2, np.int32), np.zeros(1, np.int32)
    assert reading.because(nobody, nobody, np.array([3, 4], np.int32)).tolist() == [[0, -1], [-1, -1]]
    assert reading.because(one, one, np.array([7], np.int32)).tolist() == [[-1, -1]]


def in_rooms(events: int, seed: int = 3) -> list[tuple[int, int, int]]:
    """Six rooms of five beings, in which the lower number comes to the higher one, as badges tell of contacts."""
    random = np.random.default_rng(seed)
    met = []
    for n in range(events):
        low, high = sorted(random.choice(5, 2, replace=False) + 5 * random.integers(6))
        met.append((int(low), int(high), n))
    return met


def speaks(expert: Expert) -> bool:
    return bool(features(expert, asked(query([], now_s=10_000)), 30).any())


def test_it_speaks_once_items_are_seen_to_be_users() -> None:
    """From the hundred and first event on, its item is in the user's circle oftener than in that of another."""
    met = in_rooms(200)
    proof = np.array([found_in_rooms(met, events) for events in range(1, len(met) + 1)])
    first = int(np.argmax(proof[:, 0] >= 1.2 * proof[:, 1] + 30)) + 1
    assert 130 <= first < 200
    for events in (first - 1, first):
        expert = taught(Circle(), met[:events])
        assert expert.state()["found"].tolist() == proof[events - 1].tolist()
        assert speaks(expert) == (events == first)


def found_in_rooms(met: Sequence[tuple[int, int, int]], events: int) -> tuple[int, int]:
    """How many of these events' items the circles of their users held, and those of the users of 100 events before."""
    others: dict[int, set[int]] = {}
    found, by_chance = 0, 0
    for n, (low, high, _) in enumerate(met[:events]):
        if n >= 100 and met[n - 100][0] != low:
            own, chance = (
                {being for other in others.get(me, ()) for being in others[other]} - {me}
                for me in (low, met[n - 100][0])
            )
            found, by_chance = found + (high in own), by_chance + (high in chance)
        others.setdefault(low, set()).add(high)
        others.setdefault(high, set()).add(low)
    return found, by_chance


def test_the_proof_is_of_the_ten_best() -> None:
    """1 met 20 others, one a minute; then 0, who met 1, turns to the tenth or the eleventh newest of them."""
    strangers = [(100, 101, 0)] * 100  # of whom each proof asks too, in vain
    met = [(1, 10 + n, 60 * n) for n in range(14)] + [(0, 1, 900)]
    for place, hits in ((10, 1), (11, 0)):
        expert = taught(Circle(), [*met, *strangers, (0, 24 - place, 6_000)])
        assert expert.state()["found"].tolist() == [hits, 0]


def test_who_is_forgotten_leaves_the_circles_of_others() -> None:
    expert = taught(sure(), [(1, 2, 0), (0, 1, 0), (3, 2, 0), (0, 3, 0), (3, 4, 0)])
    now = asked(query([], now_s=1))
    assert np.flatnonzero(features(expert, now)).tolist() == [2, 4]
    expert.forget_users(np.array([False, False, False, True]))
    assert np.flatnonzero(features(expert, now)).tolist() == [2]
    expert.forget_users(np.array([False, True]))
    assert not features(expert, now).any()
