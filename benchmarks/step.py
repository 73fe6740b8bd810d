"""A load step: what the controller does when more events come than can be learned, and when that is over.

``python -m benchmarks.step PICTURE`` lets events come at a calm rate, then at one beyond what a recommender that trains
on every event can do, then at the calm rate again, and draws lag and training share over time.

With ``--simulate`` there is no recommender: the controller decides for a queue whose speed is given, which shows the
rules and no machine.
"""

import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, NamedTuple

import matplotlib as mpl
import typer
from matplotlib.figure import Figure
from rich.console import Console

from benchmarks.bench import Feed, Messages
from benchmarks.throughput import task_settings
from consumers.commands.child import Child
from consumers.commands.figures import Figures
from consumers.commands.replay import Pace, Replay
from consumers.commands.reporting import start_broker
from consumers.files.reading import EventFile, by_time
from consumers.files.synthetic import synthetic
from consumers.serving.shedding import TrainingShare
from consumers.settings import Batch, Settings
from stream.topics import ensure_topics

_LOOK_EVERY_S = 0.5
_OLD_MS = 4 * 3_600_000


class Look(NamedTuple):
    """One look at the metrics of the recommender."""

    seconds: float
    lag_records: float
    training_share: float


class Phase(NamedTuple):
    """So many events a second, for so long."""

    rate: float
    seconds: float


def main(
    picture: Annotated[Path, typer.Argument(help="Where the plot goes.")],
    file: Annotated[Path | None, typer.Option(help="Events to send.", show_default="a synthetic stream")] = None,
    calm: Annotated[float, typer.Option(help="Events a second before and after.")] = 200,
    load: Annotated[float, typer.Option(help="Events a second in between.")] = 1_000,
    warm_up: Annotated[int, typer.Option(help="Events learned before.")] = 20_000,
    simulate: Annotated[
        tuple[float, float] | None, typer.Option(help="Events a second with all trained on, and with none.")
    ] = None,
) -> None:
    """Show what the controller does under a load step."""
    phases = (Phase(calm, 15), Phase(load, 30), Phase(calm, 45))
    if simulate is not None:
        draw(simulated(phases, *simulate), phases, picture)
        return
    count = round(sum(phase.rate * phase.seconds for phase in phases))
    base, console = Settings(), Console(soft_wrap=True)
    stream = synthetic(warm_up + count) if file is None else by_time(EventFile(file, limit=warm_up + count))
    messages = Messages(stream, base)
    with tempfile.TemporaryDirectory(prefix="springtide-bench-") as folder_name:
        broker = start_broker(None, None, console)
        try:
            folder = Path(folder_name)
            settings = task_settings(broker.bootstrap, "step", folder, base, share=1.0, coalesce=False)
            ensure_topics(settings.kafka.connection(), settings.topics())
            looks = _looks(settings, messages, warm_up, phases, folder)
        finally:
            broker.stop()
    draw(looks, phases, picture)
    lags = [look.lag_records for look in looks]
    shares = [look.training_share for look in looks]
    console.print(f"lag at most {max(lags):,.0f} records, {lags[-1]:,.0f} at the end; share at least {min(shares):.2f}")


def simulated(phases: Sequence[Phase], with_all: float, with_none: float) -> list[Look]:
    """Let the controller decide for a queue, once a second.

    An event takes ``1 / with_none`` seconds, and what is missing to ``1 / with_all`` by the share that is trained on.
    """
    share, backlog, looks = TrainingShare(1.0, Batch().max_records), 0.0, list[Look]()
    for phase in phases:
        for _ in range(round(phase.seconds)):
            speed = 1 / (1 / with_none + share.now * (1 / with_all - 1 / with_none))
            backlog = max(backlog + phase.rate - speed, 0.0)
            share.observe(round(backlog))
            looks.append(Look(float(len(looks)), backlog, share.now))
    return looks


def _looks(settings: Settings, messages: Messages, warm_up: int, phases: Sequence[Phase], folder: Path) -> list[Look]:
    feed = Feed(settings.kafka.connection(), "step")
    with Child(settings, folder) as child, ThreadPoolExecutor(1) as thread:
        feed.put(settings.input.topic, messages.part(0, warm_up), time.time_ns() // 1_000_000 - _OLD_MS)
        feed.wait(settings.input.topic, settings.application.name)
        feed.close()
        looks, begun_s = list[Look](), time.monotonic()
        sending = thread.submit(_send, settings, messages, warm_up, phases)
        until_s = sum(phase.seconds for phase in phases)
        while (now_s := time.monotonic() - begun_s) < until_s:
            figures = child.figures() or Figures()
            looks.append(Look(now_s, figures.total("lag_records"), figures.total("training_share")))
            time.sleep(_LOOK_EVERY_S)
        sending.result()
    return looks


def _send(settings: Settings, messages: Messages, start: int, phases: Sequence[Phase]) -> None:
    for phase in phases:
        count = round(phase.rate * phase.seconds)
        replay = Replay(settings.kafka.connection(), settings, Pace(phase.rate), None)
        replay.send(messages.batches_of(start, start + count))
        start += count


def draw(looks: Sequence[Look], phases: Sequence[Phase], path: Path) -> None:
    """Draw lag and training share over time."""
    with mpl.rc_context(
        {
            "font.size": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "svg.hashsalt": "springtide",
            "svg.fonttype": "none",
        }
    ):
        figure = Figure(figsize=(9, 4.2), layout="constrained")
        lag, share = figure.subplots(2, 1, sharex=True)
        times = [look.seconds for look in looks]
        lag.plot(times, [look.lag_records for look in looks], color="#d98324")
        lag.set(ylabel="records that wait", ylim=(0, None))
        share.plot(times, [look.training_share for look in looks], color="#0b6e4f")
        share.set(ylabel="training share", xlabel="seconds", ylim=(0, 1.05))
        start = 0.0
        for phase in phases:
            lag.text(start + phase.seconds / 2, lag.get_ylim()[1], f"{phase.rate:,.0f} events/s", ha="center", va="top")
            start += phase.seconds
            for axes in (lag, share):
                axes.axvline(start, color="#cccccc", linewidth=1)
        figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)


if __name__ == "__main__":
    typer.run(main)
