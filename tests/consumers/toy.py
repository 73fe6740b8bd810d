"""A pipeline whose state is one number that depends on all events, their order, their batches and the decisions.

Small enough to run thousands of batches in a test, and as sensitive to a lost, doubled or reordered event as can be.
Run as a module it leads a task on Kafka until it is killed.
"""

import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from zlib import crc32

import numpy as np

from consumers.commands.run import stopping_on_signals
from consumers.pipeline import Decisions, Learned, Outputs
from consumers.service import Service
from consumers.serving.contents import Contents
from consumers.serving.observer import Role
from consumers.serving.task import Task
from consumers.settings import Settings
from models.recommender import Milestone
from stream.dead_letters import dead_letter
from stream.events import Decoded, Decoder, Erase, Interaction
from stream.kafka import KafkaLog
from stream.kafka_clients import Connection
from stream.log import Log, OutputRecord
from stream.recommendations import rec_id
from stream.snapshots import State
from stream.topics import ensure_topics

ROOT = Path(__file__).parents[2]
RAISES_IN_RECOMMEND, RAISES_IN_LEARN = "raises in recommend", "raises in learn"


class Toy:
    """Answers each event with its rec_id, and learns a running hash."""

    def __init__(self, settings: Settings, epoch: int) -> None:
        self.decoder = Decoder()
        self.watermark_ms: int | None = None
        self.batches = 0  # since it was made
        self.milestone: Milestone | None = None
        self.times_ms: list[int] = []  # of the events in the order in which they came
        self.decisions: list[Decisions] = []
        self._settings = settings
        self._epoch = epoch
        self._hash = b"\0" * 32
        self._pending = b""
        self._raises = False

    def recommend(self, batch: Sequence[Decoded], decisions: Decisions) -> Outputs:
        outputs = Outputs()
        self._hash = hashlib.sha256(b"half" + self._hash).digest()
        for decoded in batch:
            record = decoded.record
            if decoded.error is not None:
                name = self._settings.application.name
                outputs.dead.append(
                    dead_letter(record, decoded.error, stage="decode", application=name, version="1", group=name)
                )
                outputs.reasons.append(decoded.error.reason)
                continue
            event = decoded.events[0]
            if isinstance(event, Interaction) and event.item_id == RAISES_IN_RECOMMEND:
                raise ZeroDivisionError(event.item_id)
            self.times_ms.append(decoded.time_ms)
            outputs.erased += isinstance(decoded.events[0], Erase)
            outputs.accepted += 1
            name = self._settings.application.name
            body = {
                "rec_id": rec_id(name, self._epoch, record.topic, record.partition, record.offset, 0),
                "offset": record.offset,
                "learned": self._hash.hex(),
            }
            key = decoded.events[0].user_id.encode()
            outputs.lists.append(
                OutputRecord(self._settings.publish.topic, record.partition, key, json.dumps(body).encode())
            )
        self._raises = any(
            isinstance(event, Interaction) and event.item_id == RAISES_IN_LEARN for one in batch for event in one.events
        )
        self.decisions.append(decisions)
        places = [(one.record.partition, one.record.offset) for one in batch]
        self._pending = repr((places, decisions)).encode()
        return outputs

    def learn(self) -> Learned:
        self._hash = hashlib.sha256(b"more" + self._hash).digest()
        if self._raises:
            raise FloatingPointError(RAISES_IN_LEARN)
        self.batches += 1
        self._hash = hashlib.sha256(self._hash + self._pending).digest()
        self.milestone = Milestone(0, crc32(self._hash))
        rows, times = np.zeros(0, np.int32), np.zeros(0, np.int64)
        return Learned(rows, rows, times, np.zeros((0, 1), np.int32), rows.astype(np.bool_), times, rows, times)

    def dead_letter(self, decoded: Decoded, error: Exception) -> OutputRecord:
        name = self._settings.application.name
        return dead_letter(decoded.record, error, stage="model", application=name, version="1", group=name)

    def state(self) -> State:
        return {"hash": np.frombuffer(self._hash, np.uint8).copy()}

    def restore(self, state: State) -> None:
        self._hash = state["hash"].tobytes()
        self.milestone = None


