import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consumers.files.reading import EventBatch, EventFile, by_time, parse_columns
from stream.errors import FileFormatError
from stream.events import Decoder, Interaction
from stream.fields import FieldMap
from stream.log import Record


def csv(folder: Path, *lines: str) -> Path:
    path = folder / "events.csv"
    path.write_text("".join(line + "\n" for line in lines))
    return path


def only(path: Path, **options: Any) -> EventBatch:
    (batch,) = EventFile(path, **options)
    return batch


def test_columns_are_recognised_by_their_names(tmp_path: Path) -> None:
    path = csv(tmp_path, "Visitor_ID,movieId,timestamp,Rating,event,session-id,messageId", "u1,i1,1,4.5,view,s1,e1")
    batch = only(path)

    assert (batch.users, batch.items, batch.times_ms.tolist()) == (["u1"], ["i1"], [1000])
    assert (batch.values, batch.types, batch.sessions, batch.ids) == ([4.5], ["view"], ["s1"], ["e1"])


def test_columns_that_the_caller_names_win(tmp_path: Path) -> None:
    path = csv(tmp_path, "user,item,track,ts", "u1,album,song,1")

    assert only(path, columns={"item": "track"}).items == ["song"]


def test_absent_columns_are_none_and_empty_cells_too(tmp_path: Path) -> None:
    batch = only(csv(tmp_path, "user,item,ts,rating", "u1,i1,1,", "u1,i1,1,2"))

    assert batch.values == [None, 2.0]
    assert batch.types is None


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1767225600", 1_767_225_600_000),
        ("1767225600.25", 1_767_225_600_250),
        ("1767225600250", 1_767_225_600_250),
        ("1767225600250999", 1_767_225_600_250),
        ("1767225600250999999", 1_767_225_600_250),
        ("2026-01-01T00:00:00.250Z", 1_767_225_600_250),
        ("2026-01-01T01:00:00+01:00", 1_767_225_600_000),
        ("2026-01-01 00:00:00", 1_767_225_600_000),
        ("2026-01-01", 1_767_225_600_000),
    ],
)
def test_times_are_recognised(tmp_path: Path, text: str, ms: int) -> None:
    assert only(csv(tmp_path, "user,item,ts", f"u,i,{text}")).times_ms.tolist() == [ms]


def test_the_first_row_tells_the_unit_of_all(tmp_path: Path) -> None:
    batch = only(csv(tmp_path, "user,item,ts", "u,i,1767225600250", "u,i,7"))

    assert batch.times_ms.tolist() == [1_767_225_600_250, 7]


@pytest.mark.parametrize(
    ("values", "ms"),
    [
        ([datetime(2026, 1, 1, 0, 0, 0, 250_999)], 1_767_225_600_250),  # noqa: DTZ001  # tables are often without zone
        ([date(2026, 1, 1)], 1_767_225_600_000),
        ([1_767_225_600], 1_767_225_600_000),
    ],
)
def test_typed_times_of_parquet(tmp_path: Path, values: list[object], ms: int) -> None:
    path = tmp_path / "events.parquet"
    pq.write_table(pa.table({"user": [7], "item": [8.0], "time": values}), path)
    batch = only(path)

    assert batch.times_ms.tolist() == [ms]
    assert (batch.users, batch.items) == (["7"], ["8"])


def test_limit_stops_and_fraction_follows(tmp_path: Path) -> None:
    path = csv(tmp_path, "user,item,ts", *(f"u{n},i,{n}" for n in range(20_000)))
    file = EventFile(path, limit=10_000)
    progress = [(len(batch), batch.rows[0], file.fraction) for batch in file]

    assert [size for size, _, _ in progress] == [8_192, 1_808]
    assert [row for _, row, _ in progress] == [0, 8_192]
    assert progress[-1][2] == 1.0
    assert sum(len(batch) for batch in EventFile(path)) == 20_000


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (("who,item,ts",), r"No column of .* is known to be the user, its columns are who, item, ts: name it with"),
        ((), r"is empty: give it a line of column names"),
        (("user,item,ts,item", "u,i,1,j"), r"has 2 columns item, and only one can be the item: rename the others"),
        (("user,item,ts", "u,i,1", "u,,2"), r"Row 2 of .*events\.csv has no item"),
        (("user,item,ts", "u,i,soon"), r"Column ts of .* is no time"),
        (("user,item,ts", "u,i,1e30"), r"Column ts of .* begins with 1e\+30"),
        (("user,item,ts,rating", "u,i,1,good"), r"Column rating of .* holds values that are no numbers"),
    ],
)
def test_what_is_no_event_is_one_sentence(tmp_path: Path, lines: tuple[str, ...], words: str) -> None:
    path = csv(tmp_path, *lines)

    with pytest.raises(FileFormatError, match=words):
        list(EventFile(path))


