"""A state that begins with a checkpoint: recovered to the bit, and never with another one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from consumers.commands import run
from consumers.files import checkpoints
from consumers.pipeline import Pipeline
from consumers.serving.recovery import Follower
from consumers.serving.task import Task
from consumers.settings import Settings
from models.network.checkpoint import Checkpoint
from models.network.config import NetworkConfig
from models.network.encoders import new_encoder
from stream import journal, snapshots
from stream.errors import RecoveryError
from stream.memory import MemoryLog
from tests.consumers.bench import WholeBench

IDS = ("d", "a", "elsewhere")


def checkpoint(digest: str) -> Checkpoint:
    weights = {name: tensor.numpy().copy() for name, tensor in new_encoder(NetworkConfig()).state_dict().items()}
    vectors = np.full((3, 64), 0.1, np.float32)
    return Checkpoint(NetworkConfig(), weights, IDS, vectors, weights, vectors, digest)


@pytest.fixture(scope="module")
def start() -> Checkpoint:
    return checkpoint("first")


def bench(folder: Path, start: Checkpoint) -> WholeBench:
    def make(settings: Settings, epoch: int) -> Pipeline:
        return Pipeline(settings, epoch, start=start)

    return WholeBench(folder, make, start.digest)


def followed(bench: WholeBench, start: Checkpoint | None) -> Pipeline:
    """The journal, followed from its beginning by somebody who has no snapshot."""
    task = Task(
        MemoryLog(bench.broker), "springtide", "", Path("/nowhere"),
        lambda epoch: Pipeline(bench.settings, epoch, start=start), None if start is None else start.digest,
    )  # fmt: skip
    return Follower(task).finish().pipeline


def test_the_journal_and_the_checkpoint_lead_to_the_same_state(tmp_path: Path, start: Checkpoint) -> None:
    here = bench(tmp_path / "state", start)
    here.walk(12)
    led = here.run()
    assert [journal.decode(value).checkpoint for value in here.broker.journal][:2] == ["first", None]
    assert [led.admission.items.find(id_) for id_ in IDS] == [0, 1, 2]
    assert snapshots.state_hash(followed(here, start).state()) == snapshots.state_hash(led.state())

    here.walk(3)
    assert snapshots.state_hash(here.run().state()) == snapshots.state_hash(followed(here, start).state()), "a snapshot"


def test_another_checkpoint_or_none_is_refused_with_the_mend(tmp_path: Path, start: Checkpoint) -> None:
    here = bench(tmp_path / "state", start)
    here.walk(1)
    here.run()
    with pytest.raises(RecoveryError, match=r"began with the checkpoint of sha256 first, .* names no checkpoint:"):
        followed(here, None)
    with pytest.raises(RecoveryError, match="names the checkpoint of sha256 other"):
        followed(here, replace(start, digest="other"))


def test_a_state_that_began_without_one_goes_on_without_one(tmp_path: Path, start: Checkpoint) -> None:
    here = WholeBench(tmp_path / "state")
    here.walk(1)
    here.run()
    followed(here, None)
    with pytest.raises(RecoveryError, match=r"began with no checkpoint, .* names the checkpoint of sha256 first"):
        followed(here, start)


def test_the_service_begins_with_the_checkpoint_of_its_settings(
    tmp_path: Path, start: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, path = bench(tmp_path / "state", start), tmp_path / "network.safetensors"
    digest = checkpoints.write(path, start)
    monkeypatch.setattr(run, "KafkaLog", lambda *_: MemoryLog(here.broker))

    def task(checkpoint: Path | None) -> Task[Pipeline]:
        settings = here.settings.with_overrides(checkpoint=checkpoint)
        return run.task_on_kafka(settings, settings.topics(), ("list",))

    one, none = task(path), task(None)
    moved = path.rename(tmp_path / "elsewhere.safetensors")
    assert (one.checkpoint, none.checkpoint) == (digest, None)
    assert one.settings_hash == task(moved).settings_hash != none.settings_hash, "a snapshot is of one checkpoint"
    assert [one.make(3).admission.items.find(id_) for id_ in IDS] == [0, 1, 2]
    assert none.make(3).admission.items.find(IDS[0]) == -1
