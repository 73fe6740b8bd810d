"""Everything in one command: Kafka, a stream, the recommender, and its lists as they go out.

Three processes, so that nobody waits for another's interpreter: the embedded broker, ``springtide run``, and this one,
which sends the stream and watches the lists. All that they keep is in a temporary folder.

Without a rate the stream comes as fast as lists go out: only so many events are on the way at a time, so that the
end-to-end time is that of a busy recommender and not that of a queue.
"""

import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from consumers.commands.child import Child
from consumers.commands.figures import FINAL_LIST, Figures
from consumers.commands.replay import Pace, Replay
from consumers.commands.reporting import start_broker
from consumers.commands.tail import Newest, line, subscribe, table
from consumers.configuration import load
from consumers.files.reading import EventBatch, EventFile, by_time
from consumers.files.synthetic import DESCRIPTION, synthetic
from consumers.settings import Kafka, Metrics, Settings, State
from stream.recommendations import Recommendation
from stream.topics import ensure_topics

_ON_THE_WAY = 128  # events: with more the lists go out faster, and later
_STEP = 16
_LOOK_EVERY_S = 0.5
_SAY_EVERY_S = 2.0
_ROWS = 10


def demo(file: EventFile | None, *, events: int, rate: float | None, seed: int, console: Console) -> None:
    """Show it all, for `events` events of a file or of the synthetic stream, and print what it came to.

    Raises SettingsError, FileFormatError, BrokerError and what the recommender says when it cannot run.
    """
    interruptible = signal.getsignal(signal.SIGINT)
    stream, name = (synthetic(events, seed), DESCRIPTION) if file is None else (by_time(file), file.path.name)
    try:
        with ExitStack() as stack:
            try:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="springtide-demo-")))
                broker = start_broker(None, None, console)
                stack.callback(broker.stop)
                settings = _settings(folder, broker.bootstrap)
                ensure_topics(settings.kafka.connection(), settings.topics())
                console.print(f"Apache Kafka listens at {broker.bootstrap}; {name}.", highlight=False, soft_wrap=True)
                starting = "Starting the recommender; where nothing is compiled yet, this takes some minutes"
                if not console.is_terminal:  # which would show the status
                    console.print(f"{starting}.", soft_wrap=True)
                with console.status(starting):
                    child = stack.enter_context(Child(settings, folder))
                console.print(f"Live page: {child.url}/", highlight=False, soft_wrap=True)
                lists = subscribe(settings.kafka.connection(), settings.publish.topic)
                next(lists)  # from here on none is missed
                sender = _Sender(settings, stream, name, rate)
                stack.callback(sender.stop)
                _Show(lists, child, sender, console).run()
            finally:
                signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not disturb the cleaning up
    finally:
        signal.signal(signal.SIGINT, interruptible)


