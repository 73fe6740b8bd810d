import numpy as np
import pytest

from stream.rooms import leave, room, rooms_for, size_for, take


@pytest.mark.parametrize(
    ("length", "rooms"), [(128, [4, 8, 16, 32, 64, 128]), (100, [4, 8, 16, 32, 64, 100]), (3, [3]), (5, [4, 5])]
)
def test_sizes_double_up_to_the_length(length: int, rooms: list[int]) -> None:
    sizes = size_for(length, length) + 1
    assert [room(size, length) for size in range(sizes)] == rooms
    for entries in range(1, length + 1):
        fitting = [size for size in range(sizes) if rooms[size] >= entries]
        assert size_for(entries, length) == fitting[0]


def test_room_for_what_there_is_and_none_for_none() -> None:
    assert rooms_for(np.array([0, 1, 4, 5, 128], np.int32), 128).tolist() == [0, 4, 4, 8, 128]


def test_stretches_are_apart_until_one_is_left_and_taken_again() -> None:
    links, free, used = np.empty(24, np.int64), np.full(2, -1, np.int64), np.zeros(1, np.int64)
    taken = [take(size, links, free, used, 8) for size in (0, 1, 0, 1)]
    assert taken == [0, 4, 12, 16]
    assert take(0, links, free, used, 8) == take(1, links, free, used, 8) == -1

    for first in (0, 12):
        leave(first, 4, links, free, 8)
    leave(4, 8, links, free, 8)
    assert take(1, links, free, used, 8) == 4
    assert [take(0, links, free, used, 8) for _ in range(3)] == [12, 0, -1], "the last that was left comes first"
