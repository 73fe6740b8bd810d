import numpy as np

from models.network.replay import Examples, Inputs, ReplayBuffer, inputs_of
from stream.windows import WindowView

NONE = np.zeros(0, np.bool_)


def examples(targets: list[int]) -> Examples:
    """Examples of user 10 + target, with a window of item 100 + target."""
    column = np.array(targets, np.int32)
    items = np.stack([100 + column, np.full_like(column, -1)], axis=1)
    times = np.stack([column, np.zeros_like(column)], axis=1).astype(np.uint8)
    inputs = Inputs(items, times, times + 1, times[:, 0] + 2)
    return Examples(inputs, column, (column / 2).astype(np.float32), 10 + column)


def held(buffer: ReplayBuffer) -> list[int]:
    """Targets, newest first; all columns of an example must belong together."""
    found = buffer.take(np.arange(len(buffer)))
    targets: list[int] = found.targets.tolist()
    expected = examples(targets)
    for name in ("items", "gaps", "ages", "hours"):
        assert np.array_equal(getattr(found.inputs, name), getattr(expected.inputs, name))
    assert np.array_equal(found.weights, expected.weights)
    assert np.array_equal(found.users, expected.users)
    return targets


def test_the_oldest_make_room() -> None:
    buffer = ReplayBuffer(4, 2)
    buffer.append(examples([1, 2, 3]))
    assert held(buffer) == [3, 2, 1]
    buffer.append(examples([4, 5]))
    assert held(buffer) == [5, 4, 3, 2]
    assert buffer.take(np.array([3, 0])).targets.tolist() == [2, 5]


def test_the_newest_can_be_taken_back() -> None:
    buffer = ReplayBuffer(4, 2)
    buffer.append(examples([1, 2, 3, 4, 5]))
    buffer.drop(2)
    assert held(buffer) == [3, 2]
    buffer.append(examples([6, 7, 8]))
    assert held(buffer) == [8, 7, 6, 3]


def test_examples_of_dead_items_and_users_go() -> None:
    buffer = ReplayBuffer(5, 2)
    buffer.append(examples([9, 8, 1, 2, 3, 4, 5]))  # the first two have left
    dead_items = np.zeros(105, np.bool_)
    dead_items[[2, 104]] = True  # a target, and an item in the window of 4
    assert buffer.forget(dead_items, NONE).tolist() == [False, True, False, True, False]
    assert held(buffer) == [5, 3, 1]
    assert buffer.forget(NONE, np.arange(12) == 11).tolist() == [False, False, True]
    assert held(buffer) == [5, 3]
    buffer.append(examples([6, 7, 8, 9]))
    assert held(buffer) == [9, 8, 7, 6, 5]


def test_restored_buffers_hold_the_same_in_the_same_order() -> None:
    buffer, copy = ReplayBuffer(3, 2), ReplayBuffer(3, 2)
    buffer.append(examples([1, 2, 3, 4]))
    copy.append(examples([7]))
    copy.restore(buffer.state())
    buffer.append(examples([5]))
    copy.append(examples([5]))
    assert held(buffer) == held(copy) == [5, 4, 3]


def test_windows_become_their_newest_items_and_time_buckets() -> None:
    view = WindowView(
        users=np.array([0, 1], np.int32),
        now_ms=np.array([10_000, 10_000]),
        items=np.array([[5, 6, 7], [8, -1, -1]], np.int32),
        times_ms=np.array([[9_000, 6_000, 0], [10_000, 0, 0]]),
        lengths=np.array([3, 1], np.int32),
        kinds=np.zeros((2, 3), np.uint8),
    )
    inputs = inputs_of(view, 2)
    assert inputs.items.tolist() == [[5, 6], [8, -1]]
    assert inputs.gaps.tolist() == [[2, 4], [0, 0]]  # 1 s to now, 3 s to the next event
    assert inputs.ages.tolist() == [[2, 4], [0, 0]]  # 1 s, 4 s
    assert inputs.hours.tolist() == [72, 72]  # 1970 began on a Thursday


def test_windows_that_are_shorter_than_what_is_read_have_empty_places_behind() -> None:
    view = WindowView(
        users=np.array([1], np.int32),
        now_ms=np.array([5_000]),
        items=np.array([[7, 8]], np.int32),
        times_ms=np.array([[4_000, 1_000]]),
        lengths=np.array([2], np.int32),
        kinds=np.zeros((1, 2), np.uint8),
    )
    short, long = inputs_of(view, 2), inputs_of(view, 4)
    assert long.items.tolist() == [[7, 8, -1, -1]]
    for name in ("gaps", "ages"):
        assert getattr(long, name).tolist() == [[*getattr(short, name)[0].tolist(), 0, 0]]
    assert long.hours.tolist() == short.hours.tolist()
