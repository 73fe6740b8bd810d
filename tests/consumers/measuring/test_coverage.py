import numpy as np

from consumers.measuring.coverage import coverage


def test_items_and_places_are_counted() -> None:
    found = coverage(np.array([1, 0, 6, 3]), np.array([0, 1, 2, 2], np.int32), ["a", "b", "c", "d"])
    assert (found["items_shown"], found["share"], found["places"], found["half"]) == (3, 0.75, 10, 1)
    assert found["top"] == [
        {"item_id": "c", "share_of_places": 0.6, "share_of_events": 0.5},
        {"item_id": "d", "share_of_places": 0.3, "share_of_events": 0.0},
        {"item_id": "a", "share_of_places": 0.1, "share_of_events": 0.25},
    ]


def test_half_of_the_places_may_need_many_items() -> None:
    assert coverage(np.ones(9, np.int64), np.zeros(1, np.int32), [str(n) for n in range(9)])["half"] == 5


def test_nothing_shown_is_nothing_covered() -> None:
    found = coverage(np.zeros(2, np.int64), np.array([0, 1], np.int32), ["a", "b"])
    assert (found["items_shown"], found["half"], found["top"]) == (0, 0, [])
