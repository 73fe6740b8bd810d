"""Runs a command and ends it when whoever started it is gone.

A child of a Python process that may be killed at any moment could be left behind: a Java would keep its port and its
data directory, a recommender its lease. So a small guard stands between the two: it holds the read end of a pipe whose
write end only its parent has. When that end closes, by intent or by kill -9, the command gets a SIGTERM and the guard
waits for it.

`Guarded` is the parent's side. The guard itself is this file run as a script, isolated from the packages around it:
``python -I guard.py COMMAND ARGUMENT...``
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import IO


class Guarded:
    """A command that runs behind a guard from now until `stop`, in a session of its own.

    Parameters
    ----------
    command
        Program and arguments.
    log
        Where its standard output and its standard error go.
    environment
        Its environment variables; None: those of this process.
    held
        File descriptors that stay open until the guard ends, even when this process is killed.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: IO[bytes],
        environment: Mapping[str, str] | None = None,
        held: Sequence[int] = (),
    ) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, *command],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=environment,
            pass_fds=held,
            start_new_session=True,
        )

    def running(self) -> bool:
        """Whether it has not ended, by `stop` or by itself."""
        return self._process.poll() is None

    def stop(self, within_s: float) -> None:
        """End it cleanly and wait for it; what has not ended within `within_s` is killed."""
        assert self._process.stdin is not None
        self._process.stdin.close()  # what the guard waits for
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def main() -> int:
    """Run the command of the arguments until it ends or standard input closes; return its exit code."""
    command = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)

    def end_with_parent() -> None:
        os.read(sys.stdin.fileno(), 1)  # returns when the pipe closes; nobody writes to it
        command.terminate()

    threading.Thread(target=end_with_parent, daemon=True).start()
    return command.wait()


if __name__ == "__main__":
    sys.exit(main())
