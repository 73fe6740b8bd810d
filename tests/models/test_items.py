import numpy as np

from models.items import ItemStatistics
from tests.models.tiny import MONDAY_S, each


def learned() -> ItemStatistics:
    items = ItemStatistics()
    for events in each([(0, 2, 100), (1, 2, 300), (0, 4, 300), (1, 2, 50)]):
        items.learn(events)
    return items


def seconds(times_ms: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> list[int]:
    return [int(time) // 1000 - MONDAY_S for time in times_ms]


def test_counts_and_times_with_a_late_event() -> None:
    items = learned()
    assert items.counts[:5].tolist() == [0, 0, 3, 0, 1]
    assert seconds(items.first_ms[[2, 4]]) == [50, 300]
    assert seconds(items.last_ms[[2, 4]]) == [300, 300]


def test_several_events_of_one_new_item_in_a_batch() -> None:
    items = ItemStatistics()
    batch = each([(0, 1, 10)])[0]
    windows = batch.before.take(np.zeros(3, np.int64))
    windows.now_ms[:] = np.array([30, 10, 20]) * 1000 + MONDAY_S * 1000
    items.learn(type(batch)(windows, np.ones(3, np.int32), np.ones(3, np.float32)))
    assert items.counts[1] == 3
    assert seconds(items.first_ms[1:2]) == [10]
    assert seconds(items.last_ms[1:2]) == [30]


def test_a_forgotten_row_starts_again() -> None:
    items = learned()
    items.forget_items(np.array([False, False, True]))
    assert items.counts[2] == 0
    items.learn(each([(0, 2, 700)])[0])
    assert items.counts[2] == 1
    assert seconds(items.first_ms[2:3]) == seconds(items.last_ms[2:3]) == [700]


def test_restored_statistics_are_the_same() -> None:
    state = learned().state()
    assert {name: len(array) for name, array in state.items()} == {"counts": 5, "first_ms": 5, "last_ms": 5}
    items = ItemStatistics()
    items.restore(state)
    for name, array in items.state().items():
        assert (array == state[name]).all()
