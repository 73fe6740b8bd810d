import numpy as np
import pytest

from models.experts.portion import Portion


def chosen(share: float, batches: list[int]) -> list[int]:
    portion, start, places = Portion(), 0, list[int]()
    for count in batches:
        places += (start + portion.choose(count, share)).tolist()
        start += count
    return places


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, []), (0.25, [3, 7, 11]), (0.5, [1, 3, 5, 7, 9, 11]), (1.0, [*range(12)])]
)
def test_an_even_part_is_chosen_across_batches(share: float, expected: list[int]) -> None:
    assert chosen(share, [12]) == chosen(share, [1] * 12) == chosen(share, [5, 0, 7]) == expected


def test_what_was_saved_up_is_taken_over() -> None:
    one, other = Portion(), Portion()
    one.choose(3, 0.25)
    other.credit = one.credit
    assert np.array_equal(one.choose(1, 0.25), [0])
    assert np.array_equal(other.choose(1, 0.25), [0])
