"""State on disk: folders that are either whole or not there.

A component's state is a flat table of named arrays. All components' states, nested under a name each, make one
snapshot:

::

    snapshot-<epoch>-<sequence>/
    ├── arrays.safetensors    the state
    ├── manifest.json         what the state stands on
    └── SHA256SUMS            of the other two; `sha256sum --check SHA256SUMS` reads it too

It is written under a name that ends in `.partial`, forced to disk, and then renamed: a crash leaves a partial folder
that nobody reads and the next save removes. Loading runs no code from the files, checks every byte, and refuses what
is damaged, foreign or of another format with a SnapshotError; the caller then tries the next older one. One process at
a time writes and deletes in a folder, the one that has a `claim` on it; others may read there.

Whoever is erased must not live on in a snapshot of before. A manifest says by which batch somebody was erased last, and
`drop_before` deletes what is older, if something newer is whole.
"""

import fcntl
import hashlib
import os
import platform
import re
import shutil
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np
import numpy.typing as npt
import safetensors.numpy
from safetensors import SafetensorError

from stream.errors import SnapshotError
from stream.log import TopicPartition

State = dict[str, npt.NDArray[np.generic]]
"""A component's whole state as named arrays; names are paths with dots."""

FORMAT = 11
"""Raised with every change that an older springtide would misread."""

KEPT = 3  # the newest may be damaged, the one before too: the third is for that day
_ARRAYS, _MANIFEST, _SUMS = "arrays.safetensors", "manifest.json", "SHA256SUMS"
_NAME = re.compile(r"snapshot-(\d+)-(\d+)")
_PARTIAL = ".partial"
_CLAIM = ".claim"
_NUMERIC_PACKAGES = ("llvmlite", "numba", "numpy", "river", "torch")


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a snapshot stands on: all that is needed to decide whether it may be used, and where to go on."""

    format: int = FORMAT
    application: str
    epoch: int
    sequence: int  # of the last journal record whose batch is in the state
    erased: int  # of the last one by which a user was erased; -1 where none was in this epoch
    journal_offset: int  # where that record stands
    offsets: tuple[tuple[TopicPartition, int], ...]  # next offset to read, by partition; `dict` makes Offsets of it
    watermark_ms: int
    settings_hash: str  # of the settings that change state
    fingerprint: dict[str, str]
    state_hash: str


class _Format(msgspec.Struct):
    """The one field that every format, past and to come, has."""

    format: int


def nest(prefix: str, state: Mapping[str, npt.NDArray[np.generic]]) -> State:
    """Put `state` under the name `prefix`."""
    return {f"{prefix}.{name}": array for name, array in state.items()}


def pick(prefix: str, state: Mapping[str, npt.NDArray[np.generic]]) -> State:
    """Take out again what `nest` put under `prefix`."""
    return {name[len(prefix) + 1 :]: array for name, array in state.items() if name.startswith(f"{prefix}.")}


def state_hash(state: Mapping[str, npt.NDArray[np.generic]]) -> str:
    """SHA-256 (hex) over names, types, shapes and bytes in order of names: equal states, equal hashes."""
    digest = hashlib.sha256()
    for name in sorted(state):
        array = state[name]
        digest.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def fingerprint(threads: int) -> dict[str, str]:
    """All that may change the bits of a result on other machines: versions, processor features, number of threads."""
    simd = np.show_config(mode="dicts")["SIMD Extensions"]
    return {
        "machine": platform.machine(),
        "simd": " ".join([*simd["baseline"], *simd["found"]]),
        "libc": " ".join(platform.libc_ver()),
        "threads": str(threads),
        "python": platform.python_version(),
        **{package: version(package) for package in _NUMERIC_PACKAGES},
    }


def claim(folder: Path) -> BinaryIO | None:
    """Take a folder to write to, until what is returned is closed or the process ends; None where another has it.

    Raises OSError where nothing can be written there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / _CLAIM).open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        if not isinstance(error, BlockingIOError):
            raise
        return None
    return file


def candidates(folder: Path) -> list[Path]:
    """Finished snapshots in `folder`, newest first; empty where there is no such folder."""
    return sorted((path for path in _entries(folder) if _NAME.fullmatch(path.name)), key=age, reverse=True)


