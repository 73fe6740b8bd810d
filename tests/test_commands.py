"""The commands that the documents show are commands: springtide's parse, and those of the back-up back up."""

import re
import shlex
import subprocess
from pathlib import Path

import numpy as np
import pytest
import typer

from consumers.cli import app
from stream import snapshots
from stream.snapshots import Manifest

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md")])
SHOWN = re.compile(r"^\$ (?:\.venv/bin/)?springtide (.*)$", re.MULTILINE)
TOLD = re.compile(r"`springtide ([a-z][^`]*)`")
COMMANDS = sorted({(page.name, line) for page in PAGES for line in SHOWN.findall(page.read_text(encoding="utf-8"))})


def test_commands_are_shown_on_several_pages() -> None:
    assert len(COMMANDS) > 10
    assert {"README.md", "operations.md"} <= {page for page, _ in COMMANDS}


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_a_command_that_is_shown_is_understood(page: str, line: str, tmp_path: Path) -> None:
    arguments = shlex.split(line, comments=True)
    command = typer.main.get_command(app)
    with command.make_context("springtide", list(arguments), resilient_parsing=False) as context:
        group, rest = command, arguments
        while hasattr(group, "resolve_command"):
            name, group, rest = group.resolve_command(context, rest)
            assert name is not None
        with group.make_context(name, list(rest), parent=context, resilient_parsing=False) as inner:
            assert inner.args == []


@pytest.mark.parametrize(
    ("page", "line"),
    sorted({(page.name, line) for page in PAGES for line in TOLD.findall(page.read_text(encoding="utf-8"))}),
)
def test_a_command_that_is_told_of_has_that_name_and_those_options(page: str, line: str) -> None:
    command = typer.main.get_command(app)
    rest = shlex.split(line)
    with command.make_context("springtide", ["--help"], resilient_parsing=True) as context:
        while hasattr(command, "commands"):
            command = command.commands[rest.pop(0)]
        known = {option for parameter in command.get_params(context) for option in parameter.opts}
    assert {word for word in rest if word.startswith("--")} <= known


def manifest(sequence: int, state: snapshots.State) -> Manifest:
    return Manifest(
        application="springtide",
        epoch=0,
        sequence=sequence,
        erased=-1,
        journal_offset=sequence,
        offsets=(),
        watermark_ms=0,
        settings_hash="",
        fingerprint={},
        state_hash=snapshots.state_hash(state),
    )


def backed_up(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the back-up of the operations guide in a folder."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```console backup\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    script = "".join(f"{line.removeprefix('$ ')}\n" for line in block.splitlines())
    return subprocess.run(["bash", "-euc", script], cwd=folder, capture_output=True, text=True, check=False)


def test_the_back_up_that_is_shown_holds_the_newest_snapshot(tmp_path: Path) -> None:
    state: snapshots.State = {"part.numbers": np.arange(9)}
    for sequence in (9, 10, 123):
        snapshots.save(tmp_path / "springtide-state", state, manifest(sequence, state))
    assert backed_up(tmp_path).returncode == 0
    (copy,) = snapshots.candidates(tmp_path / "backup")
    found, arrays = snapshots.load(copy, "springtide")
    assert found.sequence == 123
    assert arrays["part.numbers"].tolist() == list(range(9))


def test_the_back_up_that_is_shown_notices_what_is_damaged(tmp_path: Path) -> None:
    state: snapshots.State = {"part.numbers": np.arange(9)}
    path = snapshots.save(tmp_path / "springtide-state", state, manifest(1, state)) / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b"springtide", b"springtime"))
    ended = backed_up(tmp_path)
    assert ended.returncode != 0
    assert "manifest.json: FAILED" in ended.stdout
