import numpy as np

from models.tables import dead_rows, grown, mixed, padded, rise


def test_a_small_table_at_least_doubles_and_keeps_what_it_holds() -> None:
    table = np.arange(40, dtype=np.float32).reshape(20, 2)
    larger = grown(table, 21, fill=0.5)
    assert larger.shape == (40, 2)
    assert larger.dtype == np.float32
    assert (larger[:20] == table).all()
    assert (larger[20:] == 0.5).all()
    assert len(grown(table, 100)) == 100
    assert not grown(table, 100)[20:].any()


def test_a_large_table_takes_a_quarter_more() -> None:
    assert len(grown(np.zeros(80_000, np.int8), 80_001)) == 100_000
    assert len(grown(np.zeros(80_000, np.int8), 200_000)) == 200_000


def test_a_table_that_is_large_enough_is_the_same_one() -> None:
    table = np.zeros(3)
    assert grown(table, 3) is table


def test_masks_may_be_shorter_or_longer_than_tables() -> None:
    dead = np.array([True, False, True])
    assert dead_rows(dead, 2).tolist() == [0]
    assert dead_rows(dead, 9).tolist() == [0, 2]
    assert padded(dead, 2).tolist() == [True, False]
    assert padded(dead, 4).tolist() == [True, False, True, False]


def test_random_numbers_are_splitmix64() -> None:
    # The first outputs for seed 0, as published with the algorithm.
    assert mixed(0, 0) == 0xE220A8397B1DCDAF
    golden = 0x9E3779B97F4A7C15 - (1 << 64)
    assert mixed(0, golden) == mixed(1, 0) == 0x6E789E6AA1B965F4


def test_who_rises_stands_behind_equals_and_the_last_falls_out() -> None:
    rows, values = np.array([7, 3, 5], np.int32), np.array([9, 4, 2], np.float32)
    rise(rows, values, 2, 8, np.float32(4))
    assert (rows.tolist(), values.tolist()) == ([7, 3, 8], [9, 4, 4])
    rise(rows, values, 2, 1, np.float32(10))
    assert (rows.tolist(), values.tolist()) == ([1, 7, 3], [10, 9, 4])