def _settings(folder: Path, bootstrap: str) -> Settings:
    """Return the user's settings with a broker, a state and a metrics port for this demo only."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = {"kafka": Kafka(bootstrap=bootstrap), "state": State(dir=folder / "state"), "metrics": Metrics(port=port)}
    return load().model_copy(update=own)


class _Sender:
    """Sends the stream from a thread of its own; without a rate never more ahead of the lists than `_ON_THE_WAY`."""

    def __init__(self, settings: Settings, stream: Iterable[EventBatch], source: str, rate: float | None) -> None:
        self._replay = Replay(settings.kafka.connection(), settings, Pace(rate), source.partition(":")[0])
        self._stream = stream
        self._bounded = rate is None
        self._room = threading.Semaphore(1)  # what comes first meets kernels that are not compiled yet: one event
        self._dealt_with = 0
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._send, name="springtide-sender", daemon=True)
        self._thread.start()

    @property
    def events(self) -> int:
        """How many have been sent."""
        return self._replay.sent.events

    def finished(self) -> bool:
        """Whether all has been sent; raises what has kept it from that."""
        if self._failure is not None:
            raise self._failure
        return not self._thread.is_alive()

    def dealt_with(self, events: int) -> None:
        """Make room for as many as have been dealt with since the last call: `events` in all."""
        fresh = events - self._dealt_with
        if fresh > 0:
            self._room.release(fresh + (_ON_THE_WAY if self._dealt_with == 0 else 0))
            self._dealt_with = events

    def stop(self) -> None:
        """Send no more."""
        self._replay.stop()
        self._room.release(_STEP)
        self._thread.join()

    def _send(self) -> None:
        try:
            self._replay.send(self._steps())
        except Exception as error:  # raised again by `finished`, in the thread that shows it
            self._failure = error

    def _steps(self) -> Iterator[EventBatch]:
        first = True
        for batch in self._stream:
            start = 0
            while start < len(batch):
                step = batch.take(np.arange(start, min(start + (1 if first else _STEP), len(batch))))
                for _ in range(len(step) if self._bounded else 0):
                    self._room.acquire()
                yield step
                start, first = start + len(step), False


class _Show:
    """Watches the lists until every event that was sent has been dealt with, then sums up."""

    def __init__(
        self, batches: Iterator[list[Recommendation]], child: Child, sender: _Sender, console: Console
    ) -> None:
        self._batches = batches
        self._child = child
        self._sender = sender
        self._console = console
        self._newest = Newest(_ROWS)
        self._figures = Figures()
        self._lists = 0
        self._began: tuple[float, int] | None = None  # when the first list came, and what was processed by then
        self._ended = 0.0

    def run(self) -> None:
        """Show the lists live on a terminal, as a line now and then elsewhere; the sum in any case."""
        try:
            if self._console.is_terminal:
                with Live(console=self._console, auto_refresh=False, transient=True) as live:
                    for _ in self._looks():
                        live.update(Group(self._status(), table(self._newest, "")), refresh=True)
            else:
                said = 0.0
                for now in self._looks():
                    if self._lists and now - said >= _SAY_EVERY_S:
                        said = now
                        self._console.print(self._status(), soft_wrap=True)
                        self._console.print(Text(f"  {line(next(iter(self._newest)))}"), soft_wrap=True)
        finally:
            self._sum_up()

    def _looks(self) -> Iterator[float]:
        """Take in lists, and yield the time at each look at the figures, until all is done."""
        looked = 0.0
        for batch in self._batches:
            self._lists += len(batch)
            self._newest.add(batch)
            now = time.monotonic()
            if batch and self._began is None:
                self._began = now, self._lists
            listless = self._figures.processed() - self._figures.lists()
            self._sender.dealt_with(self._lists + max(listless, 0))
            if now - looked < _LOOK_EVERY_S:
                continue
            looked = now
            self._child.check()
            self._figures = self._child.figures() or self._figures
            yield now
            if self._done():
                self._ended = now
                return

    def _done(self) -> bool:
        if not self._sender.finished():
            return False
        figures = self._figures
        learned = round(figures.total("events_total", outcome="learned"))
        dealt_with = figures.processed() >= self._sender.events and figures.tested() >= learned
        return dealt_with and self._lists >= figures.lists()  # a reader sees a commit a moment after who made it

    def _status(self) -> Text:
        hit_ratio, _ = self._figures.prequential().get(FINAL_LIST, (0.0, 0.0))
        return Text(
            f"{self._sender.events:,} events sent, {self._lists:,} lists, {self._rate():,.0f} events/s; "
            f"the next item was foreseen among ten in {hit_ratio:.0%}"
        )

    def _rate(self) -> float:
        """Events a second since the first list came."""
        if self._began is None:
            return 0.0
        began, before = self._began
        return max(self._figures.processed() - before, 0) / max((self._ended or time.monotonic()) - began, 1e-3)

    def _sum_up(self) -> None:
        figures = self._figures
        middle, late = (figures.quantile("end_to_end_seconds", q) for q in (0.5, 0.99))
        self._console.print(
            f"{figures.processed():,} events dealt with, {self._lists:,} lists seen, {self._rate():,.0f} events/s\n"
            f"end to end, from the event in Kafka to its list committed: p50 {middle:.3f} s, p99 {late:.3f} s",
            soft_wrap=True,
        )
        grid = Table(show_edge=False, caption="over users met before, from the first event on", caption_justify="left")
        grid.add_column("scorer")
        grid.add_column("HR@10", justify="right")
        grid.add_column("NDCG@10", justify="right")
        named = {"final list": figures.prequential().get(FINAL_LIST, (0.0, 0.0))} | figures.prequential()
        for scorer, (hits, gain) in named.items():
            if scorer != FINAL_LIST:
                grid.add_row(scorer, f"{hits:.4f}", f"{gain:.4f}")
        grid.add_section()
        hits, gain = figures.published()
        grid.add_row("published: in the list that was out", f"{hits:.4f}", f"{gain:.4f}")
        self._console.print(grid)
