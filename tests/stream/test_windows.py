"""User windows, against the plainest implementation there is."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.windows import Mask, UserWindows, WindowView

Entry = tuple[int, int, int]  # (time, item, kind)
Seen = tuple[int, list[Entry]]  # (moment, entries newest first)


@dataclass
class Oracle:
    """Windows as Python lists, newest first."""

    length: int
    span: int
    entries: dict[int, list[Entry]] = field(default_factory=dict)

    def enter(self, user: int, item: int, time: int, kind: int) -> tuple[Seen, Seen]:
        window = self.entries.get(user, [])
        before = (time, [entry for entry in window if time - self.span <= entry[0] <= time])
        if user >= 0 and item >= 0:
            # Stable, so what comes first (arrived later) stays first among equal times.
            window = sorted([(time, item, kind), *window], key=lambda entry: -entry[0])
            window = [entry for entry in window if entry[0] >= window[0][0] - self.span][: self.length]
            self.entries[user] = window
        return before, self.look(user, time)

    def look(self, user: int, now: int) -> Seen:
        window = self.entries.get(user, [])
        now = max([now, *(entry[0] for entry in window[:1])])
        return now, [entry for entry in window if entry[0] >= now - self.span]

    def forget_users(self, users: set[int]) -> None:
        for user in users:
            self.entries.pop(user, None)

    def forget_items(self, items: set[int]) -> None:
        for user, window in self.entries.items():
            self.entries[user] = [entry for entry in window if entry[1] not in items]


def seen(view: WindowView, b: int) -> Seen:
    """Read one row of a view back, checking its padding on the way."""
    n = view.lengths[b]
    assert (view.items[b, n:] == -1).all()
    assert (view.times_ms[b, n:] == 0).all()
    assert (view.kinds[b, n:] == 0).all()
    columns = (view.times_ms, view.items, view.kinds)
    return int(view.now_ms[b]), list(zip(*(column[b, :n].tolist() for column in columns), strict=True))


def extend(windows: UserWindows, events: list[tuple[int, int, int, int]]) -> tuple[WindowView, WindowView]:
    """Enter events given as (user, item, time, kind)."""
    users, items, times, kinds = np.array(events, np.int64).reshape(-1, 4).T
    return windows.extend(users.astype(np.int32), items.astype(np.int32), times, kinds.astype(np.uint8))


def view(windows: UserWindows, users: list[int], now: list[int]) -> WindowView:
    return windows.view(np.array(users, np.int32), np.array(now, np.int64))


def mask(rows: set[int]) -> Mask:
    """Mark `rows`; the mask ends behind the last of them."""
    marked = np.zeros(max(rows, default=-1) + 1, np.bool_)
    marked[list(rows)] = True
    return marked


def same_state(one: UserWindows, other: UserWindows) -> bool:
    mine, theirs = one.state(), other.state()
    return mine.keys() == theirs.keys() and all(np.array_equal(mine[name], theirs[name]) for name in mine)


def bytes_of(windows: UserWindows) -> int:
    return sum(part.nbytes for part in vars(windows).values() if isinstance(part, np.ndarray))


USERS = st.integers(-1, 5)
ITEMS = st.integers(-1, 6)
EVENTS = st.lists(st.tuples(USERS, ITEMS, st.integers(0, 40), st.sampled_from([0, 1, 255])), max_size=12)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("extend"), EVENTS),
        st.tuples(st.just("forget_users"), st.sets(st.integers(0, 5), max_size=3)),
        st.tuples(st.just("forget_items"), st.sets(st.integers(0, 6), max_size=3)),
        st.tuples(st.just("restore"), st.none()),
    ),
    max_size=8,
)


@given(length=st.integers(1, 10), span=st.integers(0, 30), steps=STEPS)
def test_windows_are_what_the_oracle_says(length: int, span: int, steps: list[tuple[str, object]]) -> None:
    windows, oracle = UserWindows(length, span), Oracle(length, span)
    for action, given_ in steps:
        match action, given_:
            case "extend", list(events):
                before, after = extend(windows, events)
                for b, event in enumerate(events):
                    assert (seen(before, b), seen(after, b)) == oracle.enter(*event)
            case "forget_users", set(rows):
                windows.forget_users(mask(rows))
                oracle.forget_users(rows)
            case "forget_items", set(rows):
                windows.forget_items(mask(rows))
                oracle.forget_items(rows)
            case _:
                successor = UserWindows(length, span)
                successor.restore(windows.state())
                assert same_state(successor, windows)
                windows = successor
        users, now = list(range(-1, 8)), list(range(0, 45, 5))
        looked = view(windows, users, now)
        assert [seen(looked, b) for b in range(9)] == [oracle.look(*each) for each in zip(users, now, strict=True)]


@pytest.mark.parametrize("length", [3, 8, 9, 37, 64])
def test_windows_that_move_are_what_the_oracle_says(length: int) -> None:
    """Few users with many events, some of them late, who are forgotten now and then: rooms are left and taken again."""
    random = np.random.default_rng(length)
    windows, oracle = UserWindows(length, 10_000), Oracle(length, 10_000)
    for batch in range(60):
        columns = [random.integers(9, size=40), random.integers(50, size=40), 10 * batch + random.integers(-30, 10, 40)]
        events = list(
            zip(*(column.tolist() for column in columns), random.integers(256, size=40).tolist(), strict=True)
        )
        before, after = extend(windows, events)
        for b, event in enumerate(events):
            assert (seen(before, b), seen(after, b)) == oracle.enter(*event)
        if batch % 7 == 6:
            gone = set(random.integers(0, 9, 2).tolist())
            windows.forget_users(mask(gone))
            oracle.forget_users(gone)
        if batch % 20 == 19:
            successor = UserWindows(length, 10_000)
            successor.restore(windows.state())
            windows = successor
    looked = view(windows, list(range(9)), [600] * 9)
    assert [seen(looked, user) for user in range(9)] == [oracle.look(user, 600) for user in range(9)]


def test_room_that_was_left_is_taken_again() -> None:
    windows = UserWindows(64, 10_000)
    for turn in range(50):
        users = range(turn * 10, turn * 10 + 10)
        extend(windows, [(user, 1, 10 * turn + n, 0) for n in range(64) for user in users])
        windows.forget_users(mask(set(users)))
        if turn == 0:
            taken = bytes_of(windows)
    assert bytes_of(windows) - taken <= 16 * 500 * 2  # what the rows of 500 users take


def test_who_comes_seldom_takes_little_room() -> None:
    windows = UserWindows(1_024, 10_000)
    extend(windows, [(user, 1, user, 0) for user in range(10_000)])
    extend(windows, [(0, 1, 10_000, 0)] * 3_000)
    most = 10_000 * (2 * 16 + 1.25 * 13 * 8) + 1.25 * 13 * 3 * 1_024
    assert bytes_of(windows) < most
    restored = UserWindows(1_024, 10_000)
    restored.restore(windows.state())
    assert bytes_of(restored) < most


def test_all_room_of_windows_that_grow_together_is_a_third_more_than_they_hold() -> None:
    windows = UserWindows(128, 10_000)
    for n in range(128):
        extend(windows, [(user, 1, n, 0) for user in range(500)])
    assert bytes_of(windows) < 500 * (16 + 13 * 1.25 * (128 + 32 + 8)) + 2 * 13 * 128


@given(EVENTS)
def test_batches_are_cut_anywhere(events: list[tuple[int, int, int, int]]) -> None:
    whole, parts = UserWindows(3, 20), UserWindows(3, 20)
    before, after = extend(whole, events)
    for b, event in enumerate(events):
        before_one, after_one = extend(parts, [event])
        assert seen(before, b) == seen(before_one, 0)
        assert seen(after, b) == seen(after_one, 0)
    assert same_state(whole, parts)


def test_events_of_one_batch_see_the_previous_ones() -> None:
    before, after = extend(UserWindows(4, 100), [(0, 1, 10, 0), (0, 2, 20, 0), (0, 3, 30, 0)])
    assert seen(before, 0) == (10, [])
    assert seen(before, 2) == (30, [(20, 2, 0), (10, 1, 0)])
    assert seen(after, 2) == (30, [(30, 3, 0), (20, 2, 0), (10, 1, 0)])


def test_a_late_event_stands_at_its_place_and_sees_only_its_past() -> None:
    before, after = extend(UserWindows(4, 100), [(0, 1, 10, 0), (0, 2, 30, 0), (0, 3, 20, 0)])
    assert seen(before, 2) == (20, [(10, 1, 0)])
    assert seen(after, 2) == (30, [(30, 2, 0), (20, 3, 0), (10, 1, 0)])


def test_equal_times_keep_arrival_order() -> None:
    _, after = extend(UserWindows(2, 100), [(0, 1, 10, 0), (0, 2, 10, 0), (0, 3, 10, 0)])
    assert seen(after, 2) == (10, [(10, 3, 0), (10, 2, 0)])


def test_an_entry_stays_up_to_exactly_the_span() -> None:
    _, after = extend(UserWindows(4, 20), [(0, 1, 10, 0), (0, 2, 30, 0), (0, 3, 31, 0), (0, 4, 10, 0)])
    assert seen(after, 1) == (30, [(30, 2, 0), (10, 1, 0)])
    assert seen(after, 2) == (31, [(31, 3, 0), (30, 2, 0)])
    assert seen(after, 3) == (31, [(31, 3, 0), (30, 2, 0)])


def test_a_request_takes_no_room() -> None:
    windows = UserWindows(64, 100)
    extend(windows, [(0, 1, 10, 0)] * 8)
    taken = windows._used.copy()
    extend(windows, [(0, -1, 10, 0)])
    assert windows._used == taken
    extend(windows, [(0, 1, 10, 0)])
    assert windows._used > taken


def test_nobody_says_what_was_done() -> None:
    windows = UserWindows(2, 100)
    _, after = windows.extend(np.array([0], np.int32), np.array([1], np.int32), np.array([10], np.int64))
    assert seen(after, 0) == (10, [(10, 1, 0)])


def test_a_request_looks_and_leaves_no_trace() -> None:
    windows = UserWindows(4, 20)
    extend(windows, [(0, 1, 10, 0)])
    _, after = extend(windows, [(0, -1, 15, 0), (0, -1, 50, 0), (0, 2, 20, 0)])
    assert seen(after, 0) == (15, [(10, 1, 0)])
    assert seen(after, 1) == (50, [])
    assert seen(after, 2) == (20, [(20, 2, 0), (10, 1, 0)])


def test_views_are_copies() -> None:
    windows = UserWindows(2, 100)
    users, times = np.array([0], np.int32), np.array([10], np.int64)
    _, after = windows.extend(users, np.array([1], np.int32), times)
    users[0], times[0] = 7, 99
    extend(windows, [(0, 2, 20, 0)])
    assert seen(after, 0) == (10, [(10, 1, 0)])
    assert after.users.tolist() == [0]


def test_take_selects_by_position_and_by_mask() -> None:
    _, after = extend(UserWindows(2, 100), [(0, 1, 10, 7), (1, 2, 20, 8), (2, 3, 30, 9)])
    assert len(after) == 3
    assert [seen(after.take(np.array([2, 0])), b) for b in range(2)] == [seen(after, 2), seen(after, 0)]
    assert after.take(np.array([False, True, False])).users.tolist() == [1]


def test_state_does_not_tell_how_the_arrays_grew() -> None:
    grown, direct = UserWindows(2, 100), UserWindows(2, 100)
    for user in (0, 3, 40):
        extend(grown, [(user, 1, 10, 0)])
    extend(grown, [(900, 1, 10, 0)])
    grown.forget_users(mask({900}))
    extend(direct, [(40, 1, 10, 0), (3, 1, 10, 0), (0, 1, 10, 0)])
    assert same_state(grown, direct)
    assert len(grown.state()["counts"]) == 41


def test_state_is_a_copy() -> None:
    windows = UserWindows(2, 100)
    extend(windows, [(0, 1, 10, 0)])
    state = windows.state()
    extend(windows, [(0, 2, 20, 0)])
    assert state["items"].tolist() == [1]
    restored = UserWindows(2, 100)
    restored.restore(state)
    extend(restored, [(0, 3, 30, 0)])
    assert state["items"].tolist() == [1]


def test_state_of_longer_windows_is_refused() -> None:
    windows = UserWindows(3, 100)
    extend(windows, [(0, 1, 10, 0), (0, 2, 20, 0), (0, 3, 30, 0)])
    with pytest.raises(ValueError, match="A window of 3 entries does not fit into windows of 2"):
        UserWindows(2, 100).restore(windows.state())
