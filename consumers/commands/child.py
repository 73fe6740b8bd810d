"""``springtide run`` as a child process: started, asked how it does, stopped.

It runs as a user would start it, in an interpreter of its own, and behind a guard: it ends when this process does,
however that ends. What it says goes to a log file, and its last line is the reason when it ends by itself.
"""

import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

from consumers.commands.figures import Figures
from consumers.configuration import to_toml
from consumers.serving.observer import Role
from consumers.settings import ENVIRONMENT_PREFIX, Settings
from stream.errors import SpringtideError
from stream.guard import Guarded

_STOP_WITHIN_S = 30.0
_LOOK_EVERY_S = 0.1
_ANSWER_WITHIN_S = 10.0


class Child:
    """A recommender between `start` and `stop`, or inside a ``with`` block.

    Parameters
    ----------
    settings
        With metrics on a port that is free.
    folder
        Where its settings file and ``run.log`` go.
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings = settings
        self._config = folder / "springtide.toml"
        self._log = folder / "run.log"
        self._process: Guarded | None = None

    def start(self) -> Self:
        """Start it and return when it leads; SpringtideError with its own sentence when it ends instead."""
        self._config.write_text(to_toml(self._settings), encoding="utf-8")
        # The file holds what the environment said already, and what was changed since.
        environment = {name: value for name, value in os.environ.items() if not name.startswith(ENVIRONMENT_PREFIX)}
        command = (sys.executable, "-m", "consumers.cli", "run", "--config", str(self._config))
        with self._log.open("ab") as log:
            self._process = Guarded(command, log, environment)
        while self._get("/readyz") != f"{Role.LEADER}\n":  # at a first start all is compiled, which may take minutes
            self.check()
            time.sleep(_LOOK_EVERY_S)
        return self

    @property
    def url(self) -> str:
        """Where it answers to HTTP."""
        return f"http://{self._settings.metrics.host}:{self._settings.metrics.port}"

    def check(self) -> None:
        """Raise SpringtideError with its last line when it has ended by itself."""
        if self._process is not None and not self._process.running():
            message = f"The recommender has ended by itself: {self._last_line()}"
            raise SpringtideError(message)

    def figures(self) -> Figures | None:
        """Look at its metrics; None while it does not answer."""
        text = self._get("/metrics")
        return None if text is None else Figures(text)

    def stop(self) -> None:
        """Stop it cleanly and wait for it; does nothing when it does not run."""
        process, self._process = self._process, None
        if process is not None:
            process.stop(_STOP_WITHIN_S)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _get(self, path: str) -> str | None:
        try:
            with urllib.request.urlopen(self.url + path, timeout=_ANSWER_WITHIN_S) as answer:
                text: str = answer.read().decode()
                return text
        except urllib.error.HTTPError as refused:
            refused.close()
            return None
        except OSError:
            return None

    def _last_line(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
