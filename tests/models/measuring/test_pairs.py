import numpy as np
import pytest

from models.measuring.pairs import ALL, add, add_row, pool_of


@pytest.mark.parametrize("items", [1, 3, 16, 17, 40, 5_000])
def test_rows_hold_the_exact_sums_whatever_they_are_stored_as(items: int) -> None:
    rng = np.random.default_rng(items)
    pool, expected = pool_of(items), np.zeros((items, items), np.float32)
    for row, item in rng.zipf(1.2, (3_000, 2)) % items:
        pool = add(pool, row, item, 0.5)
        expected[row, item] += 0.5

    for row in np.unique(rng.zipf(1.2, 20) % items):
        scores, touched = np.zeros(items + 1), np.empty(items + 1, np.int32)
        scores[items] = 1
        count = add_row(pool, row, 2.0, scores, touched, 0)
        assert (scores[:items] == 2 * expected[row]).all()
        if count != ALL:
            assert sorted(touched[:count]) == np.flatnonzero(expected[row]).tolist()


def test_what_is_touched_adds_up_over_rows() -> None:
    pool = pool_of(1_000)
    for row, item in ((0, 7), (0, 8), (1, 8), (1, 9)):
        pool = add(pool, row, item, 1.0)
    scores, touched = np.zeros(1_001), np.empty(1_001, np.int32)
    scores[1_000] = 1

    count = add_row(pool, 0, 1.0, scores, touched, 0)
    count = add_row(pool, 1, 0.5, scores, touched, count)

    assert sorted(touched[:count]) == [7, 8, 9]
    assert scores[7:10].tolist() == [1, 1.5, 0.5]
    assert scores[1_000] == 1
