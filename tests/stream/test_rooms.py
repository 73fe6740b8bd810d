import numpy as np
import pytest

from stream.rooms import leave, room, rooms_for, size_for, take


@pytest.mark.parametrize(
    ("length", "rooms"), [(128, [8, 32, 128]), (129, [8, 32, 128, 129]), (100, [8, 32, 100]), (3, [3]), (9, [8, 9])]
)
def test_sizes_grow_up_to_the_length(length: int, rooms: list[int]) -> None:
    sizes = size_for(length, length) + 1
    assert [room(size, length) for size in range(sizes)] == rooms
    for entries in range(1, length + 1):
        fitting = [size for size in range(sizes) if rooms[size] >= entries]
        assert size_for(entries, length) == fitting[0]


def test_room_for_what_there_is_and_none_for_none() -> None:
    assert rooms_for(np.array([0, 1, 8, 9, 128], np.int32), 128).tolist() == [0, 8, 8, 32, 128]


def test_stretches_are_apart_until_one_is_left_and_taken_again() -> None:
    links, free, used = np.empty(56, np.int64), np.full(2, -1, np.int64), np.zeros(1, np.int64)
    taken = [take(size, links, free, used, 20) for size in (0, 1, 0, 1)]
    assert taken == [0, 8, 28, 36]
    assert take(0, links, free, used, 20) == take(1, links, free, used, 20) == -1

    for first in (0, 28):
        leave(first, 8, links, free, 20)
    leave(8, 20, links, free, 20)
    assert take(1, links, free, used, 20) == 8
    assert [take(0, links, free, used, 20) for _ in range(3)] == [28, 0, -1], "the last that was left comes first"
