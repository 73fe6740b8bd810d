import numpy as np

from models.measuring.streams import Stream, earlier


def test_earlier_events_of_the_same_number_are_counted() -> None:
    assert earlier(np.array([2, 0, 2, 2, 0, 1], np.int32)).tolist() == [0, 0, 1, 2, 1, 0]
    assert earlier(np.zeros(0, np.int32)).tolist() == []


def test_pairs_are_told_apart_and_first_events_of_users_are_without_history() -> None:
    stream = Stream(np.array([0, 1, 0, 1], np.int32), np.array([1, 0, 1, 1], np.int32), np.arange(4))
    pairs = stream.pairs().tolist()
    assert pairs[0] == pairs[2]
    assert len(set(pairs)) == 3
    assert stream.with_history().tolist() == [False, False, True, True]
