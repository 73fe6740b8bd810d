import re
from pathlib import Path

import msgspec
import pytest

from consumers.files.inspection import EXAMPLES, Finding, Inspection, inspect
from consumers.files.reading import EventFile
from consumers.files.suspects import FAR_BEYOND, FEWEST_EVENTS, FEWEST_GAPS, RATE
from consumers.settings import Settings
from models.network.config import NetworkConfig
from tests.consumers.stream import NOON, settings

HEADER = "user,item,ts,event,event_id"


def inspected(folder: Path, *lines: str, header: str = HEADER, given: Settings | None = None) -> Inspection:
    path = folder / "events.csv"
    path.write_text("\n".join((header, *lines)) + "\n")
    return inspect(given or settings(), EventFile(path, lenient=True), now_ms=NOON)


def found(inspection: Inspection, group: str) -> dict[str, Finding]:
    return {one.name: one for one in inspection.findings if one.group == group}


def rows(finding: Finding) -> list[int]:
    return [example.row for example in finding.examples]


def test_what_would_be_dropped_is_told_by_reason_and_row(tmp_path: Path) -> None:
    inspection = inspected(
        tmp_path,
        "u1,a,2026-03-01T11:00:00Z,view,e1",
        "u1,a,2026-03-01T11:00:00Z,view,e1",
        ",b,2026-03-01T11:01:00Z,view,e2",
        "u2,,2026-03-01T11:01:00Z,view,e3",
        "u2,b,,view,e4",
        "u2,b,soon,view,e5",
        "u2,b,2026-03-01T12:06:00Z,view,e6",
        "u2,b,1969-03-01T12:06:00Z,view,e7",
        f"{'u' * 513},b,2026-03-01T11:01:00Z,view,e8",
        "u2,b,2026-03-01T11:02:00Z,view,e9",
    )
    dropped = found(inspection, "dropped")
    assert {name: rows(one) for name, one in dropped.items()} == {
        **{"missing_field": [3, 4, 5], "duplicate": [2], "future_time": [7], "impossible_time": [8], "bad_id": [9]},
    }
    assert dropped["missing_field"].events == 4
    (unreadable,) = found(inspection, "clock")["unreadable_time"].examples
    assert (unreadable.row, unreadable.time) == (6, "soon")
    assert (inspection.events, inspection.learned, inspection.users, inspection.items) == (10, 2, 2, 2)


def test_late_events_are_judged_by_the_span_of_the_windows_and_the_grace(tmp_path: Path) -> None:
    inspection = inspected(
        tmp_path,
        "u1,a,2026-03-01T11:00:00Z,,",
        "u1,b,2026-03-01T10:59:30Z,,",
        "u1,c,2026-03-01T10:58:00Z,,",
        "u1,d,2026-02-27T11:00:00Z,,",
        given=settings(windows={"span": "1d"}),
    )
    clock = found(inspection, "clock")
    assert (rows(clock["out_of_order"]), rows(clock["late"])) == ([2], [3])
    assert clock["late"].examples[0].note == "120 s late"
    assert rows(found(inspection, "dropped")["too_late"]) == [4]
    assert (inspection.first, inspection.last) == ("2026-03-01T10:58:00Z", "2026-03-01T11:00:00Z")


def test_the_event_policy_sets_aside(tmp_path: Path) -> None:
    policy = settings(events={"types": {"boring": "ignore", "gone": "negative"}})
    types = ("view", "impression", "boring", "gone")
    inspection = inspected(tmp_path, *(f"u1,a,{NOON - 9 + n},{kind}," for n, kind in enumerate(types)), given=policy)
    aside = found(inspection, "set aside")
    assert {name: rows(one) for name, one in aside.items()} == {"exposure": [2], "ignored": [3], "negative": [4]}
    assert (inspection.learned, inspection.time_unit) == (1, "milliseconds")


def test_rows_that_look_like_repeats_are_named_where_no_id_says_so(tmp_path: Path) -> None:
    again = ("u1,a,2026-03-01T11:00:00Z,view", "u1,a,2026-03-01T11:00:00Z,buy", "u1,a,2026-03-01T11:00:00Z,view")
    inspection = inspected(tmp_path, *again, header="user,item,ts,event")
    assert rows(found(inspection, "clock")["same_row_again"]) == [3]
    assert inspection.learned == 3


