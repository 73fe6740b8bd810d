import numpy as np
import pytest

from models.experts.distinct import newest_distinct


@pytest.mark.parametrize(
    ("window", "positions"),
    [([5, 5, 3, 5, 4, 9], [0, 2, 4]), ([5, 5, -1, -1, -1, -1], [0, -1, -1]), ([-1] * 6, [-1, -1, -1])],
)
def test_the_newest_of_each_item_counts(window: list[int], positions: list[int]) -> None:
    assert newest_distinct(np.array([window], np.int32), 3).tolist() == [positions]
