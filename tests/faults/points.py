"""Named moments in the life of a leader, and what may happen to it there.

The steps of the log and of the snapshots are wrapped in the process that is to die, so the product knows nothing of
this. A process dies by its own SIGKILL, which nothing can catch, or is frozen by SIGSTOP until somebody wakes it. What
happens in the copy of it that writes a snapshot happens to both.
"""

import os
import threading
from mmap import mmap
from pathlib import Path
from signal import SIGKILL, Signals
from typing import Any, NamedTuple

import safetensors.numpy
from kafka import KafkaProducer

import stream.kafka

IN_A_TRANSACTION = ("before begin", "mid-send", "after offsets", "during commit", "after commit")
IN_A_SNAPSHOT = ("mid-snapshot write", "before rename", "after rename")


class Point(NamedTuple):
    """One of the names above, how many times it is passed before something happens, and what happens."""

    name: str
    passed: int = 0
    signal: Signals = SIGKILL
    delay_s: float = 0.0  # of a commit: how far into it


def arm(point: Point) -> None:
    """Let this process meet its end, or be frozen, at the point."""
    left = mmap(-1, 1)  # shared with the copies of this process that write snapshots
    left[0] = point.passed + 1
    leader = os.getpid()

    def due(name: str) -> bool:
        if name != point.name or left[0] == 0:
            return False
        left[0] -= 1
        return left[0] == 0

    def happen() -> None:
        os.kill(leader, point.signal)
        if os.getpid() != leader:
            os.kill(os.getpid(), point.signal)

    class Producer(KafkaProducer):  # type: ignore[misc]  # the client has no types
        """Passes the points of a transaction."""

        first = False

        def begin_transaction(self) -> None:
            if due("before begin"):
                happen()
            super().begin_transaction()
            self.first = True

        def send(self, *args: Any, **more: Any) -> Any:
            sent = super().send(*args, **more)
            if self.first and due("mid-send"):
                super().flush()  # the record is with the broker, the rest is not
                happen()
            self.first = False
            return sent

        def send_offsets_to_transaction(self, *args: Any) -> None:
            super().send_offsets_to_transaction(*args)
            if due("after offsets"):
                happen()

        def commit_transaction(self) -> None:
            if due("during commit"):
                threading.Timer(point.delay_s, happen).start()
            super().commit_transaction()
            if due("after commit"):
                happen()

    save, rename = safetensors.numpy.save_file, Path.rename

    def save_file(arrays: Any, path: Any) -> None:
        save(arrays, path)
        if due("mid-snapshot write"):
            os.truncate(path, path.stat().st_size // 2)
            happen()

    def rename_and_note(path: Path, target: Path) -> Path:
        if due("before rename"):
            happen()
        renamed = rename(path, target)
        if due("after rename"):
            happen()
        return renamed

    stream.kafka.KafkaProducer = Producer  # type: ignore[attr-defined]
    safetensors.numpy.save_file = save_file  # type: ignore[assignment]
    Path.rename = rename_and_note  # type: ignore[method-assign,assignment]
