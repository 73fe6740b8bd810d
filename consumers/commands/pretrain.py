"""Pretraining as a command: a file is read, a network is trained on it, and a checkpoint is written."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from consumers.commands.outputs import try_to_write
from consumers.commands.reporting import progress
from consumers.files import checkpoints
from consumers.files.history import history
from consumers.files.reading import EventFile
from consumers.settings import Settings
from models.network.checkpoint import Checkpoint
from models.network.pretraining import Pass, PretrainingConfig, pretrain
from stream.errors import SettingsError


def train(settings: Settings, events: EventFile, path: Path, passes: int, console: Console) -> None:
    """Train the network of the settings on a file with a progress bar, and write the checkpoint to `path`.

    Raises SettingsError, before anything is read, where there is no network or the checkpoint cannot be written.
    """
    network = settings.network.config()
    if network is None:
        message = "There is no network to train: set network.enabled = true."
        raise SettingsError(message)
    try_to_write(path, "--to")
    shown = Table(show_edge=False)
    for name in ("pass", "loss", "held out", ""):
        shown.add_column(name, justify="right")

    with progress(console) as bar:
        batches = list(events)
        reading = bar.add_task("Reading", total=sum(map(len, batches)))
        known = history(settings, batches, network, lambda count: bar.advance(reading, count))
        bar.remove_task(reading)
        task = bar.add_task("Pass 1", total=len(known.examples.targets))

        def passed(one: Pass) -> None:
            shown.add_row(str(one.number), f"{one.learned:.4f}", f"{one.held_out:.4f}", "best" if one.best else "")
            bar.reset(task, description=f"Pass {one.number + 1}")

        learned = pretrain(
            known.examples,
            len(known.ids),
            network,
            PretrainingConfig(passes=passes),
            settings.models.seed,
            passed,
            lambda count: bar.advance(task, count),
        )
    order = known.rows_by_last_time()
    checkpoint = Checkpoint(
        network,
        learned.weights,
        tuple(known.ids[row] for row in order),
        learned.vectors[order],
        learned.weight_squares,
        learned.vector_squares[order],
    )
    digest = checkpoints.write(path, checkpoint.newest(settings.models.items))
    console.print(shown)
    console.print(
        f"{len(known.examples.targets):,} events and {len(order):,} items were learned, best in pass "
        f"{learned.best.number}; {path} has sha256 {digest[:16]}. springtide run --from {path} begins with it.",
        highlight=False,
        markup=False,
    )
