import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from consumers.measuring.quality import figures
from consumers.measuring.report import OF_TIME, write
from consumers.measuring.variants import ablations
from consumers.settings import Settings
from tests.consumers.measuring.test_quality import trial

NASTY = "<img src=x onerror=alert(1)>"


@pytest.fixture
def found() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    ranks = {name: rng.integers(0, most, 400).tolist() for name, most in (("list", 12), ("shy", 20), ("bold", 30))}
    one = trial(rng.integers(0, 9, 400).tolist(), [0] * 400, **ranks, promised=(rng.random((400, 3)) / 3).tolist())
    of_run = {
        "seed": 1,
        "batch": 8,
        "update_every": None,
        "freeze_after": None,
        "settings": {"windows": {"length": 64}},
    }
    result = figures(one, {"popularity_1d": np.full(400, 3, np.int32)}, seed=1) | of_run
    result["coverage"]["top"][0]["item_id"] = NASTY
    result["settings"]["input"] = {"topic": NASTY}
    return result


def page(found: dict[str, Any], folder: Path, title: str = "events.csv") -> str:
    write(found, title, folder / "report.html")
    return (folder / "report.html").read_text(encoding="utf-8")


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.links += [value or "" for name, value in attrs if name in {"src", "href", "xlink:href"}]
        if tag not in {"meta"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_page_is_whole_and_needs_nothing_else(found: dict[str, Any], tmp_path: Path) -> None:
    text, tags = page(found, tmp_path), Tags()
    tags.feed(text)
    assert tags.open == []
    assert tags.seen.isdisjoint({"script", "img", "link", "iframe"})
    assert all(link.startswith("#") for link in tags.links)
    assert re.findall(r"url\((?!#)", text) == []
    assert text.count("<svg") == 5
    for words in ("popularity_1d", "expected calibration error", "short histories", "hour of the day"):
        assert words in text


def test_names_from_outside_are_text(found: dict[str, Any], tmp_path: Path) -> None:
    text = page(found, tmp_path, title="<b>--></svg>.csv")
    assert NASTY not in text
    assert "<b>--" not in text
    assert text.count("&lt;img src=x onerror=alert(1)&gt;") == 2


def test_what_one_plot_refers_to_is_its_own(found: dict[str, Any], tmp_path: Path) -> None:
    text = page(found, tmp_path)
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    referred = set(re.findall(r'(?:url\(|xlink:href=")#([^")]+)', text))
    assert referred
    assert referred <= set(ids)


def test_floors_and_ablation_are_there_where_they_were_asked_for(found: dict[str, Any], tmp_path: Path) -> None:
    assert "counting baselines that it has to beat" in page(found, tmp_path)
    del found["floors"]
    found["ablation"] = {
        "bursts": {"with_history": found["with_history"], "change": -0.0512, "slices": {}},
        "lift": {"with_history": found["with_history"], "change": None, "slices": {}},
    }
    text = page(found, tmp_path)
    assert "counting baselines that it has to beat" not in text
    assert "-5.1%" in text
    assert OF_TIME["bursts"] in text
    assert text.count("<svg") == 5


def test_the_same_figures_give_the_same_page(found: dict[str, Any], tmp_path: Path) -> None:
    assert page(found, tmp_path) == page(found, tmp_path)


def test_all_that_can_be_left_out_says_what_of_time_is_in_it() -> None:
    assert set(ablations(Settings())) == set(OF_TIME)
