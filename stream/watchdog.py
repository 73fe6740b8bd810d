"""Ends the process when something takes longer than it may.

Some calls of the Kafka client have no timeout, and a stall is its recurring kind of bug. A process that hangs keeps
its lease and serves nobody; one that ends is restarted, recovers and goes on. So the calls that may hang run under a
limit, and a thread of its own looks at the limits, because the thread that hangs cannot.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from stream.errors import CommitInDoubtError

_log = logging.getLogger(__name__)


class Watchdog:
    """Watches named limits until `close`.

    Parameters
    ----------
    end_process
        Called with an exit code when a limit has passed; the real one does not return and runs no clean-up, which
        could hang as well.
    look_every_s
        How often the limits are looked at.
    """

    def __init__(self, end_process: Callable[[int], object] = os._exit, look_every_s: float = 0.5) -> None:
        self._end_process = end_process
        self._look_every_s = look_every_s
        self._deadlines: dict[str, tuple[float, float]] = {}  # each operation is done by one thread at a time
        self._closed = threading.Event()
        threading.Thread(target=self._watch, name="springtide-watchdog", daemon=True).start()

    @contextmanager
    def limit(self, what: str, seconds: float) -> Iterator[None]:
        """End the process when the block takes longer than `seconds`; `what` begins the sentence that is logged."""
        self._deadlines[what] = (time.monotonic() + seconds, seconds)
        try:
            yield
        finally:
            self._deadlines.pop(what, None)

    def close(self) -> None:
        """Stop watching."""
        self._closed.set()

    def _watch(self) -> None:
        while not self._closed.wait(self._look_every_s):
            now = time.monotonic()
            for what, (deadline, seconds) in list(self._deadlines.items()):
                if now > deadline:
                    _log.critical("%s has not ended within %g s: the process ends; start it again.", what, seconds)
                    self._deadlines.pop(what, None)
                    self._end_process(CommitInDoubtError.exit_code)
