from pathlib import Path
from typing import Any

import pytest

from consumers.measuring.pictures import draw

PART = {"events": 7, **{key: {"ndcg@10": 0.5, "hr@10": 0.6} for key in ("list", "mixture", "best_expert")}}


def figures(**parts: dict[str, Any]) -> dict[str, Any]:
    return {
        "events": 1_000,
        "best_expert": {"name": "own_recent"},
        "curves": {
            "window": 50,
            "events": [50, 500, 1_000],
            "ndcg@10": {"list": [0.1, 0.3, 0.4], "mixture": [0.1, 0.2, 0.3], "best_expert": [0.1, 0.1, 0.1]},
        },
        "slices": {"cold_items": PART, **parts},
        "fifths": [PART] * 5,
    }


@pytest.mark.parametrize(("name", "magic"), [("a.svg", b"<?xml"), ("a.PNG", b"\x89PNG")])
def test_the_name_tells_the_format(tmp_path: Path, name: str, magic: bytes) -> None:
    draw(figures(), "stream", tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(magic)


def test_the_same_figures_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        draw(figures(), "stream", tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_parts_without_events_or_hits_are_left_out(tmp_path: Path) -> None:
    missed = PART | {"list": {"ndcg@10": 0.0, "hr@10": 0.0}}
    draw(figures(new_items=missed, repeats=PART | {"events": 0}, new_to_user=PART), "stream", tmp_path / "a.svg")
    drawn = (tmp_path / "a.svg").read_text()
    assert [f"<!-- {name}" in drawn for name in ("cold items", "new items", "repeats", "new to user")] == [
        *(True, False, False, True)
    ]
