"""Event files as batches of columns, read in file order without holding the file in memory.

Columns are recognised by their names (`KNOWN_NAMES`, compared without case, ``_`` and ``-``), or named by the caller.
Ids are text, as the file writes them. A time is a number since 1970 or text such as ``2026-03-01T12:00:00.250Z``:
`times` says how it is read.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from consumers.files.formats import column_names, read_blocks
from consumers.files.times import NO_TIME, TimeColumn, first_cast
from stream.errors import FileFormatError
from stream.fields import FieldMap

KNOWN_NAMES = {
    "user": ("userid", "user", "uid", "visitorid", "customerid", "memberid", "userpseudoid", "anonymousid"),
    "item": (
        *("itemid", "item", "iid", "movieid", "productid", "trackid", "track", "songid", "song", "articleid", "newsid"),
        *("videoid", "venueid", "poiid", "businessid", "bookid", "hotelid", "postid", "assetid", "asin", "sku"),
    ),
    "time": ("eventtime", "timestamp", "ts", "time", "eventtimestamp", "unixtime", "datetime", "date", "createdat"),
    "value": ("rating", "value", "score", "stars"),
    "event": ("eventtype", "event", "eventname", "action", "actiontype", "behavior"),
    "session": ("sessionid", "session"),
    "id": ("eventid", "messageid"),
}
"""For each role the column names that mean it; the first one that the file has is taken."""

_REQUIRED = ("user", "item", "time")
_ROWS = 8_192


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Consecutive events of a stream as columns of equal length; a column that the stream lacks is None.

    `rows` are positions in the stream, from 0. Of a file that is read leniently cells may be missing: None among users
    and items, NO_TIME among the times, text that is no number among the values.
    """

    rows: npt.NDArray[np.int64]
    users: list[str]
    items: list[str]
    times_ms: npt.NDArray[np.int64]
    values: list[float | None] | None = None
    types: list[str | None] | None = None
    sessions: list[str | None] | None = None
    ids: list[str | None] | None = None

    def __len__(self) -> int:
        return len(self.users)

    def take(self, order: npt.NDArray[np.intp]) -> Self:
        """Return the events at the positions `order`, in that order."""

        def pick(column: list[Any] | None) -> list[Any] | None:
            return None if column is None else [column[i] for i in order]

        return type(self)(
            self.rows[order],
            [self.users[i] for i in order],
            [self.items[i] for i in order],
            self.times_ms[order],
            *(pick(column) for column in (self.values, self.types, self.sessions, self.ids)),
        )

    def messages(self, names: FieldMap, source: str | None = None) -> list[bytes]:
        """Encode each event as the JSON of an interaction, its fields where `names` says.

        Without a column of ids an event gets the id ``<source>:<row>``, or none where `source` is None; then the log's
        offset will be its identity. `session_id` is for other readers of the topic.
        """
        ids = [f"{source}:{row}" for row in self.rows] if self.ids is None and source is not None else self.ids
        columns: dict[str, Sequence[Any] | None] = {
            names.event_id: ids,
            names.user_id: self.users,
            names.item_id: self.items,
            names.event_type: self.types,
            names.event_time: [None if time_ms == NO_TIME else time_ms for time_ms in self.times_ms.tolist()],
            "session_id": self.sessions,
            names.value: self.values,
        }
        present = {name: column for name, column in columns.items() if name and column is not None}
        encode = msgspec.json.Encoder().encode
        return [encode(_tree(present, cells)) for cells in zip(*present.values(), strict=True)]


