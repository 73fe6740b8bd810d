"""A Prometheus of one test: it scrapes what the test runs, under the rules that are deployed."""

import json
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ruamel.yaml import YAML

from stream.guard import Guarded
from tests.deploy.conftest import DEPLOY

_PATIENCE_S = 120.0
_STOP_WITHIN_S = 20.0
_LOOK_EVERY_S = 0.2


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def load(path: Path) -> Any:
    """Read a file of YAML."""
    return YAML(typ="safe").load(path)


class Server:
    """Prometheus with ``deploy/prometheus.yml``, but for whom it scrapes, and how often."""

    def __init__(self, program: str, folder: Path, targets: Sequence[str]) -> None:
        config = load(DEPLOY / "prometheus.yml")
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        (job,) = config["scrape_configs"]
        job["static_configs"] = [{"targets": list(targets)}]
        config["rule_files"] = [str(DEPLOY / name) for name in config["rule_files"]]
        self._config = folder / "prometheus.yml"
        YAML(typ="safe").dump(config, self._config)
        self._log = folder / "prometheus.log"
        port = free_port()
        self._url = f"http://127.0.0.1:{port}"
        self._moment: float | None = None
        self._command = (
            program,
            f"--config.file={self._config}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
        )

    def __enter__(self) -> Self:
        with self._log.open("ab") as log:
            self._process = Guarded(self._command, log)
        self.wait(self._ready, "Prometheus to be ready")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.stop(_STOP_WITHIN_S)

    def stop_the_clock(self) -> None:
        """Answer every later query as of now, however long a test takes to ask it."""
        self._moment = time.time()

    def query(self, expression: str) -> list[Any]:
        """Return what an instant query finds: series with a value each."""
        asked = {"query": expression} if self._moment is None else {"query": expression, "time": str(self._moment)}
        answer = self._get("/api/v1/query?" + urllib.parse.urlencode(asked))
        found = answer["data"]
        return [found["result"]] if found["resultType"] == "scalar" else list(found["result"])

    def wait(self, done: Any, what: str) -> None:
        """Look until `done` says so."""
        deadline = time.monotonic() + _PATIENCE_S
        while not done():
            assert time.monotonic() < deadline, f"waited for {what}; {self._log.read_text()[-2000:]}"
            time.sleep(_LOOK_EVERY_S)

    def rules(self) -> list[Any]:
        """Return every alert rule as it stands."""
        return [rule for group in self._get("/api/v1/rules")["data"]["groups"] for rule in group["rules"]]

    def _ready(self) -> bool:
        assert self._process.running(), self._log.read_text()
        try:
            with urllib.request.urlopen(f"{self._url}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError as refused:
            refused.close()
            return False
        except OSError:
            return False

    def _get(self, path: str) -> Any:
        try:
            with urllib.request.urlopen(self._url + path, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                message = f"{path}: {error.read().decode()}"
            raise AssertionError(message) from error
