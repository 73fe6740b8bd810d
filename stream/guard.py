"""Runs a command and ends it when whoever started it is gone.

The embedded broker is a child of a Python process that may be killed at any moment, and a Java left behind would keep
its port and its data directory. So a small guard stands between the two: it holds the read end of a pipe whose write
end only its parent has. When that end closes, by intent or by kill -9, the command gets a SIGTERM and the guard waits
for it.

Run as a script, isolated from the packages around it: ``python -I guard.py COMMAND ARGUMENT...``
"""

import os
import subprocess
import sys
import threading


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
