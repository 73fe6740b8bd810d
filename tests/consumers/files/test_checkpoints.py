from pathlib import Path

import msgspec
import numpy as np
import pytest
import safetensors.numpy

from consumers.files import checkpoints
from models.network.checkpoint import Checkpoint
from models.network.config import NetworkConfig
from stream.errors import SettingsError
from stream.snapshots import state_hash
from tests.consumers.stream import settings

IDS = ("a", "é", "c")


def checkpoint(network: NetworkConfig | None = None) -> Checkpoint:
    weights = {"tokens.now": np.arange(4, dtype=np.float32), "gates.weight": np.ones((2, 3), np.float32)}
    vectors = np.arange(6, dtype=np.float32).reshape(3, 2)
    squares = {name: array + 1 for name, array in weights.items()}
    return Checkpoint(network or NetworkConfig(), weights, IDS, vectors, squares, vectors + 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "network.safetensors"


def test_what_was_written_comes_back(path: Path) -> None:
    digest = checkpoints.write(path, checkpoint(NetworkConfig("lstm", calendar=True, width=2)))
    found = checkpoints.read(path)
    assert (found.network, found.ids, found.digest) == (NetworkConfig("lstm", calendar=True, width=2), IDS, digest)
    assert np.array_equal(found.vectors, checkpoint().vectors)
    assert np.array_equal(found.vector_squares, checkpoint().vector_squares)
    assert found.weights.keys() == checkpoint().weights.keys() == found.weight_squares.keys()
    for name, array in checkpoint().weights.items():
        assert np.array_equal(found.weights[name], array)
        assert np.array_equal(found.weight_squares[name], array + 1)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_column_of_a_larger_table_is_written_as_it_is_read(path: Path) -> None:
    crossed = np.arange(6, dtype=np.float32).reshape(2, 3).T
    checkpoints.write(path, Checkpoint(NetworkConfig(), {"w": crossed}, IDS, crossed, {}, crossed))
    found = checkpoints.read(path)
    assert np.array_equal(found.vectors, crossed)
    assert np.array_equal(found.weights["w"], crossed)


def test_the_digest_is_of_the_content(path: Path) -> None:
    one = checkpoints.write(path, checkpoint())
    first = path.read_bytes()
    assert checkpoints.write(path, checkpoint()) == one
    assert path.read_bytes() == first
    assert checkpoints.write(path, checkpoint().newest(2)) != one


def test_what_is_missing_or_foreign_is_refused(path: Path) -> None:
    with pytest.raises(SettingsError, match="does not exist: springtide pretrain writes one"):
        checkpoints.read(path)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(SettingsError, match="cannot be read as a checkpoint"):
        checkpoints.read(path)
    safetensors.numpy.save_file({"vectors": np.zeros(3)}, path)
    with pytest.raises(SettingsError, match="is no checkpoint of springtide"):
        checkpoints.read(path)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95, 1.0])
def test_damage_is_noticed_wherever_it_is(path: Path, share: float) -> None:
    checkpoints.write(path, checkpoint())
    content = bytearray(path.read_bytes())
    content[min(int(len(content) * share), len(content) - 1)] ^= 0x10
    path.write_bytes(content)
    with pytest.raises(SettingsError):
        checkpoints.read(path)
    path.write_bytes(content[:-5])
    with pytest.raises(SettingsError):
        checkpoints.read(path)


def test_another_format_is_refused_with_the_mend(path: Path) -> None:
    manifest = {"kind": "springtide.checkpoint", "format": 2, "network": "otherwise"}
    arrays = {"manifest": np.frombuffer(msgspec.json.encode(manifest), np.uint8)}
    safetensors.numpy.save_file(arrays, path, {"sha256": state_hash(arrays)})
    with pytest.raises(SettingsError, match="is in format 2 where this version of springtide reads format 1"):
        checkpoints.read(path)


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be written"):
        checkpoints.write(tmp_path / "nowhere" / "x", checkpoint())


def test_a_state_begins_with_the_checkpoint_of_its_settings(path: Path) -> None:
    checkpoints.write(path, checkpoint())
    assert checkpoints.start(settings(network={"enabled": True})) is None
    found = checkpoints.start(settings(network={"checkpoint": path}))
    assert found is not None
    assert found.ids == IDS


def test_a_checkpoint_for_another_network_is_refused(path: Path) -> None:
    checkpoints.write(path, checkpoint())
    with pytest.raises(SettingsError, match=r"was made for the encoder transformer .* ask for the encoder lstm"):
        checkpoints.start(settings(network={"checkpoint": path, "encoder": "lstm"}))
    with pytest.raises(SettingsError, match="is for a network, and there is none"):
        checkpoints.start(settings(network={"checkpoint": path, "enabled": False}))


def test_there_are_no_more_items_than_there_is_room_for(path: Path) -> None:
    zeros = np.zeros((25, 2), np.float32)
    many = Checkpoint(NetworkConfig(), {}, tuple(f"i{n}" for n in range(25)), zeros, {}, zeros)
    checkpoints.write(path, many)
    found = checkpoints.start(settings(network={"checkpoint": path}, models={"items": 10}))
    assert found is not None
    assert found.ids == tuple(f"i{n}" for n in range(15, 25))
