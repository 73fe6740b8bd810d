"""One process of a task, as the harness sees it: what it says, and what is done to it."""

import os
import signal
import time
from contextlib import suppress
from multiprocessing.context import ForkServerContext, ForkServerProcess

from tests.faults.child import Plan, serve

PATIENCE_S = 120.0


class Member:
    """A process that was started by a plan; it says what it does until it ends."""

    def __init__(self, context: ForkServerContext, plan: Plan) -> None:
        self._pipe, theirs = context.Pipe(duplex=False)
        self._process: ForkServerProcess = context.Process(target=serve, args=(plan, theirs), daemon=True)
        self._process.start()
        theirs.close()
        self.roles: list[str] = []
        self.sentence = ""
        """What it ended with, where it could not go on."""

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process.pid is not None
        return self._process.pid

    def hear(self, timeout_s: float = PATIENCE_S) -> str | None:
        """Wait for its next word and return that; None when none came in time, or none will."""
        try:
            if not self._pipe.poll(timeout_s):
                return None
            what, more = self._pipe.recv()
        except (EOFError, OSError):
            return None
        if what == "role":
            self.roles.append(more)
            return str(more)
        if what == "ended":
            self.sentence = more
        return str(what)

    def wait_for(self, word: str) -> bool:
        """Wait until it says this; False when it ended before."""
        while heard := self.hear():
            if heard == word:
                return True
        return False

    def listen(self, seconds: float) -> bool:
        """Hear all that it says for so long; False when it has ended by then."""
        deadline = time.monotonic() + seconds
        while (left_s := deadline - time.monotonic()) > 0:
            if self.hear(left_s) is None:
                break
        return self._process.is_alive()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it lives."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it, and wait for its end."""
        self.signal(signal.SIGKILL)
        self.end()

    def stop(self) -> int:
        """Ask it to stop, and return its exit code."""
        self.signal(signal.SIGTERM)
        return self.end()

    def end(self) -> int:
        """Wait for its end, and return its exit code."""
        while self.hear() is not None:
            pass
        self._process.join(PATIENCE_S)
        code = self._process.exitcode
        if code is None:
            self.signal(signal.SIGKILL)
            message = "A process of the task does not end."
            raise TimeoutError(message)
        return code
