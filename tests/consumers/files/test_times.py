from pathlib import Path

import pyarrow as pa
import pytest

from consumers.files.times import NO_TIME, TimeColumn
from stream.errors import FileFormatError

NOON_MS = 1_772_366_400_000


def column(*cells: object, kind: pa.DataType | None = None) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(cells, kind)])


@pytest.fixture
def times() -> TimeColumn:
    return TimeColumn(Path("events.csv"), "ts")


def test_what_is_no_time_is_left_out_and_counted(times: TimeColumn) -> None:
    found = times.lenient(column("2026-03-01T12:00:00Z", None, "soon", "2026-03-01 12:00", "2026-03-01T13:00:00+01:00"))
    assert found.tolist() == [NOON_MS, NO_TIME, NO_TIME, NOON_MS, NOON_MS]
    assert times.unreadable == 1
    assert times.zones == {"Z": 1, "": 1, "+01:00": 1}
    assert times.unit == ""
    assert (times.unread, times.unzoned) == ([(2, "soon")], [(3, "2026-03-01 12:00")])
    times.lenient(column("later", "2026-03-01T12:00:00Z"))
    assert times.unread[1:] == [(5, "later")]  # rows go on from block to block


def test_numbers_have_a_unit_and_no_zone(times: TimeColumn) -> None:
    assert times.lenient(column("1772366400", None, "1772366401.5", "inf")).tolist() == [
        *(NOON_MS, NO_TIME, NOON_MS + 1_500, NO_TIME),
    ]
    assert (times.unit, times.zones, times.unreadable) == ("seconds", {}, 1)


def test_typed_numbers_may_have_gaps(times: TimeColumn) -> None:
    assert times.lenient(column(NOON_MS, None, kind=pa.int64())).tolist() == [NOON_MS, NO_TIME]
    assert times.lenient(column(None, None, kind=pa.int64())).tolist() == [NO_TIME, NO_TIME]
    assert (times.unit, times.unreadable) == ("milliseconds", 0)


@pytest.mark.parametrize("cell", ["nan", "-inf", "1e30"])
def test_numbers_that_are_no_times_are_one_sentence(times: TimeColumn, cell: str) -> None:
    with pytest.raises(FileFormatError, match=r"Column ts of events\.csv holds .*, which is no time: mend that row\."):
        times.epoch_ms(column("1772366400", cell))
