"""What the commands show on a terminal while they work: progress bars, a broker that starts, topics as they are.

Without a terminal there are no bars and no colours, only the lines that matter.
"""

import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from consumers.settings import Settings
from stream.broker import EmbeddedBroker
from stream.errors import BrokerError
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