def save(folder: Path, state: Mapping[str, npt.NDArray[np.generic]], manifest: Manifest) -> Path:
    """Write one snapshot into `folder`, keep it and the two before it, and return where it is.

    What stands further on, and so is not of this journal, is left alone. Raises SnapshotError when the snapshot cannot
    be written; the older ones are then as they were.
    """
    final = folder / f"snapshot-{manifest.epoch:04d}-{manifest.sequence:012d}"
    partial = final.with_name(final.name + _PARTIAL)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_partial(folder)
        partial.mkdir()
        # safetensors copies memory as it lies, so a transposed array would come back scrambled.
        arrays = {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in state.items()}
        safetensors.numpy.save_file(arrays, partial / _ARRAYS)
        (partial / _MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
        (partial / _SUMS).write_text(_sums(partial))
        for path in (partial / _ARRAYS, partial / _MANIFEST, partial / _SUMS, partial):
            _force_to_disk(path)
        if final.exists():
            shutil.rmtree(final)  # it was tried and refused, or the state would stand further on
        partial.rename(final)
        _force_to_disk(folder)
        for old in [path for path in candidates(folder) if age(path) <= age(final)][KEPT:]:
            shutil.rmtree(old)
    except (OSError, SafetensorError) as error:
        message = f"Snapshot {final} cannot be written ({error}); make room for it or set another folder."
        raise SnapshotError(message) from error
    return final


def drop_before(kept: Path, epoch: int, sequence: int) -> list[Path]:
    """Delete all snapshots beside `kept` but those from `sequence` of `epoch` up to it; return what was deleted.

    Raises SnapshotError when `kept` is not whole, and then deletes nothing; also when something cannot be deleted.
    """
    try:
        if (kept / _SUMS).read_text() != _sums(kept):
            raise SnapshotError(_damaged(kept))
        dropped = [path for path in candidates(kept.parent) if not (epoch, sequence) <= age(path) <= age(kept)]
        for path in dropped:
            shutil.rmtree(path)
        _remove_partial(kept.parent)
    except (OSError, UnicodeDecodeError) as error:
        message = f"Snapshots in {kept.parent} that hold erased users cannot be deleted ({error}): delete them."
        raise SnapshotError(message) from error
    return dropped


def load(path: Path, application: str) -> tuple[Manifest, State]:
    """Read the snapshot at `path`, one of `candidates`, for the application of that name.

    Raises SnapshotError when it is damaged, of another format, or another application's. Whether its journal record is
    in the journal, and whether the settings are the same, is for the caller to check.
    """
    try:
        written = (path / _MANIFEST).read_bytes()
        found = msgspec.json.decode(written, type=_Format).format
        if found != FORMAT:
            message = (
                f"Snapshot {path} is in format {found} where this version of springtide reads format {FORMAT}: "
                "run the version that wrote it, or delete it."
            )
            raise SnapshotError(message)
        if (path / _SUMS).read_text() != _sums(path):
            raise SnapshotError(_damaged(path))
        manifest = msgspec.json.decode(written, type=Manifest)
        if manifest.application != application:
            message = (
                f"Snapshot {path} belongs to the application {manifest.application!r}, not to {application!r}: "
                "give each application a folder of its own."
            )
            raise SnapshotError(message)
        return manifest, safetensors.numpy.load_file(path / _ARRAYS)
    except (OSError, UnicodeDecodeError, msgspec.DecodeError, SafetensorError) as error:
        message = f"Snapshot {path} cannot be read ({error}); delete it."
        raise SnapshotError(message) from error


def _damaged(path: Path) -> str:
    return f"Snapshot {path} is damaged: its checksums do not match; delete it."


def _remove_partial(folder: Path) -> None:
    for leftover in _entries(folder):
        if leftover.name.endswith(_PARTIAL):
            shutil.rmtree(leftover)


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def age(path: Path) -> tuple[int, ...]:
    """Epoch and sequence of one of `candidates`, which order them."""
    name = _NAME.fullmatch(path.name)
    return tuple(int(part) for part in name.groups()) if name else ()


def _sums(path: Path) -> str:
    """Return what SHA256SUMS must say of the files as they are now."""
    lines = []
    for name in (_ARRAYS, _MANIFEST):
        with (path / name).open("rb") as file:
            lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {name}\n")
    return "".join(lines)


def _force_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
