"""Checkpoints on disk: what a network has learned from history, in one file that is either whole or not there.

The file is safetensors: the arrays of the encoder by name, the item vectors, the mean squares of the gradients of both,
and two texts as JSON: the items' ids, and what the file is (`_Manifest`). Its header holds the SHA-256 of all of it,
which is also what a state remembers of the checkpoint that it began with. Reading runs no code from the file, checks
every byte, and refuses with a SettingsError what is damaged, foreign, of another format or for another network.
"""

import os
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy
from safetensors import SafetensorError

from consumers.settings import Settings
from models.network.checkpoint import Checkpoint
from models.network.config import NetworkConfig
from stream.errors import SettingsError
from stream.snapshots import State, nest, pick, state_hash

FORMAT = 1
"""Raised with every change that an older springtide would misread."""

_KIND = "springtide.checkpoint"
_DIGEST = "sha256"


class _Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    kind: str = _KIND
    format: int = FORMAT
    network: NetworkConfig


class _Kind(msgspec.Struct):
    """The fields that every format, past and to come, has."""

    kind: str
    format: int


def write(path: Path, checkpoint: Checkpoint) -> str:
    """Write a checkpoint, in place of what is there, and return its digest; SettingsError when that cannot be done."""
    arrays: State = {
        "manifest": _text(_Manifest(network=checkpoint.network)),
        "ids": _text(checkpoint.ids),
        "vectors": checkpoint.vectors,
        "vector_squares": checkpoint.vector_squares,
        **nest("encoder", checkpoint.weights),
        **nest("encoder_squares", checkpoint.weight_squares),
    }
    # safetensors copies memory as it lies, so a transposed array would come back scrambled.
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    digest = state_hash(arrays)
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            file.write(safetensors.numpy.save(arrays, {_DIGEST: digest}))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except (OSError, SafetensorError) as error:
        message = f"The checkpoint {path} cannot be written ({error}): choose another place with --to."
        raise SettingsError(message) from error
    return digest


def read(path: Path) -> Checkpoint:
    """Read a checkpoint; SettingsError, in one sentence, when it cannot be used."""
    digest, arrays = _load(path)
    try:
        found = msgspec.json.decode(_bytes(arrays["manifest"]), type=_Kind)
    except (KeyError, msgspec.DecodeError):
        found = _Kind("", 0)
    if found.kind != _KIND:
        message = f"{path} is no checkpoint of springtide: give the file that springtide pretrain wrote."
        raise SettingsError(message)
    if found.format != FORMAT:
        message = (
            f"The checkpoint {path} is in format {found.format} where this version of springtide reads format "
            f"{FORMAT}: run the version that wrote it, or pretrain again."
        )
        raise SettingsError(message)
    if state_hash(arrays) != digest:
        message = f"The checkpoint {path} is damaged, its checksum does not match: copy it again, or pretrain again."
        raise SettingsError(message)
    manifest = msgspec.json.decode(_bytes(arrays["manifest"]), type=_Manifest)
    ids = msgspec.json.decode(_bytes(arrays["ids"]), type=tuple[str, ...])
    return Checkpoint(
        manifest.network,
        pick("encoder", arrays),
        ids,
        arrays["vectors"].astype(np.float32),
        pick("encoder_squares", arrays),
        arrays["vector_squares"].astype(np.float32),
        digest,
    )


def start(settings: Settings) -> Checkpoint | None:
    """Read what the network of these settings begins with, if anything; no more items than there is room for.

    Raises SettingsError when it cannot be used, or is for another network.
    """
    path, network = settings.network.checkpoint, settings.network.config()
    if path is None:
        return None
    if network is None:
        message = f"The checkpoint {path} is for a network, and there is none: set network.enabled, or leave it out."
        raise SettingsError(message)
    checkpoint = read(path)
    if checkpoint.network != network:
        message = (
            f"The checkpoint {path} was made for {_shape(checkpoint.network)}, and the settings ask for "
            f"{_shape(network)}: set network.encoder and network.calendar as they were, or pretrain again."
        )
        raise SettingsError(message)
    return checkpoint.newest(settings.models.items)


def _load(path: Path) -> tuple[str, State]:
    try:
        with safetensors.safe_open(path, framework="np") as file:
            return (file.metadata() or {}).get(_DIGEST, ""), {name: file.get_tensor(name) for name in file.keys()}
    except FileNotFoundError as error:
        message = f"The checkpoint {path} does not exist: springtide pretrain writes one."
        raise SettingsError(message) from error
    except (OSError, SafetensorError) as error:
        message = f"{path} cannot be read as a checkpoint ({error}): copy it again, or pretrain again."
        raise SettingsError(message) from error


def _shape(network: NetworkConfig) -> str:
    calendar = "with" if network.calendar else "without"
    return f"the encoder {network.encoder} of width {network.width} and window {network.window} {calendar} calendar"


def _text(content: Any) -> npt.NDArray[np.uint8]:
    return np.frombuffer(msgspec.json.encode(content), np.uint8)


def _bytes(array: npt.NDArray[np.generic]) -> bytes:
    return array.tobytes()
