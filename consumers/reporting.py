"""What the commands show on a terminal: progress while they work, and tables at the end.

Without a terminal there are no bars and no colours, only the lines that matter.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from consumers.backtest import Report, backtest
from consumers.files import EventFile
from consumers.settings import Settings
from stream.broker import EmbeddedBroker
from stream.errors import BrokerError, SettingsError
from stream.topics import ensure_topics

_LOOK_EVERY_S = 0.5


def progress(console: Console) -> Progress:
    """Return a bar that disappears when its work is done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True)


def start_broker(data: Path | None, port: int | None, console: Console) -> EmbeddedBroker:
    """Start an embedded broker, with a bar while its jars are fetched, which happens once on a machine."""
    with progress(console) as bar:
        task = bar.add_task("Starting Apache Kafka", total=None)

        def arrived(done: int, total: int) -> None:
            bar.update(task, description="Fetching Apache Kafka", completed=done, total=total)

        return EmbeddedBroker(data, port, arrived).start()


def serve_broker(data: Path | None, port: int, console: Console) -> None:
    """Run an embedded broker until interrupted; BrokerError when it ends by itself."""
    broker = start_broker(data, port, console)
    try:
        kept = f"topics are kept in {data}" if data else "topics are lost when it ends (--data DIR keeps them)"
        console.print(f"Apache Kafka listens at {broker.bootstrap}; {kept}. Ctrl-C ends it.", highlight=False)
        while broker.running():
            time.sleep(_LOOK_EVERY_S)
        message = f"Apache Kafka has ended by itself: see {broker.data_dir / 'broker.log'}."
        raise BrokerError(message)
    finally:
        broker.stop()


def report_topics(settings: Settings, *, create: bool, console: Console) -> None:
    """Check the topics of a task, after making the missing ones where `create` says so, and show them."""
    real = ensure_topics(settings.kafka.connection(), settings.topics(), create)
    grid = Table(show_edge=False)
    for name in ("topic", "partitions", "clean-up", "retention", "largest message"):
        grid.add_column(name)
    for spec in real.all():
        days = "for ever" if spec.retention_ms < 0 else f"{spec.retention_ms / 86_400_000:g} d"
        cleanup = ", ".join(sorted(spec.cleanup))
        grid.add_row(spec.name, str(spec.partitions), cleanup, days, f"{spec.max_message_bytes / 2**20:g} MiB")
    console.print(grid)


def report_backtest(
    settings: Settings, events: EventFile, *, batch: int, json_path: Path | None, console: Console
) -> None:
    """Run a backtest with a progress bar, show its figures, and write them to `json_path`.

    Raises SettingsError, before anything is read, when `json_path` cannot be written.
    """
    if json_path is not None:
        _try_to_write(json_path)
    batches = list(events)
    with progress(console) as bar:
        task = bar.add_task("Test, then learn", total=sum(map(len, batches)))
        report = backtest(settings, batches, batch=batch, progress=lambda count: bar.advance(task, count))
    if json_path is not None:
        _write(json_path, msgspec.json.format(msgspec.json.encode(report.figures), indent=2) + b"\n")
    console.print(_figures(report))
    figures = report.figures
    console.print(
        f"{figures['events']:,} events, {figures['users']:,} users, {figures['items']:,} items, "
        f"{figures['events_per_second']:,.0f} events/s"
    )


def _figures(report: Report) -> Table:
    grid = Table(
        caption="prequential, and published, over events of users with history", caption_justify="left", show_edge=False
    )
    grid.add_column("scorer")
    for name in ("HR@10", "NDCG@10", "MRR"):
        grid.add_column(name, justify="right")
    for scorer, of_scorer in report.rows():
        grid.add_row(scorer, *(f"{of_scorer[key]:.4f}" for key in ("hr@10", "ndcg@10", "mrr")))
    return grid


def _try_to_write(path: Path) -> None:
    """Find out that a file cannot be written while nothing is lost by it; leaves what is there as it is."""
    with _writing(path):
        is_new = not path.exists()
        path.open("ab").close()
        if is_new:
            path.unlink()


def _write(path: Path, data: bytes) -> None:
    with _writing(path):
        path.write_bytes(data)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"The figures cannot be written to {path} ({error.strerror}): choose another path for --json."
        raise SettingsError(message) from error
