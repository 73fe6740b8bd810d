"""What every expert of people owes to the ties; each has a test of its own for what it makes of them."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from models.experts.circle import Circle
from models.experts.replies import Replies
from models.experts.ties import OfPeople
from tests.models.beings import asked, taught
from tests.models.tiny import each, query

both = pytest.mark.parametrize("of_people", [Replies, Circle])


@both
def test_it_is_silent_where_users_and_items_only_share_numbers(of_people: Callable[[], OfPeople]) -> None:
    random = np.random.default_rng(3)
    shop = [(int(user), int(item), n) for n, (user, item) in enumerate(random.integers(0, 12, (600, 2)))]
    expert = taught(of_people(), shop)
    assert expert.state()["found"].min() > 100
    assert (expert.read(asked(query([], now_s=10_000))).propose() == -1).all()


@both
def test_nothing_is_kept_where_no_user_is_an_item(of_people: Callable[[], OfPeople]) -> None:
    expert = of_people()
    for events in each([(0, 1, 0), (1, 0, 1)]):
        expert.learn(events)
        expert.learn(replace(events, selves=np.full(1, -1, np.int32)))
    assert all(len(expert.state()[name]) == 0 for name in ("beings", "others", "met_ms", "selves"))


@pytest.mark.parametrize(("of_people", "beings"), [(Replies, [0, 1]), (Circle, [0, 1, 9])])
def test_rows_beyond_those_that_met_are_restored_too(of_people: Callable[[], OfPeople], beings: list[int]) -> None:
    """9 only ever turned to himself: he is in the proof and has no ties."""
    expert = taught(of_people(), [(1, 0, 0), (9, 9, 1)])
    second = of_people()
    second.restore(expert.state())
    for one in (expert, second):
        one.forget_items(np.arange(3) == 2)
        one.forget_users(np.arange(10) == 9)
        assert one.state()["earlier"].tolist()[:2] == [2, 0]
    assert taught(second, [(9, 1, 2)]).state()["beings"].tolist() == beings


def test_what_was_never_written_to_is_in_no_state() -> None:
    state = taught(Replies(), [(1, 100_000, 0)]).state()
    assert state["others"].shape == (1, 16)
    assert state["beings"].tolist() == [100_000]
