"""`make faults`: every kind of fault, again and again, and a table of what was found.

Equal seeds give equal streams and equal plans; when exactly a process dies still depends on the machine. Exits with 1
when anything was lost, doubled or divergent, or a process did not behave.
"""

import json
import logging
import random
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.faults.catalogue import FAULTS, Fault
from tests.faults.oracle import Tally
from tests.faults.trial import World


def main(
    out: Annotated[Path | None, typer.Option(help="Write what was found to this file, as JSON.")] = None,
    iterations: Annotated[int | None, typer.Option(min=1, help="Of each kind, instead of its own number.")] = None,
    short: Annotated[bool, typer.Option("--short", help="As many as `make test` does.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of all streams and plans.")] = 1,
    only: Annotated[str, typer.Option(help="Numbers of faults, with commas between them.")] = "",
    at_once: Annotated[int, typer.Option(min=1, help="So many kinds at a time: they wait more than they work.")] = 1,
) -> None:
    """Run the faults one after the other."""
    logging.basicConfig(level=logging.ERROR)
    numbers = {int(number) for number in only.split(",") if number}
    chosen = [fault for fault in FAULTS if not numbers or fault.number in numbers]
    found: list[dict[str, Any]] = []
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with World.opened() as world, Progress(*columns, console=Console(stderr=True)) as bar:

        def one(fault: Fault) -> dict[str, Any]:
            count = iterations or (fault.short if short else fault.long)
            shown = bar.add_task(f"{fault.number}. {fault.name}", total=count)
            return tried(fault, world, count, seed, short=short, done=lambda: bar.advance(shown))

        with ThreadPoolExecutor(at_once) as pool:
            for work in as_completed([pool.submit(one, fault) for fault in chosen]):
                found.append(work.result())
                found.sort(key=lambda finding: finding["number"])
                if out is not None:
                    out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    Console().print(_table(found))
    sys.exit(not all(one["passed"] for one in found))


def tried(
    fault: Fault, world: World, iterations: int, seed: int, *, short: bool, done: Callable[[], None]
) -> dict[str, Any]:
    """Run one kind of fault and return what was found; an exception is a finding too."""
    started = time.monotonic()
    total, count, error = Tally(), 0, ""
    run = fault.run_short if short and fault.run_short else fault.run
    try:
        for tally in run(world, random.Random(f"{seed} {fault.name}"), iterations):
            total.add(tally)
            count += 1
            done()
    except Exception as raised:
        logging.exception("%d. %s", fault.number, fault.name)
        error = f"{type(raised).__name__}: {raised}"
    return {
        "number": fault.number,
        "name": fault.name,
        "iterations": count,
        "seed": seed,
        "lost": total.lost,
        "doubled": total.doubled,
        "divergent": total.divergent,
        "passed": total.passed and not error and count == iterations,
        "error": error,
        "seconds": round(time.monotonic() - started, 1),
    }


def _table(found: list[dict[str, Any]]) -> Table:
    table = Table("", "fault", "iterations", "lost", "doubled", "divergent", "seconds", "")
    for one in found:
        verdict = "passed" if one["passed"] else f"FAILED {one['error']}"
        table.add_row(
            *(str(one[name]) for name in ("number", "name", "iterations", "lost", "doubled", "divergent", "seconds")),
            verdict,
        )
    return table


if __name__ == "__main__":
    typer.run(main)
