import numpy as np
import pytest

from models.series import LENGTH, CountSeries
from stream.snapshots import state_hash

HOUR_MS = 3_600_000
START_MS = 24 * HOUR_MS * 7 * 2_900  # a period of every length begins here


def counted(events: list[tuple[int, float]], series: CountSeries | None = None) -> CountSeries:
    """Series that have counted events (item, hours since the start), all in one batch."""
    series = series or CountSeries()
    items = np.array([item for item, _ in events], np.int32)
    times_ms = np.array([START_MS + hours * HOUR_MS for _, hours in events], np.int64)
    for part in series.parts(times_ms):
        if series.advance(int(times_ms[part.start])):
            series.fit(int(times_ms[part.start]))
        series.count(items[part], times_ms[part])
    return series


def newest(series: CountSeries, item: int, places: int) -> list[int]:
    aligned: list[int] = series.aligned(np.array([item], np.int32))[0, :places].tolist()
    return aligned


def test_the_period_that_is_going_on_comes_first() -> None:
    series = counted([(0, 0), (0, 0.5), (1, 1), (0, 3.2)])
    assert newest(series, 0, 5) == [1, 0, 0, 2, 0]
    assert newest(series, 1, 5) == [0, 0, 1, 0, 0]


def test_a_late_event_counts_where_it_belongs_and_time_never_goes_back() -> None:
    series = counted([(0, 5), (0, 3.5), (1, 2), (0, 5)])
    assert newest(series, 0, 4) == [2, 0, 1, 0]
    assert newest(series, 1, 4) == [0, 0, 0, 1]


def test_what_is_older_than_a_series_is_not_counted() -> None:
    series = counted([(0, LENGTH), (0, 0.5), (0, 1)])
    assert newest(series, 0, LENGTH) == [1, *[0] * (LENGTH - 2), 1]


def test_how_a_stream_is_cut_changes_nothing() -> None:
    events = [(item, 0.37 * n) for n, item in enumerate([0, 1, 2, 1, 0, 3] * 40)]
    one, other = counted(events), CountSeries()
    for start in range(0, len(events), 7):
        counted(events[start : start + 7], other)
    assert state_hash(one.state()) == state_hash(other.state())


def test_too_few_events_make_periods_longer_and_their_counts_are_added_up() -> None:
    hourly = [(0, float(hour)) for hour in range(LENGTH)]
    series = counted(hourly)
    assert (series.period_ms, series.season) == (HOUR_MS, 24)
    counted([(0, float(LENGTH))], series)  # now as many periods have ended as are judged by
    assert (series.period_ms, series.season) == (4 * HOUR_MS, 6)
    # Hours 0 to 26 by fours, the newest first: 24 to 26, 20 to 23, ..., 0 to 3.
    assert newest(series, 0, 9) == [3, 4, 4, 4, 4, 4, 4, 0, 0]


def test_enough_events_keep_the_periods_and_plenty_make_them_shorter_again() -> None:
    busy = [(0, hour + n / 40) for hour in range(2 * LENGTH) for n in range(40)]
    assert counted(busy).period_ms == HOUR_MS
    series = counted([(0, float(hour)) for hour in range(LENGTH + 1)])
    assert series.period_ms == 4 * HOUR_MS
    counted([(0, 28 + hour + n / 200) for hour in range(4 * LENGTH + 8) for n in range(200)], series)
    assert series.period_ms == HOUR_MS
    assert newest(series, 0, 4) == [200, 200, 200, 200]


def test_the_most_active_are_found_by_fading_sums() -> None:
    series = counted([(0, 0), (0, 0), (0, 0), (1, 2), (1, 2), (2, 2)])
    fading = np.exp2(-np.arange(LENGTH, dtype=np.float64))
    assert series.most_active(2, fading).tolist() == [1, 2]  # 2 and 1 against 3/4
    assert series.most_active(9, fading).tolist() == [1, 2, 0]


def test_forgotten_rows_count_from_nothing_and_the_rest_stays() -> None:
    series = counted([(0, 0), (1, 0), (1, 1)])
    series.forget(np.array([True]))
    assert newest(series, 0, 3) == [0, 0, 0]
    assert newest(series, 1, 3) == [1, 1, 0]
    series.forget(np.array([True, True]))
    assert series.period is None


def test_a_restored_one_goes_on_alike() -> None:
    first = counted([(n % 5, 0.9 * n) for n in range(70)])
    second = CountSeries()
    second.restore(first.state())
    for series in (first, second):
        counted([(n % 7, 63 + 0.9 * n) for n in range(70)], series)
    assert state_hash(first.state()) == state_hash(second.state())


def test_a_count_stays_at_the_most_it_can_be() -> None:
    series = CountSeries()
    many = np.zeros(70_000, np.int32)
    times_ms = np.full(70_000, START_MS)
    series.advance(START_MS)
    series.count(many, times_ms)
    assert newest(series, 0, 2) == [65_535, 0]


@pytest.mark.parametrize("rows", [10, 1_000])
def test_bytes_of_an_item(rows: int) -> None:
    series = counted([(item, 0) for item in range(rows)])
    state = series.state()
    assert state["counts"].nbytes + state["periods"].nbytes == 60 * rows
