"""File formats: CSV, JSON lines and Parquet as a stream of Arrow tables.

Told by the name: ``.csv``, ``.tsv``, ``.jsonl``, ``.ndjson``, each also with ``.gz``, and ``.parquet``. A file is read
block by block, never as a whole, and its order is kept. Cells of text formats stay text: what they mean is for `files`
to say.
"""

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

from stream.errors import FileFormatError

_ROWS = 8_192
_TEXT_BYTES = 2**20  # of CSV that is read at once
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_UNREADABLE = (
    pa.ArrowException,
    OSError,
    EOFError,
    UnicodeDecodeError,
    csv.Error,
    zlib.error,
    msgspec.MsgspecError,
)


class Block(NamedTuple):
    """Consecutive rows, and how much of the file has been read with them, from 0 to 1."""

    table: pa.Table
    fraction: float


def column_names(path: Path) -> list[str]:
    """Names of the columns; for JSON lines the fields of the first line.

    Raises
    ------
    FileFormatError
        For a missing or unreadable file, and for an unknown format.
    """
    reader = _reader(path)
    try:
        if reader is _read_parquet:
            return [str(name) for name in pq.read_schema(path).names]
        with path.open("rb") as raw, io.TextIOWrapper(_unpacked(path, raw), "utf-8-sig", newline="") as text:
            if reader is _read_csv:
                return next(csv.reader(text, delimiter=_DELIMITERS[_suffix(path)]), [])
            return list(msgspec.json.decode(text.readline() or "{}", type=dict[str, object]))
    except _UNREADABLE as error:
        message = f"{path} cannot be read ({error}): check that it is what its name says."
        raise FileFormatError(message) from error


def read_blocks(path: Path, columns: Sequence[str]) -> Iterator[Block]:
    """Read `columns` of the file block by block; FileFormatError where it cannot be read."""
    rows, reader = 0, _reader(path)
    try:
        for block in reader(path, columns):
            yield block
            rows += len(block.table)
    except _UNREADABLE as error:
        message = f"{path} cannot be read {_EXTENTS[reader]} row {rows + 1:,} ({error}): mend that place."
        raise FileFormatError(message) from error


def _read_csv(path: Path, columns: Sequence[str]) -> Iterator[Block]:
    size = max(path.stat().st_size, 1)
    with path.open("rb") as raw:
        tables = pcsv.open_csv(
            _unpacked(path, raw),
            read_options=pcsv.ReadOptions(block_size=_TEXT_BYTES),
            parse_options=pcsv.ParseOptions(delimiter=_DELIMITERS[_suffix(path)], newlines_in_values=True),
            convert_options=pcsv.ConvertOptions(
                include_columns=list(columns),
                column_types={name: pa.string() for name in columns},  # ids such as 007 are not numbers
                null_values=[""],
                strings_can_be_null=True,
            ),
        )
        for batch in tables:
            yield Block(pa.Table.from_batches([batch]), raw.tell() / size)


def _read_json_lines(path: Path, columns: Sequence[str]) -> Iterator[Block]:
    size = max(path.stat().st_size, 1)
    decode = msgspec.json.Decoder(dict[str, object]).decode
    with path.open("rb") as raw:

        def block() -> Block:
            table = pa.table({name: pa.array([_cell(row.get(name)) for row in rows], pa.string()) for name in columns})
            return Block(table, raw.tell() / size)

        rows: list[dict[str, object]] = []
        try:
            for line in _unpacked(path, raw):
                if len(rows) == _ROWS:
                    yield block()
                    rows = []
                if not line.isspace():
                    rows.append(decode(line))
        except _UNREADABLE:
            yield block()  # so that the row named is the bad one
            raise
        if rows:
            yield block()


def _read_parquet(path: Path, columns: Sequence[str]) -> Iterator[Block]:
    with pq.ParquetFile(path) as file:
        rows = 0
        for batch in file.iter_batches(_ROWS, columns=list(columns)):
            rows += len(batch)
            yield Block(pa.Table.from_batches([batch]), rows / max(file.metadata.num_rows, 1))


def _cell(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else msgspec.json.encode(value).decode()


def _unpacked(path: Path, raw: IO[bytes]) -> IO[bytes]:
    return gzip.GzipFile(fileobj=raw) if path.suffix.lower() == ".gz" else raw  # type: ignore[return-value]  # quacks


def _suffix(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes[-1:] == [".gz"]:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


_Reader = Callable[[Path, Sequence[str]], Iterator[Block]]
_READERS: dict[str, _Reader] = {
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".parquet": _read_parquet,
}

# Where the fault is, seen from the last row that was given out: JSON lines are given out up to it.
_EXTENTS: dict[_Reader, str] = {
    _read_csv: f"within about {_TEXT_BYTES // 2**20} MiB of text from",
    _read_json_lines: "at",
    _read_parquet: f"within {_ROWS:,} rows from",
}


def _reader(path: Path) -> _Reader:
    if path.is_dir():
        message = f"{path} is a folder: name one of the files in it."
        raise FileFormatError(message)
    if not path.is_file():
        message = f"The file {path} does not exist: check the path."
        raise FileFormatError(message)
    reader = _READERS.get(_suffix(path))
    if reader is None:
        message = f"The format of {path} is not known: it must be {', '.join(_READERS)} (text may be .gz)."
        raise FileFormatError(message)
    return reader
