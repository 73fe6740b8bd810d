"""``python -m benchmarks``: all runs one after the other, a table, and a JSON file."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.bench import Messages
from benchmarks.report import Report, machine
from benchmarks.throughput import Plan, task_settings, throughput
from consumers.files import EventFile, by_time
from consumers.reporting import start_broker
from consumers.settings import Settings
from consumers.synthetic import DESCRIPTION, synthetic

_SHED = 0.05  # the share down to which the network's training is shed under load


def main(
    out: Annotated[Path, typer.Option(help="Where the figures go, as JSON.")],
    file: Annotated[Path | None, typer.Option(help="Events to replay.", show_default="a synthetic stream")] = None,
    warm_up: Annotated[int, typer.Option(min=1_000, help="Events learned before anything is measured.")] = 20_000,
    chunk: Annotated[int, typer.Option(min=100, help="Events of a round.")] = 6_000,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each loop.")] = 3,
) -> None:
    """Measure springtide against the bare loop."""
    console, report = Console(soft_wrap=True), Report()
    plan = Plan(warm_up, chunk, rounds)
    base = Settings()
    stream = synthetic(plan.events) if file is None else by_time(EventFile(file, limit=plan.events))
    messages = Messages(stream, base)
    report.note("machine", machine())
    report.note("stream", {"name": DESCRIPTION if file is None else file.name, "events": len(messages)})
    with tempfile.TemporaryDirectory(prefix="springtide-bench-") as folder_name:
        folder = Path(folder_name)
        broker = start_broker(None, None, console)
        try:
            settings = task_settings(broker.bootstrap, "shed", folder, base, share=_SHED, coalesce=False)
            measured = throughput(settings, messages, plan, folder, console.print)
            report.add("throughput_ratio", measured.full.over(measured.bare), ">= 0.5")
            report.add("events_per_s", measured.full)
            report.add("bare_events_per_s", measured.bare)
            report.add("training_share", _SHED)
        finally:
            broker.stop()
    console.print(report.table())
    report.write(out)


if __name__ == "__main__":
    typer.run(main)
