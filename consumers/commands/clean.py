"""The inspection of a file as a command: progress, what is shown, and what is written."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from consumers.commands.outputs import try_to_write, writing
from consumers.files.inspection import Example, Finding, Inspection, inspect
from consumers.files.reading import EventFile
from consumers.settings import Settings

_HEADINGS = {
    "dropped": "Dropped",
    "set aside": "Let through, not learned from",
    "clock": "Times, and rows that look alike",
    "bots": "Users who do not behave like people (nothing is dropped by these rules)",
    "windows": "Windows just before the events that are learned from",
}


def clean(settings: Settings, file: EventFile, now_ms: int, json_path: Path | None, console: Console) -> None:
    """Inspect a file, which is opened leniently, as if it were sent at `now_ms`; show what was found and write it.

    Raises SettingsError, before anything is read, where the JSON cannot be written.
    """
    if json_path is not None:
        try_to_write(json_path, "--json")
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(file.path.name, total=1.0)
        found = inspect(
            settings,
            file,
            now_ms,
            lambda events: bar.update(task, completed=file.fraction, description=f"{events:,} events"),
        )
    if json_path is not None:
        with writing(json_path, "--json"):
            json_path.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
    for sentence in _overview(found, settings):
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)
    for group, findings in groupby(found.findings, lambda one: one.group):
        console.print("", Text(_HEADINGS[group], style="bold"), _table(list(findings), found.events), sep="\n")


def _overview(found: Inspection, settings: Settings) -> Iterator[str]:
    share = found.learned / found.events if found.events else 0
    yield f"{found.events:,} events, of which {found.learned:,} ({share:.1%}) would be learned from."
    yield (
        f"{found.users:,} users (room for {settings.windows.users:,}: windows.users), "
        f"{found.items:,} items (room for {settings.models.items:,}: models.items)."
    )
    if found.first is not None:
        zones = ", ".join(f"{zone or 'no zone'} {count:,}" for zone, count in found.zones.items())
        how = f"numbers of {found.time_unit}" if found.time_unit else f"text: {zones}" if zones else "typed"
        yield f"From {found.first} to {found.last} ({how})."


def _table(findings: list[Finding], events: int) -> Table:
    grid = Table.grid("events", "share", "what", padding=(0, 2))
    grid.columns[0].justify = grid.columns[1].justify = "right"
    for finding in findings:
        what = Text(f"{finding.name.replace('_', ' ')}: {finding.meaning}")
        for example in finding.examples:
            what.append(f"\n{_described(example)}", style="dim")
        grid.add_row(Text(f"{finding.events:,}"), Text(f"{finding.events / events:.1%}"), what)
    return grid


def _described(example: Example) -> str:
    cells = (("user", example.user), ("item", example.item), ("at", example.time))
    given = " ".join(f"{name} {cell}" for name, cell in cells if cell is not None)
    return f"row {example.row:,}: {given}" + (f" ({example.note})" if example.note else "")