class EventFile:
    """One file of events; each iteration reads it from the start.

    Parameters
    ----------
    path
        The file; its name tells the format.
    columns
        Names of columns by role, a key of `KNOWN_NAMES`; roles that are left out are recognised.
    limit
        Read at most so many events.
    lenient
        Whether rows that are no events are let through, with gaps, for whoever counts them.

    Attributes
    ----------
    times
        How the times of the running iteration, or of the last one, were read.

    Raises
    ------
    FileFormatError
        At once for a missing file, an unknown format or a missing column; while reading for a row that is no event.
    """

    def __init__(
        self, path: Path, columns: dict[str, str] | None = None, limit: int | None = None, *, lenient: bool = False
    ) -> None:
        self.path = path
        self.columns = _resolve(path, column_names(path), columns or {})
        self.times = TimeColumn(path, self.columns["time"])
        self._limit = limit
        self._lenient = lenient
        self._rows = 0
        self._fraction = 0.0

    @property
    def fraction(self) -> float:
        """How much of the running iteration is done, from 0 to 1, by bytes of the file or by the limit."""
        return max(self._fraction, self._rows / self._limit) if self._limit else self._fraction

    def __iter__(self) -> Iterator[EventBatch]:
        self._rows, self._fraction, self.times = 0, 0.0, TimeColumn(self.path, self.columns["time"])
        for table, fraction in read_blocks(self.path, list(dict.fromkeys(self.columns.values()))):
            for start in range(0, len(table), _ROWS):
                rest = _ROWS if self._limit is None else min(_ROWS, self._limit - self._rows)
                if rest <= 0:
                    return
                batch = self._batch(table.slice(start, rest))
                self._rows += len(batch)
                self._fraction = fraction
                yield batch

    def _batch(self, table: pa.Table) -> EventBatch:
        for role in _REQUIRED:
            column = table.column(self.columns[role])
            if column.null_count and not self._lenient:
                row = self._rows + column.is_null().to_pylist().index(True) + 1
                message = f"Row {row} of {self.path} has no {self.columns[role]}: fill it in or leave the row out."
                raise FileFormatError(message)
        return EventBatch(
            rows=np.arange(self._rows, self._rows + len(table)),
            users=self._texts(table, "user"),
            items=self._texts(table, "item"),
            times_ms=(self.times.lenient if self._lenient else self.times.epoch_ms)(table.column(self.columns["time"])),
            values=self._optional(table, "value"),
            types=self._optional(table, "event"),
            sessions=self._optional(table, "session"),
            ids=self._optional(table, "id"),
        )

    def _optional(self, table: pa.Table, role: str) -> list[Any] | None:
        if role not in self.columns:
            return None
        if role != "value":
            return self._texts(table, role)
        try:
            return list(pc.cast(table.column(self.columns[role]), pa.float64()).to_pylist())
        except pa.ArrowException as error:
            if self._lenient:
                return [_number(cell) for cell in self._texts(table, role)]
            message = f"Column {self.columns[role]} of {self.path} holds values that are no numbers: {error}."
            raise FileFormatError(message) from error

    def _texts(self, table: pa.Table, role: str) -> list[Any]:
        column = table.column(self.columns[role])
        if pa.types.is_floating(column.type) and column.null_count < len(column):
            column = first_cast(column, (pa.int64(),)) or column  # ids that a table with gaps turned into floats
        try:
            return list(pc.cast(column, pa.string()).to_pylist())
        except pa.ArrowException as error:
            message = (
                f"Column {self.columns[role]} of {self.path} holds values of type {column.type} that cannot become "
                f"text: write them as text, or name another column with --columns {role}=NAME."
            )
            raise FileFormatError(message) from error


def parse_columns(text: str) -> dict[str, str]:
    """Read ``user=uid,item=track`` as names of columns by role; FileFormatError where it is anything else."""
    columns = dict(part.partition("=")[::2] for part in text.split(",") if part)
    if all(role in KNOWN_NAMES and name for role, name in columns.items()):
        return columns
    message = f"The columns {text!r} are not understood: write user=NAME,item=NAME,... with {', '.join(KNOWN_NAMES)}."
    raise FileFormatError(message)


def by_time(batches: Iterable[EventBatch]) -> Iterator[EventBatch]:
    """Sort a whole stream by event time, ties in file order; holds all of it in memory."""
    parts = list(batches)
    if not parts:
        return
    optional = (
        None if getattr(parts[0], name) is None else [cell for part in parts for cell in getattr(part, name)]
        for name in ("values", "types", "sessions", "ids")
    )
    whole = EventBatch(
        np.concatenate([part.rows for part in parts]),
        [user for part in parts for user in part.users],
        [item for part in parts for item in part.items],
        np.concatenate([part.times_ms for part in parts]),
        *optional,
    )
    order = np.argsort(whole.times_ms, kind="stable")
    for start in range(0, len(order), _ROWS):
        yield whole.take(order[start : start + _ROWS])


def _resolve(path: Path, names: Sequence[str], chosen: dict[str, str]) -> dict[str, str]:
    """Column name by role: what the caller chose, else what is recognised."""
    plain = {name.lower().replace("_", "").replace("-", "").strip(): name for name in reversed(names)}
    recognised = {
        role: next((plain[known] for known in known_names if known in plain), None)
        for role, known_names in KNOWN_NAMES.items()
    }
    columns = {role: name for role, name in (recognised | chosen).items() if name is not None}
    for role, name in chosen.items():
        if name not in names:
            message = f"{path} has no column {name} for the {role}: its columns are {', '.join(names)}."
            raise FileFormatError(message)
    if not names:
        message = f"{path} is empty: give it a line of column names, or events."
        raise FileFormatError(message)
    for role, name in columns.items():
        count = names.count(name)
        if count > 1:
            message = f"{path} has {count} columns {name}, and only one can be the {role}: rename the others."
            raise FileFormatError(message)
    for role in _REQUIRED:
        if role not in columns:
            found = ", ".join(names)
            message = (
                f"No column of {path} is known to be the {role}, its columns are {found}: name it with "
                f"--columns {role}=NAME."
            )
            raise FileFormatError(message)
    return columns


def _number(text: str | None) -> float | str | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return text


def _tree(paths: Iterable[str], cells: Iterable[Any]) -> dict[str, Any]:
    """Put each cell that is not None at its path, such as ``properties.item``."""
    root: dict[str, Any] = {}
    for path, cell in zip(paths, cells, strict=True):
        if cell is None:
            continue
        *parents, leaf = path.split(".")
        branch = root
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[leaf] = cell
    return root
