"""Consumed items, against a list of all notes ever made."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.consumed import ConsumedItems, Mask
from stream.errors import SnapshotError


@dataclass
class Oracle:
    """The newest notes of all users in one list; a note removed is None, but takes its place up."""

    capacity: int
    notes: list[tuple[int, int] | None] = field(default_factory=list)

    def add(self, user: int, item: int) -> None:
        self.notes = [*self.notes, (user, item)][-self.capacity :]

    def of(self, user: int) -> list[int]:
        return [note[1] for note in reversed(self.notes) if note and note[0] == user]

    def forget(self, users: set[int], items: set[int]) -> None:
        self.notes = [note if note and note[0] not in users and note[1] not in items else None for note in self.notes]


def add(consumed: ConsumedItems, notes: list[tuple[int, int]]) -> None:
    users, items = np.array(notes, np.int32).reshape(-1, 2).T
    consumed.add(users.copy(), items.copy())


def of(consumed: ConsumedItems, users: list[int]) -> list[list[int]]:
    everything = np.full(len(users), consumed.following, np.int64)
    starts, items = consumed.of(np.array(users, np.int32), everything)
    assert starts[-1] == len(items)
    return [items[starts[b] : starts[b + 1]].tolist() for b in range(len(users))]


def mask(rows: set[int]) -> Mask:
    """Mark `rows`; the mask ends behind the last of them."""
    marked = np.zeros(max(rows, default=-1) + 1, np.bool_)
    marked[list(rows)] = True
    return marked


def same_state(one: ConsumedItems, other: ConsumedItems) -> bool:
    mine, theirs = one.state(), other.state()
    return mine.keys() == theirs.keys() and all(np.array_equal(mine[name], theirs[name]) for name in mine)


ROWS = st.sets(st.integers(0, 4), max_size=2)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=9)),
        st.tuples(st.just("forget_users"), ROWS),
        st.tuples(st.just("forget_items"), ROWS),
        st.tuples(st.just("restore"), st.none()),
    ),
    max_size=10,
)


@given(capacity=st.integers(1, 12), steps=STEPS)
def test_consumed_items_are_what_the_oracle_says(capacity: int, steps: list[tuple[str, object]]) -> None:
    consumed, oracle = ConsumedItems(capacity), Oracle(capacity)
    for action, what in steps:
        match action, what:
            case "add", list(notes):
                add(consumed, notes)
                for note in notes:
                    oracle.add(*note)
            case "forget_users", set(rows):
                consumed.forget_users(mask(rows))
                oracle.forget(users=rows, items=set())
            case "forget_items", set(rows):
                consumed.forget_items(mask(rows))
                oracle.forget(users=set(), items=rows)
            case _:
                successor = ConsumedItems(capacity)
                successor.restore(consumed.state())
                assert same_state(successor, consumed)
                consumed = successor
        users = [4, -1, 0, 1, 2, 3, 99, 0]
        assert of(consumed, users) == [oracle.of(user) for user in users]


def test_the_newest_come_first_and_the_ring_forgets_the_oldest_of_all() -> None:
    consumed = ConsumedItems(4)
    add(consumed, [(0, 1), (1, 2), (0, 3)])
    assert of(consumed, [0, 1]) == [[3, 1], [2]]
    add(consumed, [(1, 4), (1, 5)])
    assert of(consumed, [0, 1]) == [[3], [5, 4, 2]]


def test_a_batch_longer_than_the_ring_leaves_its_end() -> None:
    consumed = ConsumedItems(2)
    add(consumed, [(0, item) for item in range(7)])
    assert of(consumed, [0]) == [[6, 5]]


def test_long_chains_are_whole() -> None:
    consumed = ConsumedItems(1000)
    add(consumed, [(item % 2, item) for item in range(200)])
    assert of(consumed, [1, 0]) == [list(range(199, 0, -2)), list(range(198, -1, -2))]


def test_a_turn_within_a_batch_knows_only_what_came_before_it() -> None:
    consumed = ConsumedItems(8)
    add(consumed, [(0, 1), (1, 2), (0, 3), (0, 4)])
    _, items = consumed.of(np.array([0, 0], np.int32), np.array([2, 3], np.int64))
    assert items.tolist() == [1, 3, 1]


def test_nothing_is_known_at_first() -> None:
    assert of(ConsumedItems(2), [0, -1]) == [[], []]


def test_state_keeps_nothing_of_a_forgotten_user() -> None:
    consumed = ConsumedItems(4)
    add(consumed, [(0, 1), (1, 2), (0, 3)])
    consumed.forget_users(mask({0}))
    state = consumed.state()
    assert state["ring"].tolist() == [[-1, 0], [2, 0], [-1, 0]]
    assert state["heads"].tolist() == [-1, 1]


def test_state_does_not_tell_how_the_arrays_grew() -> None:
    notes = [(user % 5, user) for user in range(20)]
    together, one_by_one = ConsumedItems(64), ConsumedItems(64)
    add(together, notes)
    for note in notes:
        add(one_by_one, [note])
    assert same_state(together, one_by_one)
    assert len(together.state()["ring"]) == 20


def test_state_is_a_copy() -> None:
    consumed = ConsumedItems(2)
    add(consumed, [(0, 1), (0, 2)])
    state = consumed.state()
    restored = ConsumedItems(2)
    restored.restore(state)
    add(consumed, [(0, 3)])
    add(restored, [(0, 4)])
    assert state["ring"].tolist() == [[1, 0], [2, 1]]


def test_state_of_another_capacity_is_refused() -> None:
    consumed = ConsumedItems(4)
    add(consumed, [(0, 1), (0, 2), (0, 3)])
    with pytest.raises(SnapshotError, match="another capacity"):
        ConsumedItems(2).restore(consumed.state())
