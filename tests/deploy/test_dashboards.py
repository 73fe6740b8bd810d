import json
import re
import runpy
from typing import Any

import pytest

from tests.deploy.conftest import DEPLOY

FOLDER = DEPLOY / "grafana" / "dashboards"
BUILD = runpy.run_path(str(DEPLOY / "grafana" / "build.py"))  # which leaves no compiled file behind

each_dashboard = pytest.mark.parametrize("name", BUILD["DASHBOARDS"])


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


@each_dashboard
def test_it_is_what_the_code_says(name: str) -> None:
    assert (FOLDER / f"{name}.json").read_text(encoding="utf-8") == BUILD["written"](name), (
        "python deploy/grafana/build.py"
    )


def test_there_are_no_others() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(BUILD["DASHBOARDS"])


@each_dashboard
def test_panels_lie_side_by_side_and_say_what_they_show(name: str) -> None:
    panels = read(name)["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
        assert panel["description"].endswith(".")
        assert panel["targets"]
    assert len({panel["title"] for panel in panels}) == len(panels) <= 16
    assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))


@each_dashboard
def test_a_query_uses_only_variables_that_there_are(name: str) -> None:
    dashboard = read(name)
    known = {variable["name"] for variable in dashboard["templating"]["list"]} | {"__rate_interval"}
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            assert set(re.findall(r"\$(\w+)", target["expr"])) <= known
            assert "$instance" in target["expr"]
