"""Chains of occurrences against plain lists, while events come, are overtaken and are forgotten."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.experts.occurrences import Occurrences
from stream.snapshots import state_hash
from tests.models.tiny import each

Around = tuple[list[int], list[int]]  # items before and after, nearest first
BEFORE, AFTER = 3, 2


def enter(table: Occurrences, stream: Sequence[tuple[int, int]]) -> None:
    """Learn (user, item) in order."""
    for events in each([(user, item, second) for second, (user, item) in enumerate(stream)]):
        table.learn(events)


def chain(table: Occurrences, item: int) -> list[Around]:
    """What stands around each event of an item, the newest first."""
    found = []
    number = int(table.newest[item]) if item < len(table.newest) else -1
    while number >= table.oldest:
        slot = number % len(table.older)
        before, after = ([int(row) for row in rows[slot] if row >= 0] for rows in (table.before, table.after))
        found.append((before, after))
        number = int(table.older[slot])
    return found


def test_what_came_before_and_after_is_known_at_every_occurrence() -> None:
    table = Occurrences(10, BEFORE, AFTER)
    enter(table, [(0, 4), (1, 7), (0, 5), (0, 7), (1, 4), (0, 6), (0, 8)])
    assert chain(table, 7) == [([5, 4], [6, 8]), ([], [4])]
    assert chain(table, 4) == [([7], []), ([], [5, 7])]
    assert chain(table, 9) == []


def test_before_are_distinct_other_items() -> None:
    table = Occurrences(10, BEFORE, AFTER)
    enter(table, [(0, item) for item in (4, 5, 7, 5, 6, 7)])
    assert chain(table, 7)[0] == ([6, 5, 4], [])


def test_the_oldest_make_room() -> None:
    table = Occurrences(3, BEFORE, AFTER)
    enter(table, [(0, 4), (0, 5), (1, 4), (0, 6), (0, 5)])
    assert chain(table, 4) == [([], [])]
    assert chain(table, 5) == [([6, 4], [])]
    assert chain(table, 6) == [([5, 4], [5])]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), max_size=40),
    st.integers(1, 50),
    st.sets(st.integers(0, 3)),
    st.sets(st.integers(0, 5)),
)
def test_what_is_forgotten_was_never_there(
    stream: list[tuple[int, int]], capacity: int, users: set[int], items: set[int]
) -> None:
    table = Occurrences(capacity, BEFORE, AFTER)
    enter(table, stream)
    kept = {item: chain(table, item) for item in range(6)}
    owners = {item: _owners(stream, capacity, item) for item in range(6)}
    table.forget_users(np.isin(np.arange(4), list(users)))
    table.forget_items(np.isin(np.arange(6), list(items)))
    for item in range(6):
        left = [around for around, owner in zip(kept[item], owners[item], strict=True) if owner not in users]
        living = [tuple([row for row in side if row not in items] for side in around) for around in left]
        assert chain(table, item) == ([] if item in items else living)
    again = Occurrences(capacity, BEFORE, AFTER)
    again.restore(table.state())
    for each_table in (table, again):
        enter(each_table, stream)
    assert state_hash(table.state()) == state_hash(again.state())


def _owners(stream: list[tuple[int, int]], capacity: int, item: int) -> list[int]:
    """Users of an item's events that are still there, newest first."""
    return [user for user, taken in stream[-capacity:] if taken == item][::-1]
