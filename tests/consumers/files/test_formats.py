import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consumers.files.formats import column_names, read_blocks
from stream.errors import FileFormatError

ROWS = [("007", "i1", "10"), ("8", "i2", "11"), ("9", "i3", "12")]


def write(path: Path) -> Path:
    if path.name.endswith(".parquet"):
        pq.write_table(pa.table(dict(zip(("user", "item", "ts"), zip(*ROWS, strict=True), strict=True))), path)
        return path
    if ".jsonl" in path.name:
        lines = [f'{{"user":"{user}","item":"{item}","ts":{ts}}}' for user, item, ts in ROWS]
    else:
        separator = "\t" if ".tsv" in path.name else ","
        lines = [separator.join(row) for row in [("user", "item", "ts"), *ROWS]]
    data = ("\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.csv.gz", "A.CSV.gz", "a.b.jsonl.gz", "a.parquet"])
def test_each_format_gives_the_same_columns_in_file_order(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name)
    blocks = list(read_blocks(path, ["ts", "user"]))

    assert column_names(path) == ["user", "item", "ts"]
    assert [row for block in blocks for row in block.table.to_pylist()] == [
        {"ts": ts, "user": user} for user, _, ts in ROWS
    ]
    assert blocks[-1].fraction == 1.0


def test_quoted_cells_keep_delimiters_and_newlines(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'\xef\xbb\xbf"user id",item\r\n"a,\nb",x\r\n')

    assert column_names(path) == ["user id", "item"]
    assert next(read_blocks(path, ["user id"])).table.to_pylist() == [{"user id": "a,\nb"}]


def test_empty_cells_and_missing_fields_are_null(tmp_path: Path) -> None:
    table, lines = tmp_path / "a.csv", tmp_path / "a.jsonl"
    table.write_text('user,item\n,""\n')
    lines.write_text('{"user":1,"item":"x"}\n\n{"user":2}\n')

    assert next(read_blocks(table, ["user", "item"])).table.to_pylist() == [{"user": None, "item": None}]
    assert next(read_blocks(lines, ["user", "item"])).table.to_pylist() == [
        {"user": "1", "item": "x"},
        {"user": "2", "item": None},
    ]


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.xls", b"", r"The format of .*a\.xls is not known"),
        ("a", b"", r"The format of .* is not known"),
        ("a.csv.gz", b"user,item\n", r"Not a gzipped file"),
        ("a.parquet", b"user,item\n", r"cannot be read"),
        ("a.jsonl", b"[1]\n", r"cannot be read"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_one_sentence(
    tmp_path: Path, name: str, data: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(data)

    with pytest.raises(FileFormatError, match=words):
        column_names(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "data", "place"),
    [
        ("a.csv", b"user,item\n1,2\n1,2,3\n", "within about 1 MiB of text from row 1"),
        ("a.csv", b"user,item\n1,\xff\xfe\n", "within about 1 MiB of text from row 1"),
        ("a.csv", b"user,item\n" + b"1,2345678\n" * 2**20 + b"1,2,3\n", r"from row 1,04\d,\d\d\d"),
        ("a.csv.gz", gzip.compress(b"user,item\n1,2\n")[:-10], "within about 1 MiB of text from row 1"),
        ("a.jsonl", b'{"user":1,"item":2}\n\n{"user":1,\n', "at row 2"),
        ("a.jsonl", b"{}\n" * 10_000 + b"[]\n", "at row 10,001"),
        ("a.jsonl", b"{}\n" * 8_192 + b"[]\n", "at row 8,193"),
    ],
)
def test_damage_inside_is_found_while_reading_and_its_place_named(
    tmp_path: Path, name: str, data: bytes, place: str
) -> None:
    path = tmp_path / name
    path.write_bytes(data)

    with pytest.raises(FileFormatError, match=rf"cannot be read .*{place} \("):
        list(read_blocks(path, ["user", "item"]))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"nowhere\.csv does not exist: check the path"):
        column_names(tmp_path / "nowhere.csv")


def test_damage_in_parquet_is_named_by_its_block(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"user": [str(n) for n in range(10_000)]}), path, row_group_size=8_192, compression="none")
    second = pq.read_metadata(path).row_group(1).column(0)
    data = bytearray(path.read_bytes())
    start = second.dictionary_page_offset
    data[start : start + second.total_compressed_size] = b"\xff" * second.total_compressed_size
    path.write_bytes(data)

    with pytest.raises(FileFormatError, match=r"cannot be read within 8,192 rows from row 8,193 \("):
        list(read_blocks(path, ["user"]))


def test_many_blank_lines_do_not_end_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"user":1}\n' + b"\n" * 20_000 + b'{"user":2}\n')

    assert [row for block in read_blocks(path, ["user"]) for row in block.table.to_pylist()] == [
        {"user": "1"},
        {"user": "2"},
    ]


def test_a_folder_is_called_one(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"is a folder: name one of the files in it"):
        column_names(tmp_path)
