"""Rows of neighbours against dictionaries, with rows wide enough that nothing is lost, and then with narrow ones."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.base import Floats, Rows
from models.experts.neighbours import Neighbours
from stream.snapshots import state_hash

LANES = 2
NOBODY_BARRED = np.zeros(0, np.int32)


def meet(table: Neighbours, target: int, window: list[int], gain: float = 1.0, weight: float = 1.0) -> None:
    """Count a target forwards in lane 0 by `gain` and both ways in lane 1 by twice that."""
    items = np.array([window], np.int32)
    forward = np.full((*items.shape, LANES), gain, np.float32) * np.array([1, 2], np.float32)
    mirrored = forward * np.array([0, 1], np.float32)
    event_weights = np.array([weight], np.float32)
    table.meet(items, np.array([target], np.int32), event_weights, forward, mirrored, forward)


def scan(table: Neighbours, window: list[int], weights: list[list[float]], excluded: Rows = NOBODY_BARRED) -> Floats:
    """Sums of one query as (item, sums) sorted by item: (n, 1 + E)."""
    items, by_lane = np.array([window], np.int32), np.array([weights], np.float32)
    starts, rows, sums = table.scan(items, by_lane, np.array([0, len(excluded)]), excluded)
    assert starts.tolist() == [0, len(rows)]
    found: Floats = np.column_stack([rows, sums])[np.argsort(rows)]
    return found


def test_both_rows_count_a_meeting() -> None:
    table = Neighbours(LANES, width=4, seed=0)
    meet(table, 7, [3, 5], gain=1.0, weight=2.0)
    assert scan(table, [3], [[1, 1]]).tolist() == [[7, 2, 4]]
    assert scan(table, [7], [[1, 1]]).tolist() == [[3, 0, 4], [5, 0, 4]]
    assert table.norms(np.array([3, 5, 7, 6, -1, 99], np.int32)).tolist() == [[2, 4], [2, 4], [4, 8]] + [[0, 0]] * 3


def test_an_item_meets_itself_once_and_only_at_once() -> None:
    table = Neighbours(LANES, width=4, seed=0)
    meet(table, 3, [3, 5, 3])
    assert scan(table, [3], [[1, 1]]).tolist() == [[3, 1, 2], [5, 0, 2]]
    assert scan(table, [5], [[1, 1]]).tolist() == [[3, 1, 2]]


def test_a_scan_weighs_positions_and_leaves_out_what_is_excluded() -> None:
    table = Neighbours(LANES, width=4, seed=0)
    meet(table, 7, [3, 5])
    meet(table, 8, [3])
    weights: list[list[float]] = [[1, 0], [0, 10], [0.5, 0]]
    assert scan(table, [3, 5, 3], weights).tolist() == [[7, 1.5, 20], [8, 1.5, 0]]
    assert scan(table, [3, 5, 3], weights, np.array([7, 7, 99], np.int32)).tolist() == [[8, 1.5, 0]]
    assert len(scan(table, [3, 5, 3], weights, np.array([8, 7], np.int32))) == 0


def test_queries_of_one_scan_do_not_see_each_other() -> None:
    table = Neighbours(LANES, width=4, seed=0)
    meet(table, 7, [3, 5])
    items, weights = np.full((3, 1), 3, np.int32), np.ones((3, 1, LANES), np.float32)
    starts, rows, sums = table.scan(items, weights, np.array([0, 0, 1, 1]), np.array([7], np.int32))
    assert starts.tolist() == [0, 1, 1, 2]
    assert rows.tolist() == [7, 7]
    assert sums.tolist() == [[1, 2], [1, 2]]


def test_a_full_row_keeps_those_met_most_often() -> None:
    table = Neighbours(LANES, width=16, seed=0)
    for _ in range(20):
        for frequent in (1, 2, 3):
            meet(table, frequent, [0])
    for rare in range(100, 400):
        meet(table, rare, [0])
    kept = scan(table, [0], [[1, 0]])
    assert len(kept) == 16
    assert kept[:3].tolist() == [[1, 20, 0], [2, 20, 0], [3, 20, 0]]
    assert (kept[3:, 1] == 1).all()


def test_the_strongest_positions_are_named() -> None:
    table = Neighbours(LANES, width=4, seed=0)
    for window in ([3], [5], [5], [6], [6], [6]):
        meet(table, 7, window)
    items, weights = np.array([[3, 5, 6, 2]], np.int32), np.array([[[1, 0], [1, 0], [0.5, 0], [9, 0]]], np.float32)
    targets = np.array([7, 7, 2], np.int32)
    named = table.strongest(np.zeros(3, np.int32), np.array([0, 1, 0], np.int32), targets, items, weights)
    assert named.tolist() == [[1, 2], [-1, -1], [-1, -1]]


def test_fading_touches_one_lane() -> None:
    table = Neighbours(LANES, width=4, seed=0)
    meet(table, 7, [3])
    table.fade(1, 0.25)
    assert scan(table, [3], [[1, 1]]).tolist() == [[7, 1, 0.5]]


def test_what_is_forgotten_leaves_rows_and_neighbours() -> None:
    table = Neighbours(LANES, width=4, seed=0)
    meet(table, 7, [3, 5])
    meet(table, 8, [3])
    table.forget(np.arange(8) == 7)
    assert scan(table, [3], [[1, 1]]).tolist() == [[8, 1, 2]]
    assert len(scan(table, [7], [[1, 1]])) == 0
    meet(table, 7, [3])
    assert scan(table, [3], [[1, 1]]).tolist() == [[7, 1, 2], [8, 1, 2]]
    assert scan(table, [7], [[1, 1]]).tolist() == [[3, 0, 2]]


@given(
    st.lists(st.tuples(st.integers(0, 9), st.lists(st.integers(0, 9), max_size=5)), max_size=30),
    st.lists(st.tuples(st.integers(-1, 12), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=6),
    st.sets(st.integers(0, 12)),
)
def test_a_scan_is_the_sum_that_dictionaries_give(
    meetings: list[tuple[int, list[int]]], window: list[tuple[int, int, int]], excluded: set[int]
) -> None:
    table = Neighbours(LANES, width=10, seed=0)
    rows: dict[int, dict[int, Floats]] = defaultdict(lambda: defaultdict(lambda: np.zeros(LANES, np.float32)))
    for target, items in meetings:
        meet(table, target, items)
        for j, item in enumerate(items):
            if item != target or j == 0:
                rows[item][target] += np.array([1, 2], np.float32)
            if item != target:
                rows[target][item] += np.array([0, 2], np.float32)
    expected: dict[int, Floats] = defaultdict(lambda: np.zeros(LANES, np.float32))
    for item, *lanes in window:
        for neighbour, counters in rows[item].items():
            if neighbour not in excluded:
                expected[neighbour] += np.array(lanes, np.float32) * counters
    items, weights = [item for item, *_ in window], [[float(weight) for weight in lanes] for _, *lanes in window]
    found = scan(table, items, weights, np.array([*excluded], np.int32))
    assert found.tolist() == [[item, *expected[item]] for item in sorted(expected)]


def test_many_sums_of_many_queries_find_room() -> None:
    table = Neighbours(LANES, width=600, seed=0)
    for item in range(5):
        for neighbour in range(600):
            meet(table, 10 + 600 * item + neighbour, [item])
    items = np.tile(np.arange(5, dtype=np.int32), (3, 1))
    starts, rows, sums = table.scan(items, np.ones((3, 5, LANES), np.float32), np.zeros(4, np.int64), NOBODY_BARRED)
    assert starts.tolist() == [0, 3000, 6000, 9000]
    assert (rows.reshape(3, -1) == np.arange(10, 3010)).all()
    assert (sums == [1, 2]).all()


@pytest.mark.parametrize("events", [0, 40])
def test_a_restored_table_goes_on_the_same(events: int) -> None:
    random = np.random.default_rng(1)
    stream = [(int(target), random.integers(0, 20, 4).tolist()) for target in random.integers(0, 20, 2 * events)]
    first, second = Neighbours(LANES, width=4, seed=3), Neighbours(LANES, width=4, seed=3)
    for target, window in stream[:events]:
        meet(first, target, window)
    second.restore(first.state())
    for target, window in stream[events:]:
        meet(first, target, window)
        meet(second, target, window)
    assert state_hash(first.state()) == state_hash(second.state())
