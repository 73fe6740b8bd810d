"""The guides say what the presets do: examples are read, tables compared, settings loaded, commands understood."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from consumers import gate
from consumers.cli import app
from consumers.configuration import load
from consumers.presets import PRESETS
from consumers.settings import Settings
from stream.events import encode
from stream.log import Record
from tests.test_docs import ROOT, blocks, incoming, rows

GUIDES = sorted((ROOT / "docs" / "guides").glob("*.md"))


def guide(name: str) -> str:
    return (ROOT / "docs" / "guides" / f"{name}.md").read_text(encoding="utf-8")


def events(settings: Settings, record: Record) -> list[object]:
    answer = gate.decoder(settings).decode(record)
    assert answer.error is None, answer.error
    return [json.loads(encode(event)) for event in answer.events]


def configured(text: str, folder: Path) -> Settings:
    (folder / "springtide.toml").write_text(text)
    return load(folder / "springtide.toml")


def test_every_preset_has_a_guide() -> None:
    assert [path.stem for path in GUIDES] == sorted(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_the_example_is_read_as_the_guide_says(name: str) -> None:
    page = blocks(guide(name))
    (record,) = (text for kind, text in page if kind == f"json {name}")
    (event,) = (text for kind, text in page if kind == "json event")
    settings = load(preset=name)
    assert events(settings, incoming(record)) == [json.loads(event)]
    read = json.loads(event)
    assert settings.events.policy().judge(read["event_type"], read.get("value")).role.value == "learn"


@pytest.mark.parametrize("name", PRESETS)
def test_the_roles_in_the_table_are_those_of_the_preset(name: str) -> None:
    documented = {event: row[1] for row in rows(guide(name), "event") for event in re.findall(r"`([^`]+)`", row[0])}
    assert documented == PRESETS[name]["events"]["types"]


@pytest.mark.parametrize("name", PRESETS)
def test_the_settings_of_the_guide_can_be_loaded(name: str, tmp_path: Path) -> None:
    (text,) = (text for kind, text in blocks(guide(name)) if kind == f"toml {name}")
    assert configured(text, tmp_path).preset == name


def test_the_events_of_ga4_are_read_with_the_settings_given_for_them(tmp_path: Path) -> None:
    page = dict(blocks(guide("shop")))
    (event,) = events(configured(page["toml ga4"], tmp_path), incoming(page["json ga4"]))
    assert isinstance(event, dict)
    assert (event["user_id"], event["item_id"], event["event_type"]) == ("1234.5678", "i942", "view_item")


def test_an_erasure_can_be_sent_where_type_means_something_else() -> None:
    (example,) = re.findall(r"`(\{[^`]+\})`", guide("shop"))
    (event,) = events(load(preset="shop"), incoming(example))
    assert isinstance(event, dict)
    assert (event["type"], event["user_id"]) == ("erase", "u17")


def commands() -> list[tuple[str, ...]]:
    pages = [*GUIDES, ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    lines = [line for path in pages for line in path.read_text(encoding="utf-8").splitlines()]
    found = {
        line.removeprefix("$ .venv/bin/springtide ") for line in lines if line.startswith("$ .venv/bin/springtide ")
    }
    return sorted(tuple(shlex.split(line, comments=True)) for line in found)


@pytest.mark.parametrize("arguments", commands(), ids=" ".join)
def test_commands_that_are_shown_are_understood(arguments: tuple[str, ...]) -> None:
    command: Any = typer.main.get_command(app)
    rest = list(arguments)
    while hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]
    command.make_context("springtide", rest)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_that_are_named_in_commands_are_those_of_the_guide(name: str) -> None:
    assert set(re.findall(r"--preset (\w+)", guide(name))) == {name}