def test_times_in_another_unit_and_without_zone_and_dates_are_noticed(tmp_path: Path) -> None:
    seconds = inspected(tmp_path, "u1,a,1772360000", "u1,a,1772360000500", "u1,a,77", header="user,item,ts")
    (other,) = found(seconds, "clock")["other_unit"].examples
    assert (other.row, other.note) == (2, "perhaps 2026-03-01T10:13:20.500Z")
    assert found(seconds, "dropped")["impossible_time"].events == 2
    texts = inspected(tmp_path, "u1,a,2026-03-01", "u1,a,2026-03-01T01:00:00+01:00", header="user,item,ts")
    assert texts.zones == {"": 1, "+01:00": 1}
    assert (found(texts, "clock")["no_zone"].events, rows(found(texts, "clock")["no_zone"])) == (1, [1])
    assert rows(found(texts, "clock")["midnight"]) == [1, 2]


def test_windows_are_counted_as_the_network_finds_them(tmp_path: Path) -> None:
    read = NetworkConfig().window
    lines = [f"u1,i{n},{NOON - 1_000 * (40 - n)}" for n in range(40)]
    inspection = inspected(tmp_path, *lines, header="user,item,ts", given=settings(windows={"length": 30}))
    windows = {name: one.events for name, one in found(inspection, "windows").items()}
    assert [example.note for example in found(inspection, "windows")["padded"].examples] == [
        f"{length} events in it" for length in (1, 2, 3)
    ]
    assert rows(found(inspection, "windows")["full"]) == [31, 32, 33]
    assert windows == {"empty": 1, "padded": read - 1, "truncated": 40 - read - 1, "full": 10}


def test_suspects_are_examples_with_what_was_noticed(tmp_path: Path) -> None:
    lines = [f"person,i{n},{NOON - 10_000 + n * n}" for n in range(9)]
    lines += [f"monitor,home,{NOON - 10_000_000 + n**3}" for n in range(60)]
    bots = found(inspected(tmp_path, *lines, header="user,item,ts"), "bots")
    (example,) = bots["one_item"].examples
    assert (example.user, example.row, bots["one_item"].events) == ("monitor", 10, 60)
    assert example.note == "60 events; 60 of 60 events of the item before"


def test_examples_are_few_and_counts_are_whole(tmp_path: Path) -> None:
    inspection = inspected(tmp_path, *(f",a,{NOON}" for _ in range(20)), header="user,item,ts")
    finding = found(inspection, "dropped")["missing_field"]
    assert (finding.events, len(finding.examples)) == (20, EXAMPLES)


def test_vocabularies_smaller_than_a_file_are_no_hindrance(tmp_path: Path) -> None:
    lines = [f"u{n},i{n},{NOON - 100 + n}" for n in range(50)]
    small = settings(windows={"users": 10}, models={"items": 20})
    inspection = inspected(tmp_path, *lines, header="user,item,ts", given=small)
    assert (inspection.learned, inspection.users, inspection.items) == (50, 50, 50)


def test_mapped_fields_are_inspected_alike(tmp_path: Path) -> None:
    mapped = settings(input={"fields": {"item_id": "properties.product_id", "event_time": "timestamp"}})
    lines = ("u1,a,2026-03-01T11:00:00Z,view,e1", ",a,2026-03-01T11:00:00Z,view,e2")
    plain, other = inspected(tmp_path, *lines), inspected(tmp_path, *lines, given=mapped)
    assert msgspec.json.encode(plain) == msgspec.json.encode(other)


def test_values_that_are_no_numbers_are_the_decoders_to_refuse(tmp_path: Path) -> None:
    inspection = inspected(tmp_path, f"u1,a,{NOON},4.5", f"u1,a,{NOON},good", header="user,item,ts,rating")
    assert {name: rows(one) for name, one in found(inspection, "dropped").items()} == {"wrong_type": [2]}
    assert inspection.learned == 1


def test_every_finding_is_documented() -> None:
    root = Path(__file__).parents[3]
    page = (root / "docs" / "cleaning.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"^\| finding \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", page, re.MULTILINE)
    named = {name for line in table.splitlines() for name in re.findall(r"`(\w+)`", line.split("|")[1])}
    source = "".join(
        (root / "consumers" / "files" / f"{module}.py").read_text() for module in ("inspection", "suspects")
    )
    by_decoder_and_cleaner = {"missing_field", "bad_id", "wrong_type", "future_time", "too_late"}
    assert named - by_decoder_and_cleaner <= set(re.findall(r'"([a-z_]+)"', source))
    assert set(re.findall(r'_note\("\w[\w ]*", "(\w+)"', source)) <= named
    assert set(re.findall(r'_finding\("\w+", "(\w+)"', source)) <= named


@pytest.mark.parametrize("number", [RATE, FAR_BEYOND, FEWEST_GAPS, FEWEST_EVENTS])
def test_the_limits_of_the_rules_are_documented(number: int) -> None:
    page = (Path(__file__).parents[3] / "docs" / "cleaning.md").read_text(encoding="utf-8")
    assert f" {number} " in page
