import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.experts.shortlist import Shortlist
from stream.snapshots import state_hash

PLACES = 4


def entered(items: list[int]) -> Shortlist:
    shortlist = Shortlist(PLACES)
    shortlist.enter(np.array(items, np.int32))
    return shortlist


def dead(*rows: int) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return np.isin(np.arange(20), rows)


def test_those_that_entered_last_are_listed() -> None:
    assert sorted(entered([5, 6, 5, 7, 8, 9]).rows) == [6, 7, 8, 9]
    assert sorted(entered([5, 6, 7, 8, 9, 5]).rows) == [5, 7, 8, 9]
    assert len(Shortlist(PLACES).rows) == 0


def test_what_is_forgotten_makes_room() -> None:
    shortlist = entered([5, 6, 7, 8, 9])  # 5 has left
    shortlist.forget(dead(7))
    assert sorted(shortlist.rows) == [6, 8, 9]
    shortlist.enter(np.array([10, 7], np.int32))
    assert sorted(shortlist.rows) == [7, 8, 9, 10]


@given(
    st.lists(st.one_of(st.lists(st.integers(0, 9), max_size=8), st.sets(st.integers(0, 9), max_size=3)), max_size=12)
)
def test_it_is_a_queue_without_doubles(steps: list[list[int] | set[int]]) -> None:
    """Lists enter, sets are forgotten; and after each step a copy goes on as the first would."""
    shortlist, queue = Shortlist(PLACES), list[int]()
    for step in steps:
        if isinstance(step, set):
            shortlist.forget(dead(*step))
            queue = [item for item in queue if item not in step]
        else:
            shortlist.enter(np.array(step, np.int32))
            for item in step:
                queue = queue if item in queue else [*queue, item][-PLACES:]
        assert sorted(shortlist.rows) == sorted(queue)
        copy = Shortlist(PLACES)
        copy.restore(shortlist.state())
        assert state_hash(copy.state()) == state_hash(shortlist.state())
        shortlist = copy
