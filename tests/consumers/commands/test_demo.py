import datetime as dt
import io
import os
import re
import signal
import socket
import subprocess
import sys
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from consumers.commands.demo import _Show
from consumers.commands.figures import Figures
from stream.recommendations import Model, Recommendation, Trigger

# A suite that was started in the background ignores Ctrl-C, and its children would too.
_INTERRUPTIBLE = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from consumers.cli import main; main()"
)


class Demo:
    """The demo as a process of its own, its temporary files in a folder of the test."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder / "tmp"
        self.folder.mkdir()
        self.process = subprocess.Popen(
            [sys.executable, "-c", _INTERRUPTIBLE, "demo", *arguments],
            cwd=folder,
            env={**os.environ, "TMPDIR": str(self.folder), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said = ""

    def wait_for(self, words: str) -> None:
        assert self.process.stdout is not None
        while words not in self.said:
            line = self.process.stdout.readline()
            assert line, self.said
            self.said += line

    def end(self) -> int:
        out, self.complaints = self.process.communicate(timeout=120)
        self.said += out
        return self.process.returncode

    def left_something(self) -> bool:
        """Whether the broker still listens, or one of our files is left."""
        found = re.search(r"listens at 127\.0\.0\.1:(\d+)", self.said)
        assert found is not None
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", int(found[1]))) == 0 or any(self.folder.glob("springtide*"))


def test_it_ends_by_itself_with_a_summary_and_leaves_nothing(tmp_path: Path) -> None:
    demo = Demo(tmp_path, "--events", "300")

    assert demo.end() == 0, demo.complaints
    assert "synthetic" in demo.said
    assert "Live page: http://127.0.0.1:" in demo.said
    assert "300 events dealt with, 300 lists seen" in demo.said
    for words in ("p50", "p99", "final list", "transitions", "published"):
        assert words in demo.said
    assert not demo.left_something()


def test_a_file_is_played_in_order_of_time_and_an_interrupt_ends_it_cleanly(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text("user,item,ts\n" + "".join(f"u{n % 3},i{n % 5},{1767232800 - n}\n" for n in range(900)))
    demo = Demo(tmp_path, "--file", str(path), "--rate", "20")
    demo.wait_for("  2026-01-01 01:4")  # the last row is the first event, at 01:45:01
    demo.process.send_signal(signal.SIGINT)

    assert demo.end() == 130
    assert demo.complaints == ""
    assert "events.csv" in demo.said
    assert "events dealt with" in demo.said
    assert not demo.left_something()


def test_the_summary_waits_for_lists_that_are_counted_and_not_yet_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who reads committed lists sees a commit a moment after the recommender has counted it."""
    counted = Figures(
        'springtide_events_total{outcome="accepted"} 2\n'
        'springtide_events_total{outcome="erased"} 1\n'
        "springtide_lists_total 3\n"  # two lists and a removal
    )
    child = SimpleNamespace(check=lambda: None, figures=lambda: counted)
    sender = SimpleNamespace(events=2, finished=lambda: True, dealt_with=lambda _: None)
    moments = count(step=0.6)  # a look at the figures for each batch
    monkeypatch.setattr("consumers.commands.demo.time", SimpleNamespace(monotonic=lambda: next(moments)))
    unread = iter([[], [recommendation("a")], [], [recommendation("b")], [], []])
    said = io.StringIO()

    _Show(unread, child, sender, Console(file=said)).run()  # type: ignore[arg-type]

    assert "2 lists seen" in said.getvalue()
    assert len(list(unread)) == 2, "it ends with the second list"


def recommendation(user: str) -> Recommendation:
    return Recommendation(
        rec_id=user,
        user_id=user,
        items=[],
        rest=1.0,
        trigger=Trigger(event_id=user, topic="interactions", partition=0, offset=0),
        model=Model(version="1", events_learned=0),
        event_time=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    )