class Notes:
    """An observer that remembers what it was told, and wakes up who waits for `changed`."""

    def __init__(self, changed: threading.Condition) -> None:
        self._changed = changed
        self.roles: list[Role] = []
        self.recoveries_s: list[float] = []
        self.left: list[int] = []
        self.snapshots = 0
        self.snapshot_failures = 0
        self.stages: set[str] = set()
        self.backlogs: list[int] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self.stages.add(name)
        yield

    @contextmanager
    def transaction(self) -> Iterator[None]:
        yield

    def answered(self, outputs: Outputs, timestamps_ms: Sequence[int], now_ms: int) -> None:
        assert len(timestamps_ms) == len(outputs.lists) + len(outputs.dead)

    def learned(self, learned: Learned) -> None:
        pass

    def stands(self, pipeline: object) -> None:
        pass

    def behind(self, records: int, oldest_ms: int | None, now_ms: int) -> None:
        self.backlogs.append(records)

    def takes(self, role: Role) -> None:
        with self._changed:
            self.roles.append(role)
            self._changed.notify_all()

    @property
    def led(self) -> list[bool]:
        """Whether it led, each time that this changed."""
        leads = [role is Role.LEADER for role in self.roles]
        return [now for before, now in zip([False, *leads], leads, strict=False) if before != now]

    def trains(self, share: float) -> None:
        pass

    def follows(self, left: int) -> None:
        self.left.append(left)

    def restored(self, seconds: float) -> None:
        self.recoveries_s.append(seconds)

    def snapshot(self, contents: Contents, now_ms: int) -> None:
        self.snapshots += 1

    def snapshot_failed(self) -> None:
        self.snapshot_failures += 1


class Said(Notes):
    """Says its roles on stdout."""

    def takes(self, role: Role) -> None:
        if role not in self.roles[-1:]:
            print(role, flush=True)
        super().takes(role)


def toy_task(log: Log, settings: Settings, made: list[Toy]) -> Task[Toy]:
    """A task whose pipelines are noted in `made`."""

    def make(epoch: int) -> Toy:
        made.append(Toy(settings, epoch))
        return made[-1]

    return Task(log, settings.application.name, settings.settings_hash(), Path(settings.state.dir), make)


def toy_settings(prefix: str, folder: Path, **sections: dict[str, object]) -> Settings:
    """Settings of a task whose names begin with `prefix`; `sections` adds to or replaces them."""
    values: dict[str, dict[str, object]] = {
        "application": {"name": f"{prefix}app"},
        "input": {"topic": f"{prefix}in", "partitions": 2},
        "publish": {"topic": f"{prefix}out"},
        "state": {"dir": str(folder), "snapshot_every": "1h"},
        "batch": {"max_records": 7, "latency": "1ms"},
    }
    for section, changes in sections.items():
        values[section] = values.get(section, {}) | changes
    return Settings(**values)  # type: ignore[arg-type]  # pydantic makes sections of the tables


@contextmanager
def leading(bootstrap: str, prefix: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that leads on Kafka; it is killed in the end if it has not ended by then."""
    command = [sys.executable, "-m", "tests.consumers.toy", bootstrap, prefix, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "starts\n"
            yield process
        finally:
            process.kill()


def main() -> None:
    """Lead on Kafka: ``python -m tests.consumers.toy BOOTSTRAP PREFIX FOLDER``."""
    bootstrap, prefix, folder = sys.argv[1:]
    settings = toy_settings(prefix, Path(folder), state={"snapshot_every": "1s"})
    connection = Connection(bootstrap)
    topics = ensure_topics(connection, settings.topics())
    log = KafkaLog(connection, settings.application.name, topics, session_timeout_ms=6_000)
    print("starts", flush=True)
    service = Service(toy_task(log, settings, []), settings, Said(threading.Condition()))
    with stopping_on_signals(service):
        service.run()


if __name__ == "__main__":
    main()
