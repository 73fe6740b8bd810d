"""Whether the journal leads to the states that are on disk.

An audit restores an old snapshot and follows the journal, as every recovery does, to where the newer ones stand. Where
each of them was made the state must be the same, bit for bit: then a recovery from the older one would have led there
too. It takes no lease and writes nothing, so it may run beside a leader.

On another processor or other versions than those that made a snapshot the last bits of a number may differ, and with
them everything learned since; so an audit says where this machine is another one.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import msgspec
from rich.console import Console

from consumers.commands.reporting import progress
from consumers.commands.run import task_on_kafka
from consumers.pipeline import Pipeline
from consumers.serving.core import P
from consumers.serving.recovery import Follower
from consumers.serving.restoring import from_snapshot, usable
from consumers.serving.task import THREADS, Task
from consumers.settings import Settings
from stream import snapshots
from stream.errors import RecoveryError, SnapshotError, SpringtideError
from stream.snapshots import Manifest, State, state_hash
from stream.topics import ensure_topics

_log = logging.getLogger(__name__)


class Compared(msgspec.Struct, frozen=True):
    """One snapshot, and what the journal leads to where it stands.

    `differs` names the parts of the state that are not the same, `foreign` what of the numerics is another on this
    machine than where the snapshot was made.
    """

    snapshot: str
    sequence: int
    differs: tuple[str, ...]
    foreign: tuple[str, ...]


class Findings(msgspec.Struct, frozen=True):
    """What an audit has found; it ends with the first snapshot that differs."""

    begin: str
    epoch: int
    batches: int
    equal: bool
    compared: tuple[Compared, ...]

    def sentence(self) -> str:
        """Say it in one sentence."""
        way = f"The journal leads in {self.batches} batches from {self.begin} to"
        newest = self.compared[-1]
        if self.equal:
            others = f", and to {len(self.compared) - 1} on the way" if len(self.compared) > 1 else ""
            return f"{way} the state of {newest.snapshot}{others}: they are the same, bit for bit."
        foreign = f" ({', '.join(newest.foreign)} is another here than where it was made)" if newest.foreign else ""
        return (
            f"{way} a state that is not the one of {newest.snapshot}: {', '.join(newest.differs)} differs{foreign}; "
            "keep both snapshots and the journal, and report it."
        )


def compare(task: Task[P], begin: Path | None = None, went_on: Callable[[int], None] = lambda _left: None) -> Findings:
    """Follow the journal from `begin`, or the oldest snapshot that can be used, to all newer ones of its epoch.

    Raises
    ------
    SnapshotError
        When there are not two snapshots to compare, or `begin` is not one that can be used.
    RecoveryError
        When the way between them cannot be followed any more.
    """
    paths = list(reversed(snapshots.candidates(task.snapshots)))
    path, manifest, rest = _first(task, paths) if begin is None else _chosen(task, begin, paths)
    follower = Follower(task, went_on, lambda task: from_snapshot(task, path))
    compared: list[Compared] = []
    with closing(follower):
        for other in rest:
            try:
                target, state = usable(task, other)
            except SnapshotError as error:
                _log.warning("%s", error)
                continue
            if target.epoch != manifest.epoch:
                break
            compared.append(_compared(other.name, target, state, _state_at(follower, target.sequence, path)))
            if compared[-1].differs:
                break
    if not compared:
        message = (
            f"An audit needs two snapshots of one epoch, and {task.snapshots} has no newer one than {path.name}: "
            "let the task run for longer than state.snapshot_every."
        )
        raise SnapshotError(message)
    batches = compared[-1].sequence - manifest.sequence
    return Findings(path.name, manifest.epoch, batches, not compared[-1].differs, tuple(compared))


def audit(settings: Settings, begin: Path | None, *, as_json: bool, console: Console) -> None:
    """Compare the snapshots of a task on Kafka; SpringtideError with what differs where something does."""
    topics = ensure_topics(settings.kafka.connection(), settings.topics(), create=False)
    task = task_on_kafka(settings, topics, Pipeline(settings).recommender.scorers)
    with closing(task.log), progress(Console(stderr=True)) as bar:
        shown = bar.add_task("Following the journal", total=None)
        findings = compare(task, begin, lambda _left: bar.advance(shown))
    if as_json:
        console.out(msgspec.json.encode(findings).decode(), highlight=False)
    if not findings.equal:
        raise SpringtideError(findings.sentence())
    if not as_json:
        console.out(findings.sentence(), highlight=False)


def _first(task: Task[P], paths: Sequence[Path]) -> tuple[Path, Manifest, Sequence[Path]]:
    """Return the first of `paths` that can be used, and those after it."""
    for number, path in enumerate(paths):
        try:
            return path, usable(task, path)[0], paths[number + 1 :]
        except SnapshotError as error:
            _log.warning("%s", error)
    message = f"An audit needs two snapshots, and none in {task.snapshots} can be used: check state.dir."
    raise SnapshotError(message)


def _chosen(task: Task[P], begin: Path, paths: Sequence[Path]) -> tuple[Path, Manifest, Sequence[Path]]:
    """Return `begin`, a path or the name of one of `paths`, and those that stand further on."""
    path = next((path for path in paths if path.name == str(begin)), begin.absolute())
    if path not in snapshots.candidates(path.parent):
        message = f"{begin} is no snapshot: name one of those in {task.snapshots}."
        raise SnapshotError(message)
    return path, usable(task, path)[0], [other for other in paths if snapshots.age(other) > snapshots.age(path)]


def _state_at(follower: Follower[P], sequence: int, begin: Path) -> State:
    try:
        return follower.finish(lambda: follower.sequence >= sequence).pipeline.state()
    except RecoveryError as error:
        message = f"The journal cannot be followed from {begin.name} on ({error}); audit from a newer one by --from."
        raise RecoveryError(message) from error


def _compared(name: str, manifest: Manifest, made: State, followed: State) -> Compared:
    here = snapshots.fingerprint(THREADS)
    foreign = tuple(sorted(key for key, value in here.items() if manifest.fingerprint.get(key) != value))
    if state_hash(followed) == manifest.state_hash:
        return Compared(name, manifest.sequence, (), foreign)
    names = [one for one in sorted(made.keys() | followed.keys()) if not _same(one, made, followed)]
    parts = tuple(dict.fromkeys(".".join(one.split(".")[:2]) for one in names))
    return Compared(name, manifest.sequence, parts or ("the hash in the manifest",), foreign)


def _same(name: str, one: State, other: State) -> bool:
    return name in one and name in other and state_hash({name: one[name]}) == state_hash({name: other[name]})
