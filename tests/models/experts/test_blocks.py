"""Rows in a pool against lists, with room and without."""

from collections import defaultdict

import numpy as np
import pytest

from models.base import Floats, Rows
from models.experts.blocks import LEAST, Blocks, Pool, add, counter_of, fitting, keys_of
from stream.kernels import kernel

DEPTH = 3


@kernel
def _added(blocks: Blocks, row: int, key: int, values: Floats) -> None:
    s = add(blocks, row, key)
    for counter in range(len(values)):
        counter_of(blocks, row, counter)[s] = values[counter]


@kernel
def _row(blocks: Blocks, row: int) -> tuple[Rows, Floats]:
    keys = keys_of(blocks, row).copy()
    counters = np.empty((len(keys), blocks.depth), np.float32)
    for counter in range(blocks.depth):
        counters[:, counter] = counter_of(blocks, row, counter)
    return keys, counters


def put(pool: Pool, row: int, key: int, *values: float) -> None:
    pool.make_room(2 * int(fitting(int(pool.blocks.used[row]) + 1)))
    _added(pool.blocks, row, key, np.array(values, np.float32))


def content(pool: Pool, row: int) -> list[list[float]]:
    keys, counters = _row(pool.blocks, row)
    return [[int(key), *values] for key, values in zip(keys, counters.tolist(), strict=True)]


def filled(
    rows: int, entries: int, width: int = 1 << 20, budget: int = 1 << 20
) -> tuple[Pool, dict[int, list[list[int]]]]:
    """Give a pool many entries in rows drawn at random, and the same as lists."""
    random = np.random.default_rng(2)
    pool, expected = Pool(DEPTH, width, budget), defaultdict[int, list[list[int]]](list)
    pool.grow(rows)
    for row in random.integers(0, rows, entries).tolist():
        entry = random.integers(0, 1000, 1 + DEPTH)
        put(pool, row, *entry.tolist())
        expected[row].append(entry.tolist())
    return pool, expected


@pytest.mark.parametrize(("rows", "entries"), [(1, 2000), (300, 5000)])
def test_entries_stay_where_they_were_put_however_often_rows_move(rows: int, entries: int) -> None:
    pool, expected = filled(rows, entries)
    for row in range(rows):
        assert content(pool, row) == expected[row]


def test_a_pool_is_not_much_larger_than_its_blocks() -> None:
    pool, expected = filled(300, 20_000)
    live = sum(int(fitting(len(row))) for row in expected.values())
    assert pool.blocks.ends[1] == live
    assert len(pool.blocks.keys) < 2 * live


def test_rows_that_are_empty_take_nothing() -> None:
    pool = Pool(DEPTH, 8, 100)
    pool.grow(1_000_000)
    pool.make_room(LEAST)
    assert len(pool.blocks.keys) < 10_000


def test_a_spent_budget_halves_the_width_and_keeps_what_the_last_counter_says() -> None:
    pool = Pool(2, 64, 64)
    pool.grow(2)
    for key in range(33):
        put(pool, 0, key, 0, key % 8)
    assert pool.width == 64
    for key in range(4):
        put(pool, 1, key, 1, 1)
    put(pool, 1, 4, 1, 1)
    assert pool.width == 32  # 33 of a row in a block of 64, and another block of 8
    put(pool, 1, 5, 1, 1)
    kept = [key for key, *_ in content(pool, 0)]
    assert kept == [key for key in range(33) if key != 32]  # of those with a 0, the newest
    assert [key for key, *_ in content(pool, 1)] == [0, 1, 2, 3, 4, 5]


def test_no_row_is_made_narrower_than_the_least() -> None:
    pool = Pool(DEPTH, 64, budget=1)
    pool.grow(20)
    for key in range(40):
        for row in range(20):
            if pool.blocks.used[row] < pool.width:
                put(pool, row, key, 0, 0, 0)
    assert pool.width == LEAST
    assert (pool.blocks.used == LEAST).all()


def test_dead_rows_are_emptied_and_dead_keys_leave_the_others() -> None:
    pool = Pool(DEPTH, 64, 1000)
    pool.grow(3)
    for key in (0, 1, 2, 0):
        put(pool, 0, key, key, 10 + key, 20 + key)
        put(pool, 1, key, key, 10 + key, 20 + key)
    pool.drop(np.array([False, True, False]))
    assert content(pool, 0) == [[0, 0, 10, 20], [2, 2, 12, 22], [0, 0, 10, 20]]
    assert content(pool, 1) == []
    put(pool, 1, 7, 1, 2, 3)
    assert content(pool, 1) == [[7, 1, 2, 3]]


def test_a_restored_pool_is_the_same_and_counts_the_same() -> None:
    pool, _ = filled(50, 3000, width=64, budget=2000)
    assert pool.width < 64, "the budget was not spent"
    other = Pool(DEPTH, 64, 2000)
    other.restore(*pool.packed(), pool.width)
    assert other.width == pool.width
    assert other.blocks.ends[1] == pool.blocks.ends[1]
    assert [content(other, row) for row in range(50)] == [content(pool, row) for row in range(50)]
    put(pool, 3, 5, 1, 2, 3)
    put(other, 3, 5, 1, 2, 3)
    assert content(other, 3) == content(pool, 3)
