"""Work on a copy of this process, while it goes on.

The system copies a process without copying its memory: pages are shared until one of the two writes to them. So in the
copy the state stands still, however long it takes to write it down, and the loop pauses for the fork alone: a moment
that grows with the page tables, eight bytes for each four KiB.

Of all threads only the one that forks goes on in the copy, and a lock that another one held stays locked there. So the
copy does nothing that may need one: no log, no Kafka. Its connections and ports are closed at once, or they would stay
open when its parent dies; it dies with its parent; memory that runs out takes it first; and it has so much time and no
more.
"""

import ctypes
import gc
import math
import os
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import NoReturn

_SAME_DEATH = 1  # PR_SET_PDEATHSIG of prctl(2)
_STANDARD_STREAMS = 3
_LOOK_EVERY_S = 0.1
_DONE, _RAISED = b"d", b"r"  # before what is said


class ApartError(Exception):
    """The copy raised, was killed, or was not done in time."""


class Apart:
    """A copy of this process that does one thing, from now until `result`.

    Parameters
    ----------
    work
        What it does; what it returns comes back.

    Raises
    ------
    ApartError
        When the system makes no copy, because processes, open files or memory are at their limit.
    """

    def __init__(self, work: Callable[[], bytes]) -> None:
        prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
        parent = os.getpid()
        try:
            self._answer, answer = Pipe(duplex=False)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads: see above
                self._pid = os.fork()
        except OSError as error:
            message = f"No copy of the process can be made ({error})."
            raise ApartError(message) from error
        if self._pid == 0:
            if prctl is not None:
                prctl(_SAME_DEATH, signal.SIGKILL)
            _settle_in(answer.fileno())
            _work_and_end(work, answer if os.getppid() == parent else None)
        answer.close()
        self._until_s = math.inf

    def hurry(self, within_s: float) -> None:
        """Let `result` wait no longer than so much from now; called from any thread."""
        self._until_s = min(self._until_s, time.monotonic() + within_s)

    def result(self, within_s: float) -> bytes:
        """Wait for what the work returns.

        Raises
        ------
        ApartError
            When the copy raised, was killed, or was not done in time.
        """
        self.hurry(within_s)
        answer, code = b"", 0
        try:
            while not self._answer.poll(_LOOK_EVERY_S):
                if time.monotonic() >= self._until_s:
                    os.kill(self._pid, signal.SIGKILL)
                    break
            with suppress(EOFError):
                answer = self._answer.recv_bytes()
        finally:
            self._answer.close()
            with suppress(ChildProcessError):  # where SIGCHLD is ignored, nobody is told how a process ended
                code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        if not answer:
            message = f"The copy of the process ended with {code}, or was not done in time."
            raise ApartError(message)
        if answer[:1] == _RAISED:
            raise ApartError(answer[1:].decode())
        return answer[1:]


def _settle_in(answer: int) -> None:
    """Let go of all that is the parent's alone; `answer` is an open file that is needed."""
    gc.disable()  # it would write to pages that are shared
    for ended in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ended, signal.SIG_IGN)  # the parent's, which waits for this one
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    os.closerange(_STANDARD_STREAMS, answer)
    os.closerange(answer + 1, os.sysconf("SC_OPEN_MAX"))


def _work_and_end(work: Callable[[], bytes], answer: Connection | None) -> NoReturn:
    """Do the work and say what came of it, without anything that ends a process in order: that is the parent's."""
    try:
        if answer is not None:
            try:
                said = _DONE + work()
            except BaseException:
                said = _RAISED + traceback.format_exc().encode()
            answer.send_bytes(said)
    finally:
        os._exit(0)
