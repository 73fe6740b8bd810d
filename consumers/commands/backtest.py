"""The backtest as a command: the runs that were asked for, what is shown, and what is written."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import Progress, TaskID

from consumers.backtest import Trial, backtest
from consumers.commands.outputs import try_to_write, writing
from consumers.commands.reporting import progress
from consumers.files import checkpoints
from consumers.files.items import read_items
from consumers.files.reading import EventBatch, EventFile
from consumers.measuring import report
from consumers.measuring.comparisons import spread, spread_of_changes
from consumers.measuring.pictures import SUFFIXES, draw
from consumers.measuring.quality import Figures, figures, scorers
from consumers.measuring.tables import ablation_table, part_table, scorer_table, sentences
from consumers.measuring.variants import Variant
from consumers.settings import Settings
from models.measuring.floors import floors
from models.metrics import Ranks
from models.network.checkpoint import Checkpoint
from stream.errors import SettingsError
from stream.events import Decoded


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured, and where it goes.

    Attributes
    ----------
    batch, variant
        See `backtest`.
    floors
        Whether the counting baselines are measured too.
    seeds
        How many runs, each with the seed after that of the one before.
    items_path
        What is told of items, if anything.
    json_path, picture_path, report_path
        Where figures, picture and report are written, if anywhere.
    """

    batch: int = 32
    variant: Variant = Variant()  # noqa: RUF009  # it is frozen
    floors: bool = False
    seeds: int = 1
    items_path: Path | None = None
    json_path: Path | None = None
    picture_path: Path | None = None
    report_path: Path | None = None

    def __post_init__(self) -> None:
        if self.picture_path is not None and self.picture_path.suffix.lower() not in SUFFIXES:
            message = (
                f"A picture is {' or '.join(SUFFIXES)}, and {self.picture_path} is neither: choose another --plot."
            )
            raise SettingsError(message)
        if self.report_path is not None and self.report_path.suffix.lower() != ".html":
            message = f"A report is .html, and {self.report_path} is not: choose another --report."
            raise SettingsError(message)


def measure(settings: Settings, events: EventFile, plan: Plan, console: Console) -> None:
    """Make the runs of a plan with progress bars, show the figures, and write what is to be written.

    Raises SettingsError, before anything is read, where a file cannot be written, or nothing has the name of what is to
    be left out.
    """
    outputs = {"--json": plan.json_path, "--plot": plan.picture_path, "--report": plan.report_path}
    for option, path in outputs.items():
        if path is not None:
            try_to_write(path, option)
    plan.variant.left_out(settings)
    start = checkpoints.start(settings)
    if plan.variant.freeze_network and start is None:
        message = "--freeze-network is for a network that begins with a checkpoint: give --from."
        raise SettingsError(message)
    items = [] if plan.items_path is None else read_items(plan.items_path, settings)
    batches = list(events)
    with progress(console) as bar:
        result = _figures(settings, batches, items, plan, start, bar)
    if plan.json_path is not None:
        with writing(plan.json_path, "--json"):
            plan.json_path.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")
    if plan.picture_path is not None:
        with writing(plan.picture_path, "--plot"):
            draw(result, events.path.name, plan.picture_path)
    if plan.report_path is not None:
        with writing(plan.report_path, "--report"):
            report.write(result, events.path.name, plan.report_path)
    console.print(scorer_table(result), part_table(result), sep="\n\n")
    if plan.variant.ablates:
        console.print("", ablation_table(result), sep="\n")
    for sentence in ("", *sentences(result)):
        console.print(sentence, markup=False, highlight=False)


def _figures(
    settings: Settings,
    batches: Sequence[EventBatch],
    items: Sequence[Decoded],
    plan: Plan,
    start: Checkpoint | None,
    bar: Progress,
) -> Figures:
    """All figures of a plan; those of the run as asked for, and of the first seed, are the ones at the top."""
    seed, of_floors = settings.models.seed, dict[str, Ranks]()

    def run(title: str, settings: Settings) -> Trial:
        task = _only(bar, title, sum(map(len, batches)))
        return backtest(
            settings,
            batches,
            batch=plan.batch,
            variant=plan.variant,
            progress=lambda count: bar.advance(task, count),
            start=start,
            items=items,
        )

    def worth(trial: Trial) -> Figures:
        _only(bar, "Figures", None)
        return figures(trial, of_floors, seed)

    trial = run("Test, then learn", settings)
    if plan.floors:
        of_floors = _floor_ranks(settings, trial, bar)
    result = worth(trial)
    if plan.seeds > 1:
        seeds = range(seed, seed + plan.seeds)
        others = [settings.with_overrides(seed=other) for other in seeds[1:]]
        runs = [result, *(worth(run(f"Seed {other.models.seed}", other)) for other in others)]
        result["seeds"] = {"seeds": list(seeds), "scorers": spread([dict(scorers(one)) for one in runs])}
        if plan.variant.ablates:
            result["seeds"]["changes"] = spread_of_changes([one["ablation"] for one in runs])
    update_every = plan.variant.update_every
    return result | {
        "training_share": settings.models.training_share,
        "batch": plan.batch,
        "seed": seed,
        "update_every": None if update_every is None else str(update_every),
        "freeze_after": plan.variant.freeze_after,
        "freeze_network": plan.variant.freeze_network,
        "checkpoint": None if start is None else start.digest,
        "settings": settings.state_changing(),
    }


def _floor_ranks(settings: Settings, trial: Trial, bar: Progress) -> dict[str, Ranks]:
    unseen = settings.serving.repeats == "never"
    several = floors(unseen=unseen)
    task = _only(bar, "Floors", len(several))
    ranks = {}
    for name, floor in several.items():
        ranks[name] = floor.ranks(trial.stream, unseen=unseen)
        bar.advance(task)
    return ranks


def _only(bar: Progress, title: str, total: int | None) -> TaskID:
    """Show one bar in place of those before it."""
    for task in bar.task_ids:
        bar.remove_task(task)
    return bar.add_task(title, total=total)
