import numpy as np

from models.metrics import MISS
from models.published import PublishedLists


def published() -> PublishedLists:
    lists = PublishedLists(3)
    lists.publish(
        np.array([0, 2, 0], np.int32), np.array([[1, 2, 3], [4, 5, -1], [6, 7, 8]], np.int32), np.array([10, 20, 30])
    )
    return lists


def ranks(lists: PublishedLists, users: list[int], items: list[int]) -> tuple[list[int], list[int]]:
    found, ages = lists.ranks(np.array(users, np.int32), np.array(items, np.int32), np.full(len(users), 50, np.int64))
    return found.tolist(), ages.tolist()


def test_the_newest_list_of_a_user_counts() -> None:
    assert ranks(published(), [0, 0, 2, 1, 9], [7, 1, 4, 4, 4]) == ([1, MISS, 0, MISS, MISS], [20, 20, 30, -1, -1])


def test_a_longer_list_counts_as_far_as_k() -> None:
    lists = published()
    lists.publish(np.array([1], np.int32), np.array([[1, 2, 3, 4]], np.int32), np.array([40]))
    assert ranks(lists, [1, 1], [3, 4]) == ([2, MISS], [10, 10])


def test_nothing_is_out_at_first() -> None:
    assert ranks(PublishedLists(3), [0], [1]) == ([int(MISS)], [-1])


def test_forgotten_users_and_items_are_not_found() -> None:
    lists = published()
    lists.forget_users(np.array([True]))
    lists.forget_items(np.array([False] * 5 + [True]))
    assert ranks(lists, [0, 2, 2], [6, 5, 4]) == ([MISS, MISS, 0], [-1, 30, 30])


def test_restored_lists_are_the_same() -> None:
    lists, other = published(), PublishedLists(3)
    other.restore(lists.state())
    assert ranks(other, [0, 2], [7, 5]) == ranks(lists, [0, 2], [7, 5])
