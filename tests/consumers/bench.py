"""A broker in memory, and the processes that come and go on it: with a toy pipeline, or with the whole one."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from consumers.pipeline import Outputs, Pipeline
from consumers.service import Service
from consumers.serving.recovery import Follower
from consumers.serving.task import Task
from consumers.settings import Settings
from stream import journal, snapshots
from stream.dead_letters import read_dead_letter
from stream.memory import CrashedError, MemoryBroker, MemoryLog
from tests.consumers.stream import MINUTE, NOON, round_robin
from tests.consumers.toy import RAISES_IN_LEARN, RAISES_IN_RECOMMEND, Notes, Toy, toy_settings, toy_task

PATIENCE_S = 100

_REASONS = {
    b"not json": "bad_json",
    RAISES_IN_RECOMMEND.encode(): "ZeroDivisionError",
    RAISES_IN_LEARN.encode(): "FloatingPointError",
}


class Bench:
    """One broker in memory and the processes that come and go on it."""

    def __init__(self, folder: Path, **sections: dict[str, object]) -> None:
        self.settings: Settings = toy_settings("", folder, **sections)
        self.broker = MemoryBroker("in", 2)
        self.made: list[Toy] = []
        self.notes = Notes(self.broker.changed)
        self.clock_s: Callable[[], float] = time.monotonic

    def produce(self, count: int, items: Mapping[int, str] | None = None) -> None:
        """Events whose times alternate between the partitions, and every tenth of them unreadable.

        `items` names the items of some; those on which a model raises must not be unreadable.
        """
        for number in range(count):
            source = self.broker.sources[number % 2]
            item = (items or {}).get(number, "i")
            event = {"user_id": f"u{number % 5}", "item_id": item, "event_time": 1_700_000_000_000 + number * 1000}
            value = b"not json" if number % 10 == 9 else json.dumps(event).encode()
            self.broker.append(source, value, b"key", timestamp_ms=1_700_000_000_000 + number)

    def service(self, *, rebuild: bool = False) -> Service[Toy]:
        task = toy_task(MemoryLog(self.broker), self.settings, self.made)
        return Service(
            task, self.settings, self.notes, rebuild=rebuild, now_ms=lambda: 1_700_000_010_000, clock_s=self.clock_s
        )

    def beside(self, folder: Path) -> "Bench":
        """Return another process on the same broker, with a folder of its own."""
        other = Bench(folder)
        other.broker, other.notes = self.broker, Notes(self.broker.changed)
        return other

    @contextmanager
    def running(self) -> Iterator[Service[Toy]]:
        """A process that runs until it dies, or until the end of the block."""
        service = self.service()

        def live() -> None:
            with suppress(CrashedError):
                service.run()

        thread = threading.Thread(target=live)
        thread.start()
        try:
            yield service
        finally:
            service.stop()
            thread.join(PATIENCE_S)

    def wait(self, done: Callable[[], bool]) -> None:
        with self.broker.changed:
            assert self.broker.changed.wait_for(done, PATIENCE_S)

    def run_until(self, done: Callable[[], bool], *, rebuild: bool = False) -> BaseException | None:
        """Run one process until `done`; what it died of, if it did."""
        service = self.service(rebuild=rebuild)
        died: list[BaseException] = []

        def live() -> None:
            try:
                service.run()
            except BaseException as error:
                died.append(error)
            finally:
                with self.broker.changed:
                    self.broker.changed.notify_all()

        thread = threading.Thread(target=live)
        thread.start()
        with self.broker.changed:
            assert self.broker.changed.wait_for(lambda: died or done(), PATIENCE_S)
        service.stop()
        thread.join(PATIENCE_S)
        self.broker.expire_lease()
        return died[0] if died else None

    def caught_up(self) -> bool:
        return all(self.broker.committed.get(source) == end for source, (_, end) in self.broker.bounds().items())

    def settled(self) -> bool:
        """Caught up, and all that cannot be used is a dead letter: the last batch is amended if it has to be."""
        bad = sum(any(mark in (record.value or b"") for mark in _REASONS) for record in self.broker.records("in"))
        return self.caught_up() and len(self.broker.records("in.dlq")) == bad

    def epochs(self) -> set[int]:
        return {journal.decode(value).epoch for value in self.broker.journal}

    def check(self) -> None:
        """Every input has one output, no two are the same, and the journal leads to the leader's state.

        Inputs on which a model raised as they were learned may have been answered before.
        """
        lists = self.broker.records("out")
        answered = Counter((record.partition, json.loads(record.value or b"")["offset"]) for record in lists)
        letters = [letter for record in self.broker.records("in.dlq") if (letter := read_dead_letter(record))]
        dead = Counter((letter.record.partition, int(letter.details["offset"])) for letter in letters)
        inputs = {(record.partition, record.offset): record.value or b"" for record in self.broker.records("in")}
        assert answered.keys() | dead.keys() == inputs.keys()
        assert all(count == 1 for count in (*answered.values(), *dead.values()))
        assert all(RAISES_IN_LEARN.encode() in inputs[place] for place in answered.keys() & dead.keys())
        for letter in letters:
            assert letter.record.value == inputs[letter.record.partition, int(letter.details["offset"])]
            assert letter.reason == next((reason for mark, reason in _REASONS.items() if mark in letter.record.value))
        assert dead.keys() >= {place for place, value in inputs.items() if any(mark in value for mark in _REASONS)}
        identities = Counter(json.loads(record.value or b"")["rec_id"] for record in lists)
        assert identities.total() == len(identities)
        self.check_state()

    def check_state(self) -> None:
        """The journal, followed from its beginning without a snapshot, leads to the state of the last leader."""
        leader = self.made[-1]
        log = MemoryLog(self.broker)
        assert log.acquire(lambda: False)
        nowhere = self.settings.model_copy(update={"state": self.settings.state.model_copy(update={"dir": Path("/x")})})
        followed = Follower(toy_task(log, nowhere, [])).lead().pipeline
        log.close()
        assert snapshots.state_hash(followed.state()) == snapshots.state_hash(leader.state())


class _Quiet(Notes):
    """Takes it that what was erased within a batch is not answered."""

    def answered(self, outputs: Outputs, timestamps_ms: Sequence[int], now_ms: int) -> None:
        assert len(timestamps_ms) >= len(outputs.lists)


class WholeBench:
    """The whole pipeline on a log in memory, one process after the other."""

    def __init__(
        self,
        folder: Path,
        make: Callable[[Settings, int], Pipeline] = Pipeline,
        checkpoint: str | None = None,
        **state: str,
    ) -> None:
        self.settings = Settings.model_validate(
            {"input": {"topic": "in"}, "publish": {"topic": "out"}, "state": {"dir": folder, **state}}
        )
        self.broker = MemoryBroker("in", 1)
        self.dead = 0  # how many dead letters there will be
        self._make = make
        self._checkpoint = checkpoint
        self._events = 0

    def produce(self, *bodies: Mapping[str, object]) -> None:
        for body in bodies:
            time_ms = NOON + self._events * MINUTE
            value = msgspec.json.encode({"event_time": time_ms, "event_id": f"e{self._events}", **body})
            self.broker.append(self.broker.sources[0], value, timestamp_ms=time_ms)
            self._events += 1

    def walk(self, rounds: int) -> None:
        self.produce(*(dict(zip(("user_id", "item_id"), pair.split(), strict=True)) for pair in round_robin(rounds)))

    def run(self) -> Pipeline:
        """Run until all is read, and stop; return the pipeline as it was then."""
        made: list[Pipeline] = []

        def make(epoch: int) -> Pipeline:
            made.append(self._make(self.settings, epoch))
            return made[-1]

        log, kind = MemoryLog(self.broker), self._checkpoint or ""
        task = Task(log, "springtide", kind, self.settings.state.dir, make, self._checkpoint)
        notes = _Quiet(self.broker.changed)
        service = Service(task, self.settings, notes)
        thread = threading.Thread(target=service.run)
        thread.start()
        with self.broker.changed:
            assert self.broker.changed.wait_for(lambda: notes.led[-1:] == [True] and self._caught_up(), PATIENCE_S)
        service.stop()
        thread.join(PATIENCE_S)
        return made[-1]

    def _caught_up(self) -> bool:
        ends = {source: end for source, (_, end) in self.broker.bounds().items()}
        dead = len(self.broker.records("in.dlq")) >= self.dead
        return dead and all(self.broker.committed.get(source) == end for source, end in ends.items())

    def files(self) -> dict[str, bytes]:
        """All bytes of all files in the folder of snapshots."""
        folder = self.settings.state.dir
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
