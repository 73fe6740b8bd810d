"""/livez and /readyz over HTTP, held against processes of which is known how they are."""

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from consumers.pipeline import Decisions, Outputs
from consumers.service import Service
from consumers.serving.task import Task
from consumers.web.endpoint import Endpoint
from stream.events import Decoded
from stream.memory import MemoryLog
from tests.consumers.bench import PATIENCE_S, Bench
from tests.consumers.toy import Notes, Toy

HEALTHY = {"/livez": (200, "yes\n"), "/readyz": (200, "leader\n")}
STANDBY = {"/livez": (200, "yes\n"), "/readyz": (200, "standby\n")}
RECOVERING = {"/livez": (200, "yes\n"), "/readyz": (503, "recovering\n")}
STALLED = (503, "no\n")
TOO_LONG_S = 121.0


class Clock:
    def __init__(self) -> None:
        self.now_s = 5_000.0

    def __call__(self) -> float:
        return self.now_s


class Gate:
    """Where a pipeline hangs, once it is shut, until it is opened."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self._hangs = threading.Event()
        self.open()

    def shut(self) -> None:
        self._hangs.clear()
        self._open.clear()

    def open(self) -> None:
        self._open.set()

    def pass_through(self) -> None:
        if not self._open.is_set():
            self._hangs.set()
            assert self._open.wait(PATIENCE_S)

    def wait_until_it_hangs(self) -> None:
        assert self._hangs.wait(PATIENCE_S)


class Rounds(Notes):
    """Counts how often the loop of a leader goes round."""

    rounds = 0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        if name == "poll":
            with self._changed:
                self.rounds += 1
                self._changed.notify_all()
        yield


class Looking(MemoryLog):
    """Counts how often somebody looks at the end of the journal, as a standby does again and again."""

    looks = 0

    def journal_bounds(self) -> tuple[int, int]:
        with self._broker.changed:
            self.looks += 1
            self._broker.changed.notify_all()
        return super().journal_bounds()


class Process:
    """A service with an endpoint, a gate in its pipeline and a clock that stands still."""

    def __init__(self, bench: Bench, gate: Gate) -> None:
        self.clock = Clock()
        self.gate = gate
        self.notes = Rounds(bench.broker.changed)
        self.log = Looking(bench.broker)
        self._bench = bench
        settings = bench.settings

        class Gated(Toy):
            def recommend(self, batch: Sequence[Decoded], decisions: Decisions) -> Outputs:
                gate.pass_through()
                return super().recommend(batch, decisions)

        task = Task(self.log, "app", "kind", Path(settings.state.dir), lambda epoch: Gated(settings, epoch))
        self.service = Service(task, settings, self.notes, now_ms=lambda: 1_700_000_010_000, clock_s=self.clock)
        self._endpoint = Endpoint("127.0.0.1", 0, CollectorRegistry(), self.service.live, self.service.role)
        self._thread = threading.Thread(target=self.service.run)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.gate.open()
        self.service.stop()
        self._thread.join(PATIENCE_S)

    @contextmanager
    def shown(self) -> Iterator["Process"]:
        with self._endpoint:
            try:
                yield self
            finally:
                if self._thread.is_alive():
                    self.stop()

    def says(self) -> dict[str, tuple[int, str]]:
        return {path: self._get(path) for path in ("/livez", "/readyz")}

    def goes_round(self) -> None:
        """Wait for two more rounds, of a leader or a standby: the first may have begun before."""
        rounds, looks = self.notes.rounds, self.log.looks
        self._bench.wait(lambda: self.notes.rounds >= rounds + 2 or self.log.looks >= looks + 2)

    def _get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self._endpoint.url + path, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def process(bench: Bench) -> Iterator[Process]:
    with Process(bench, Gate()).shown() as process:
        yield process


def test_before_it_runs_it_recovers(process: Process) -> None:
    assert process.says() == RECOVERING
    process.clock.now_s += TOO_LONG_S
    assert process.says()["/livez"] == STALLED


def test_a_healthy_leader_is_live_however_long_it_runs(bench: Bench, process: Process) -> None:
    process.start()
    bench.wait(lambda: process.notes.led == [True])
    for _ in range(3):
        process.clock.now_s += TOO_LONG_S
        process.goes_round()
        assert process.says() == HEALTHY
    bench.produce(20)
    bench.wait(bench.caught_up)
    assert process.says() == HEALTHY
    process.stop()
    assert process.says()["/readyz"] == (503, "recovering\n")


def test_a_leader_whose_loop_hangs_is_not_live_until_it_goes_on(bench: Bench, process: Process) -> None:
    process.start()
    bench.wait(lambda: process.notes.led == [True])
    process.gate.shut()
    bench.produce(20)
    process.gate.wait_until_it_hangs()
    assert process.says() == HEALTHY
    process.clock.now_s += TOO_LONG_S
    assert process.says() == {**HEALTHY, "/livez": STALLED}
    process.gate.open()
    bench.wait(bench.caught_up)
    process.goes_round()
    assert process.says() == HEALTHY


def test_who_recovers_is_live_and_not_ready_and_when_it_hangs_neither(bench: Bench, process: Process) -> None:
    bench.produce(40)
    assert bench.run_until(bench.caught_up) is None
    for snapshot in bench.settings.state.dir.glob("snapshot-*"):
        snapshot.rename(bench.settings.state.dir / f"away-{snapshot.name}")
    process.gate.shut()
    process.start()
    process.gate.wait_until_it_hangs()
    assert process.says() == RECOVERING
    process.clock.now_s += TOO_LONG_S
    assert process.says() == {**RECOVERING, "/livez": STALLED}
    process.gate.open()
    bench.wait(lambda: process.notes.led == [True])
    process.goes_round()
    assert process.says() == HEALTHY


def test_a_standby_is_live_and_ready_and_leads_when_it_must(bench: Bench, process: Process) -> None:
    other = MemoryLog(bench.broker)
    bench.broker.leader = other
    process.start()
    bench.wait(lambda: process.notes.roles[-1:] == ["standby"])
    for _ in range(3):
        process.clock.now_s += TOO_LONG_S
        process.goes_round()
        assert process.says() == STANDBY
    other.close()
    bench.wait(lambda: process.notes.led == [True])
    process.goes_round()
    assert process.says() == HEALTHY
