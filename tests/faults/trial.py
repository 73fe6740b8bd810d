"""One task on the broker, the processes that come and go on it, and the reckoning at the end."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import count, islice
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext
from pathlib import Path
from signal import SIGKILL
from tempfile import TemporaryDirectory
from typing import Any

from kafka import KafkaProducer
from kafka.structs import OffsetAndMetadata
from kafka.structs import TopicPartition as KafkaPartition

from consumers.settings import Settings
from stream import snapshots
from stream.errors import CommitInDoubtError, LogError
from stream.kafka_clients import Connection
from stream.kafka_headers import HeaderName
from stream.kafka_reader import RangeReader
from stream.log import Record, TopicPartition
from stream.snapshots import Manifest, State, state_hash
from stream.topics import TaskTopics, ensure_topics
from tests.faults.broker import TwoDoors
from tests.faults.child import Plan, nothing, pipeline
from tests.faults.member import PATIENCE_S, Member
from tests.faults.oracle import Passed, Tally, account, answered, compare, one_pass
from tests.faults.reader import Reader
from tests.faults.stream import PARTITIONS, Sent, walk

_names = count()
_AGAIN = {LogError.exit_code, CommitInDoubtError.exit_code, -SIGKILL}  # of what a restart mends


@dataclass(frozen=True)
class World:
    """What all trials share: a broker, and a process to fork others from."""

    broker: TwoDoors
    context: ForkServerContext
    folder: Path
    proxy_in_use: threading.Lock  # one trial at a time has it

    @classmethod
    @contextmanager
    def opened(cls) -> "Iterator[World]":
        """Start the broker, and stop it in the end."""
        context = get_context("forkserver")
        context.set_forkserver_preload(["tests.faults.warm"])
        first = context.Process(target=nothing)
        first.start()
        first.join()  # kernels that were never compiled here take minutes
        with TwoDoors() as broker, TemporaryDirectory(prefix="springtide-faults-") as folder:
            yield cls(broker, context, Path(folder), threading.Lock())


class Trial:
    """A task of its own, with a stream of its own; `close` ends what is left of it.

    Parameters
    ----------
    world
        Where it happens.
    chance
        Where the seeds of its stream and of its moments come from.
    proxied
        Whether its processes come in by the door behind the proxy.
    sections
        Settings that are added to those of all trials, or replace them.
    """

    def __init__(
        self, world: World, chance: random.Random, *, proxied: bool = False, **sections: dict[str, Any]
    ) -> None:
        name = f"fault{next(_names)}"
        self.world = world
        self.chance = chance
        self.folder = world.folder / name
        self._proxied = proxied
        if proxied:
            world.proxy_in_use.acquire()
        bootstrap = world.broker.proxied if proxied else world.broker.bootstrap
        self.values: dict[str, dict[str, Any]] = {
            "application": {"name": f"{name}.app"},
            "kafka": {"bootstrap": bootstrap},
            "input": {"topic": f"{name}.in", "partitions": PARTITIONS},
            "publish": {"topic": f"{name}.out", "k": 5},
            "windows": {"length": 16, "users": 40},
            "models": {"items": 60, "micro_batch": 8},
            "batch": {"max_records": 40, "latency": "5ms"},
            "state": {"dir": self.folder, "snapshot_every": "300ms"},
        }
        for section, changes in sections.items():
            self.values[section] = self.values.get(section, {}) | changes
        self.connection = Connection(world.broker.bootstrap)
        table = self.settings.topics()
        source, output, dead_letters, journal = (replace(spec, retention_ms=-1) for spec in table.all())
        self.topics = ensure_topics(self.connection, TaskTopics(source, output, dead_letters, journal))
        self.reader = Reader(self.connection, self.topics)
        self.silent: set[tuple[int, int]] = set()  # places of records that get no answer
        self.sent = dict.fromkeys((TopicPartition(*s) for s in self._sources()), 0)
        self._earliest = dict.fromkeys(self.sent, 0)
        self._walk = walk(chance.randrange(2**32))
        self._members: list[Member] = []
        self.passed: Passed  # what the oracle came to, after a reckoning
        self._producer = KafkaProducer(**self.connection.settings(), linger_ms=5, max_request_size=2**24)

    @property
    def settings(self) -> Settings:
        """Those of the task, as they are now."""
        return Settings(**self.values)  # type: ignore[arg-type]  # pydantic makes sections of the tables

    def produce(self, records: int | Iterable[Sent]) -> None:
        """Send the next records of the walk, or others."""
        for one in islice(self._walk, records) if isinstance(records, int) else records:
            source = TopicPartition(self.topics.input.name, one.partition)
            headers = [(HeaderName(name), value) for name, value in one.headers]
            self._producer.send(source.topic, one.value, one.key, headers, source.partition, timestamp_ms=one.time_ms)
            if one.silent:
                self.silent.add((source.partition, self.sent[source]))
            self.sent[source] += 1
        self._producer.flush()

    def start(self, *, folder: str = "", **plan: Any) -> Member:
        """Start a process, with a folder of its own where it has a name."""
        state = self.values["state"] | {"dir": self.folder / folder}
        self._members.append(Member(self.world.context, Plan(self.values | {"state": state}, **plan)))
        return self._members[-1]

    def lives(self, member: Member) -> Member:
        """Return the process, or a new one that leads where it has ended as a supervisor may start it again."""
        if member.listen(0):
            return member
        if (code := member.end()) not in _AGAIN:
            message = f"A process ended with {code}: {member.sentence}"
            raise RuntimeError(message)
        member = self.start()
        member.wait_for("leader")
        return member

    def settled(self, member: Member) -> Member:
        """Wait until everything is done, and return the process that did it, which may be another one."""
        deadline = time.monotonic() + PATIENCE_S
        while not self.reader.wait(self.caught_up, 1.0):
            if time.monotonic() > deadline:
                message = f"{self.reader.covered()} of {self.sent} was done within {PATIENCE_S:g} s."
                raise TimeoutError(message)
            member = self.lives(member)
        return member

    def expire(self, source: TopicPartition, start: int) -> None:
        """Let what stands before an offset leave the log."""
        with self.connection.admin() as admin:
            admin.delete_records({KafkaPartition(*source): start})
        self._earliest[source] = start

    def move_offsets(self, by: int) -> None:
        """Let the group forget, or make up, that records were done."""
        with closing(self.connection.consumer(group_id=self.settings.application.name)) as group:
            moved = {KafkaPartition(*source): end + by for source, end in self.sent.items()}
            group.commit({source: OffsetAndMetadata(max(end, 0), "", -1) for source, end in moved.items()})

    def batches_saved(self) -> int:
        """Return how many journal records the newest snapshot stands on."""
        return self._saved()[0].sequence + 1

    def saved_where_committed(self) -> bool:
        """Whether the newest snapshot stands where the group has committed."""
        offsets = dict(self._saved()[0].offsets)
        with closing(self.connection.consumer(group_id=self.settings.application.name)) as group:
            return all(group.committed(KafkaPartition(*source)) == offset for source, offset in offsets.items())

    def caught_up(self) -> bool:
        """Whether everything that was sent is done, by the journal."""
        covered = self.reader.covered()
        return all(covered.get(source, 0) == end for source, end in self.sent.items())

    def wait(self, done: Callable[[], bool]) -> None:
        """Wait until something is true of what the reader saw."""
        if not self.reader.wait(done, PATIENCE_S):
            message = f"{self.reader.covered()} of {self.sent} was done within {PATIENCE_S:g} s."
            raise TimeoutError(message)

    def finish(self, member: Member | None = None, folder: str = "") -> Tally:
        """Let a process do the rest and stop, and return what is wrong with what came of it all."""
        member = member or self.start()
        leads = "leader" in member.roles or member.wait_for("leader")
        self.wait(lambda: not leads or self.caught_up())
        if (code := member.stop()) != 0:
            message = f"The last process ended with {code}: {member.sentence}"
            raise RuntimeError(message)
        return self.reckon(folder=folder)

    def reckon(self, *, folder: str = "", epochs: bool = False, since: int = 0) -> Tally:
        """Compare everything with the oracle, when the last process has stopped.

        Parameters
        ----------
        folder
            Where its snapshots are.
        epochs
            Whether the task was rebuilt on the way: lists of an epoch before are left out then, and a dead letter may
            come once for each.
        since
            Outputs of batches before this one were made under other settings, and are not compared.
        """
        self.reader.finish()
        seen = self.reader.records(self.topics.output.name, self.topics.dead_letters.name)
        records, settings, inputs = self.reader.journal(), self.settings, self.inputs()
        self.passed = passed = one_pass(lambda epoch: pipeline(settings, epoch), inputs, records, since)
        expected = {answered(output) for output in passed.outputs}
        if epochs:
            letters = {answered(one): one for one in seen if one.topic == self.topics.dead_letters.name}
            lists = [one for one in seen if one.topic == self.topics.output.name and answered(one) in expected]
            seen = [*lists, *(one for name, one in letters.items() if name in expected)]
        tally = account(inputs, seen, records, passed.erased | self.silent)
        tally.divergent += compare(passed.outputs, [one for one in seen if not since or answered(one) in expected])
        tally.divergent += self.saved_hash(folder) != state_hash(passed.pipeline.state())
        return tally

    def met_twice(self) -> Tally:
        """Return what the reader, which reads all the while, has met twice so far."""
        met = Counter(map(answered, self.reader.records(self.topics.output.name)))
        return Tally(doubled=met.total() - len(met))

    def inputs(self) -> list[Record]:
        """Return the whole input, as the log holds it."""
        reader = RangeReader(self.connection, list(self.sent), lambda: None)
        records = reader.read({source: (self._earliest[source], end) for source, end in self.sent.items()})
        reader.close()
        return records

    def saved_hash(self, folder: str = "") -> str:
        """Return the hash of the state in the snapshot that was written last."""
        return state_hash(self._saved(folder)[1])

    def close(self) -> None:
        """End what is left."""
        for member in self._members:
            member.kill()
        self._producer.close()
        self.reader.finish()
        if self._proxied:
            self.world.broker.proxy.clear()
            self.world.proxy_in_use.release()

    def _saved(self, folder: str = "") -> tuple[Manifest, State]:
        """Read the snapshot that was written last, which need not be the one that claims to be the newest."""
        last = max(snapshots.candidates(self.folder / folder), key=lambda path: path.stat().st_ctime_ns)
        return snapshots.load(last, self.settings.application.name)

    def _sources(self) -> list[tuple[str, int]]:
        return [(self.topics.input.name, number) for number in range(PARTITIONS)]