@pytest.mark.parametrize(
    ("name", "column", "words"),
    [
        ("user", pa.array([[1]]), r"Column user of .* holds values of type list<.*> that cannot become text"),
        ("item", pa.array([{"a": 1}]), r"type struct<.*> that cannot become text: .* --columns item=NAME\.$"),
        ("session", pa.array([[1]]), r"Column session of .* cannot become text"),
        ("item", pa.array([b"\xff"]), r"type binary that cannot become text"),
        ("rating", pa.array([[1.0]]), r"Column rating of .* holds values that are no numbers"),
        ("time", pa.array([[1]]), r"Column time of .* is no time"),
    ],
)
def test_columns_of_other_types_are_one_sentence(tmp_path: Path, name: str, column: pa.Array, words: str) -> None:
    path = tmp_path / "events.parquet"
    pq.write_table(pa.table({"user": ["u"], "item": ["i"], "time": [1]} | {name: column}), path)

    with pytest.raises(FileFormatError, match=words) as caught:
        list(EventFile(path))
    assert "\n" not in str(caught.value)


def test_a_chosen_column_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"has no column uid for the user: its columns are user, item, ts"):
        EventFile(csv(tmp_path, "user,item,ts"), columns={"user": "uid"})


def test_column_choices_are_parsed() -> None:
    assert parse_columns("user=uid,item=track") == {"user": "uid", "item": "track"}
    assert parse_columns("") == {}
    for wrong in ("user", "user=", "who=uid"):
        with pytest.raises(FileFormatError, match=r"are not understood: write user=NAME"):
            parse_columns(wrong)


def test_messages_carry_what_is_known(tmp_path: Path) -> None:
    batch = only(csv(tmp_path, "user,item,ts,rating,event,session", "u,é,1,4.5,view,s", "u,j,2,,,"))

    assert [json.loads(message) for message in batch.messages(FieldMap(), source="a.csv")] == [
        {
            "event_id": "a.csv:0",
            "user_id": "u",
            "item_id": "é",
            "event_type": "view",
            "event_time": 1000,
            "session_id": "s",
            "value": 4.5,
        },
        {"event_id": "a.csv:1", "user_id": "u", "item_id": "j", "event_time": 2000},
    ]
    assert "event_id" not in json.loads(batch.messages(FieldMap())[0])


def test_messages_are_what_the_decoder_reads(tmp_path: Path) -> None:
    batch = only(csv(tmp_path, "user,item,ts,rating,event", "u,i,1767225600,4.5,view"))
    names = FieldMap(user_id="who.id", item_id="who.what", event_time="at", value="", event_id="nr")
    record = Record("interactions", 0, 0, 1_767_225_600_000, b"u", batch.messages(names, source="a.csv")[0])

    assert Decoder(names).decode(record).events == (Interaction("a.csv:0", "u", "i", 1_767_225_600_000, "view"),)


def test_ids_of_the_file_are_kept(tmp_path: Path) -> None:
    batch = only(csv(tmp_path, "user,item,ts,event_id", "u,i,1,mine"))

    assert json.loads(batch.messages(FieldMap(), source="events.csv")[0])["event_id"] == "mine"


def test_sorting_keeps_ties_in_file_order(tmp_path: Path) -> None:
    path = csv(tmp_path, "user,item,ts,rating", "a,1,30,1", "b,2,10,2", "c,3,10,3", "d,4,20,4")
    (batch,) = by_time(EventFile(path))

    assert batch.users == ["b", "c", "d", "a"]
    assert batch.rows.tolist() == [1, 2, 3, 0]
    assert batch.values == [2.0, 3.0, 4.0, 1.0]
    assert np.all(np.diff(batch.times_ms) >= 0)
    assert list(by_time([])) == []
