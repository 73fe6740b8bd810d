import numpy as np
import numpy.typing as npt
import pytest

from models.items import COUNT, FIRST_MS, LAST_MS, RETURNS, ItemStatistics
from tests.models.tiny import MONDAY_S, each


def learned() -> ItemStatistics:
    items = ItemStatistics()
    for events in each([(0, 2, 100), (1, 2, 300), (0, 4, 300), (1, 2, 50)]):
        items.learn(events)
    return items


def seconds(times_ms: npt.NDArray[np.float64]) -> list[int]:
    return [int(time) // 1000 - MONDAY_S for time in times_ms]


def test_counts_and_times_with_a_late_event() -> None:
    items = learned()
    assert items.table[:5, COUNT].tolist() == [0, 0, 3, 0, 1]
    assert seconds(items.table[[2, 4], FIRST_MS]) == [50, 300]
    assert seconds(items.table[[2, 4], LAST_MS]) == [300, 300]


def test_several_events_of_one_new_item_in_a_batch() -> None:
    items = ItemStatistics()
    batch = each([(0, 1, 10)])[0]
    windows = batch.before.take(np.zeros(3, np.int64))
    windows.now_ms[:] = np.array([30, 10, 20]) * 1000 + MONDAY_S * 1000
    items.learn(type(batch)(windows, np.ones(3, np.int32), np.ones(3, np.float32)))
    assert items.table[1, COUNT] == 3
    assert seconds(items.table[1:2, FIRST_MS]) == [10]
    assert seconds(items.table[1:2, LAST_MS]) == [30]


def test_a_return_is_an_event_of_what_the_window_holds() -> None:
    items = ItemStatistics()
    assert items.prior() == (1.5, 3)  # as likely as not, where nothing is known
    for events in each([(0, 2, 0), (1, 2, 10), (0, 3, 20), (0, 2, 60), (0, 2, 90)]):
        items.learn(events)
    assert items.table[:4, RETURNS].tolist() == [0, 0, 2, 0]
    pauses = np.log1p([60, 30])  # seconds since the user's last event with it, not since the first
    assert items.pauses[2] == pytest.approx(pauses.mean())
    assert items.prior() == (3 * 3 / 7, 3)


def test_usual_pauses_follow_what_is_usual_now() -> None:
    items = ItemStatistics()
    for events in each([(0, 1, 10 * n) for n in range(30)] + [(0, 1, 290 + 1000 * n) for n in range(1, 31)]):
        items.learn(events)
    late = 1 - 0.9**30  # share of the newest thirty
    assert items.pauses[1] == pytest.approx(late * np.log1p(1000) + (1 - late) * np.log1p(10), rel=1e-3)


def test_a_forgotten_row_starts_again() -> None:
    items = learned()
    items.forget_items(np.array([False, False, True]))
    assert items.table[2].any() == items.pauses[2] == 0
    items.learn(each([(0, 2, 700)])[0])
    assert items.table[2, COUNT] == 1
    assert seconds(items.table[2:3, FIRST_MS]) == seconds(items.table[2:3, LAST_MS]) == [700]


def test_restored_statistics_are_the_same() -> None:
    state = learned().state()
    assert {name: len(array) for name, array in state.items()} == {"table": 5, "pauses": 5, "all": 2}
    items = ItemStatistics()
    items.restore(state)
    for name, array in items.state().items():
        assert (array == state[name]).all()
    assert items.prior() == learned().prior()
