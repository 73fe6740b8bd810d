"""Times as files write them: numbers of some unit since 1970, or text with or without a zone.

A number is of seconds, milliseconds, microseconds or nanoseconds, whichever puts the first row between 1973 and 5138;
what the first row says holds for the whole file. Text without a zone is taken as UTC.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stream.errors import FileFormatError

NO_TIME = -(2**63)
"""What stands for a time that is missing or is none, where that is let through."""

UNITS = {0.001: "seconds", 1: "milliseconds", 1_000: "microseconds", 1_000_000: "nanoseconds"}
"""Name by how many make a millisecond."""

_EARLIEST = 10**11  # as milliseconds 1973-03-03, as seconds the year 5138
_LATEST = 2.0**62  # of what is counted in milliseconds or less
_EXAMPLES = 3
_ZONE = r"\d(?P<zone>[Zz]|[+-]\d\d:?\d\d)$"


class TimeColumn:
    """Turns one column of a file, block by block, into epoch milliseconds.

    Attributes
    ----------
    unit
        What the numbers count; empty where there are none.
    zones
        How many texts have which zone, as it is written; ``""`` for none. Counted by `lenient` only.
    unreadable
        How many texts `lenient` could not read.
    unread, unzoned
        The first few of these, and of the texts without a zone: row from 0 on, and text.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.unit = ""
        self.zones: Counter[str] = Counter()
        self.unreadable = 0
        self.unread: list[tuple[int, str]] = []
        self.unzoned: list[tuple[int, str]] = []
        self._rows = 0
        self._where = f"Column {name} of {path}"
        self._per_ms: int | float | None = None

    def epoch_ms(self, column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
        """(B,) times of `column`; FileFormatError where it is neither numbers nor times."""
        numbers = column
        if _is_text(column):
            numbers = first_cast(column, (pa.int64(), pa.float64(), pa.timestamp("ns", "UTC"), pa.timestamp("ns")))
        elif pa.types.is_date(column.type):
            numbers = pc.cast(column, pa.timestamp("ms"))
        kind = numbers.type if numbers is not None else pa.null()
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_timestamp(kind)):
            message = f"{self._where} is no time: use epoch numbers or text such as 2026-03-01T12:00:00Z."
            raise FileFormatError(message)
        if pa.types.is_timestamp(kind):
            return np.asarray(pc.cast(numbers, pa.timestamp("ms"), safe=False).cast(pa.int64()).to_numpy())
        values = np.asarray(numbers.to_numpy())
        if self._per_ms is None:
            self._per_ms = self._unit(float(values[0]))
            self.unit = UNITS[self._per_ms]
        fits = np.abs(values) < _LATEST * min(self._per_ms, 1)
        if not fits.all():  # no number, or infinite
            message = f"{self._where} holds {values[~fits][0]:g}, which is no time: mend that row."
            raise FileFormatError(message)
        if self._per_ms < 1:
            return np.round(values * round(1 / self._per_ms)).astype(np.int64)
        return (values // self._per_ms).astype(np.int64)

    def lenient(self, column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
        """(B,) times of `column`, NO_TIME where there is none."""
        there = column.is_valid().combine_chunks()
        given = column.filter(there)
        times = np.full(len(column), NO_TIME, np.int64)
        places = np.flatnonzero(there.to_numpy(zero_copy_only=False))
        if len(places):
            try:
                times[places] = self.epoch_ms(given)
            except FileFormatError:
                times[places] = [self._one(given.slice(n, 1)) for n in range(len(given))]
            self._notice(given, self._rows + places, times[places] != NO_TIME)
        self._rows += len(column)
        return times

    def _notice(self, given: pa.ChunkedArray, rows: npt.NDArray[np.int64], read: npt.NDArray[np.bool_]) -> None:
        """Count what could not be read, and zones; of all that is a time, dates have a dash, and numbers have none."""
        self.unreadable += int((~read).sum())
        _remember(self.unread, given, rows, ~read)
        if _is_text(given):
            dated = read & np.asarray(pc.match_substring(given, "-"))
            zones = pc.fill_null(pc.struct_field(pc.extract_regex(given, _ZONE), "zone"), "")
            counts = pc.value_counts(zones.filter(pa.array(dated))).to_pylist()
            self.zones.update({pair["values"]: pair["counts"] for pair in counts})
            _remember(self.unzoned, given, rows, dated & np.asarray(pc.equal(zones, "")))

    def _one(self, cell: pa.ChunkedArray) -> int:
        try:
            return int(self.epoch_ms(cell)[0])
        except FileFormatError:
            return NO_TIME

    def _unit(self, first: float) -> int | float:
        for per_ms in UNITS:
            if abs(first) < _EARLIEST * 1000 * per_ms:
                return per_ms
        message = f"{self._where} begins with {first:g}, which is no time since 1970 in seconds or a fraction of them."
        raise FileFormatError(message)


def first_cast(column: pa.ChunkedArray, kinds: Sequence[pa.DataType]) -> pa.ChunkedArray | None:
    """Cast to the first of `kinds` that the column can be cast to; None where there is none."""
    for kind in kinds:
        try:
            return pc.cast(column, kind)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            continue
    return None


def _is_text(column: pa.ChunkedArray) -> bool:
    return bool(pa.types.is_string(column.type) or pa.types.is_large_string(column.type))


def _remember(
    examples: list[tuple[int, str]],
    cells: pa.ChunkedArray,
    rows: npt.NDArray[np.int64],
    mask: npt.NDArray[np.bool_],
) -> None:
    for place in np.flatnonzero(mask)[: _EXAMPLES - len(examples)].tolist():
        examples.append((int(rows[place]), str(cells[place].as_py())))
