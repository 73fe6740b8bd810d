import io
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from consumers.commands.backtest import Plan, measure
from consumers.durations import Duration
from consumers.files.reading import EventFile
from consumers.measuring.variants import Variant
from models.measuring.floors import floors
from stream.errors import SettingsError
from tests.consumers.stream import round_robin, settings


@pytest.fixture
def file(tmp_path: Path) -> EventFile:
    path = tmp_path / "walks.csv"
    rows = (f"{pair.replace(' ', ',')},{1_767_225_600 + 60 * n}\n" for n, pair in enumerate(round_robin(20)))
    path.write_text("user,item,ts\n" + "".join(rows))
    return EventFile(path)


def run(file: EventFile, plan: Plan, **sections: object) -> str:
    console = Console(file=io.StringIO(), width=80)
    measure(settings(**sections), file, plan, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def figures(path: Path | None) -> dict[str, Any]:
    assert path is not None
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])


def test_figures_have_all_that_readers_were_promised(file: EventFile, tmp_path: Path) -> None:
    plan = Plan(batch=8, json_path=tmp_path / "figures.json")
    shown, found = run(file, plan), figures(plan.json_path)

    for key in ("all", "with_history", "published"):
        assert found[key].keys() == {"hr@10", "ndcg@10", "mrr", "precision@10", "recall@10", "f1@10", "events"}
    assert {"hr@10", "ndcg@10", "mrr"} <= found["experts"]["last_transition"]["with_history"].keys()
    assert (found["events"], found["users"], found["items"], found["rejected"]) == (60, 3, 4, 0)
    assert found["events_per_second"] > 0
    assert (found["training_share"], found["batch"], found["seed"]) == (1.0, 8, 1)
    assert (found["update_every"], found["freeze_after"]) == (None, None)
    assert found["settings"]["windows"]["length"] == 128
    assert {"mixture", "best_expert", "intervals", "slices", "fifths", "curves"} <= found.keys()
    assert "60 events, 3 users, 4 items" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_floors_are_measured_on_what_the_pipeline_learned(file: EventFile, tmp_path: Path) -> None:
    plan = Plan(floors=True, json_path=tmp_path / "figures.json")
    shown, found = run(file, plan), figures(plan.json_path)

    assert found["floors"].keys() == floors(unseen=False).keys()
    assert found["best_floor"]["name"] in found["floors"]
    assert found["floors"]["covisitation_1"]["with_history"]["events"] == found["with_history"]["events"]
    assert "covisitation_20_both_ways" in shown
    run(file, plan, serving={"repeats": "never"})
    assert figures(plan.json_path)["floors"].keys() == floors(unseen=True).keys()


def test_seeds_are_counted_on_and_summed_up(file: EventFile, tmp_path: Path) -> None:
    plan = Plan(floors=True, seeds=2, json_path=tmp_path / "figures.json")
    shown, found = run(file, plan, models={"seed": 5}), figures(plan.json_path)

    assert found["seed"] == 5
    assert found["seeds"]["seeds"] == [5, 6]
    first, mean = found["with_history"]["ndcg@10"], found["seeds"]["scorers"]["list"]["ndcg@10"]["mean"]
    assert abs(first - mean) < 0.2
    assert found["seeds"]["scorers"]["own_recent"]["mrr"]["spread"] == 0.0  # nothing random in it
    assert found["seeds"]["scorers"]["factorization"]["mrr"]["spread"] > 0.0
    assert found["seeds"]["scorers"]["covisitation_1"]["mrr"]["spread"] == 0.0
    assert "±" in shown


def test_ablation_leaves_out_one_thing_at_a_time(file: EventFile, tmp_path: Path) -> None:
    plan = Plan(variant=Variant(ablate=True), seeds=2, json_path=tmp_path / "figures.json")
    shown, found = run(file, plan), figures(plan.json_path)

    assert {"transitions", "repeats", "popularity", "item_statistics"} <= found["ablation"].keys()
    assert all(of_one["with_history"]["events"] == 54 for of_one in found["ablation"].values())
    assert "without" in shown
    assert found["seeds"]["changes"].keys() == found["ablation"].keys()


def test_learning_late_is_noted_beside_the_figures(file: EventFile, tmp_path: Path) -> None:
    plan = Plan(variant=Variant(update_every=Duration.parse("1h")), json_path=tmp_path / "figures.json")
    run(file, plan)
    assert figures(plan.json_path)["update_every"] == "1h"


def test_a_picture_is_drawn_and_a_report_written(file: EventFile, tmp_path: Path) -> None:
    path, report = tmp_path / "picture.svg", tmp_path / "report.html"
    run(file, Plan(floors=True, picture_path=path, report_path=report))
    assert "covisitation_20_both_ways" in report.read_text()
    drawn = path.read_text()
    assert drawn.startswith("<?xml")
    for word in ("walks.csv", "best floor", "short histories"):
        assert f"<!-- {word}" in drawn


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        ({"report_path": Path("report.pdf")}, r"is \.html, and report\.pdf is not"),
        ({"picture_path": Path("picture.gif")}, r"is \.svg or \.png, and picture\.gif is neither"),
    ],
)
def test_plans_that_make_no_sense_end_in_a_sentence(plan: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        Plan(**plan)


def test_what_cannot_be_left_out_ends_it_before_the_file_is_read(tmp_path: Path) -> None:
    unreadable = tmp_path / "walks.csv"
    unreadable.write_text("user,item,ts\nann,lamp,soon\n")
    with pytest.raises(SettingsError, match=r"^--without sequense: nothing of that name"):
        run(EventFile(unreadable), Plan(variant=Variant(without=("sequense",))))


def documented(first_column: str) -> list[str]:
    """Names in the first column of a table of the page on quality."""
    page = (Path(__file__).parents[3] / "docs" / "quality.md").read_text(encoding="utf-8")
    (table,) = re.findall(rf"^\| {first_column} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", page, re.MULTILINE)
    return [name for line in table.splitlines() for name in re.findall(r"`([^`]+)`", line.split("|")[1])]


def test_every_key_slice_and_floor_is_documented(file: EventFile, tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    keys: set[str] = set()
    for plan in (Plan(floors=True, seeds=2, json_path=path), Plan(variant=Variant(ablate=True), json_path=path)):
        run(file, plan)
        keys |= figures(path).keys()
    assert keys == {name.removesuffix(".<name>") for name in documented("key")}
    assert documented("slice") == list(figures(path)["slices"])
    assert set(documented("floor")) == set(floors(unseen=False))
