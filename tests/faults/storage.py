"""Disks that lie, fill up and go away: snapshots that must not be loaded, and snapshots that cannot be written."""

import random
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import safetensors.numpy

from stream import snapshots
from tests.faults.oracle import Tally
from tests.faults.trial import Trial, World
from tests.stream.test_snapshots import FILES, seal

_TOO_SMALL_BYTES = 20_000  # more than a process logs, less than any state


def damaged_snapshots(world: World, chance: random.Random, iterations: int) -> Iterator[Tally]:
    """Damage the newest snapshots, or all, in one of several ways, between two lives of a leader."""
    for number in range(iterations):
        with closing(Trial(world, chance)) as trial:
            member = trial.start()
            for _ in range(3):
                trial.produce(chance.randrange(60, 120))
                assert member.wait_for("snapshot")
            member.kill()
            paths = snapshots.candidates(trial.folder)
            for path in paths[: chance.choice([1, 1, 2, len(paths)])]:
                _DAMAGES[number % len(_DAMAGES)](path, chance)
            trial.produce(chance.randrange(20, 60))
            yield trial.finish()


def unwritable_snapshots(world: World, chance: random.Random, iterations: int) -> Iterator[Tally]:
    """Fill the disk, or take the folder away, while a leader runs; the stream goes on, and so do snapshots later."""
    for number in range(iterations):
        with closing(Trial(world, chance)) as trial:
            trial.produce(100)
            member = trial.start()
            assert member.wait_for("snapshot")
            trial.wait(trial.caught_up)
            member.listen(1.0)  # all of it is in a snapshot then, and none is being written
            limit = resource.prlimit(member.pid, resource.RLIMIT_FSIZE)
            away = trial.folder.with_name(f"{trial.folder.name}.away")
            if number % 2:
                resource.prlimit(member.pid, resource.RLIMIT_FSIZE, (_TOO_SMALL_BYTES, limit[1]))
            else:
                trial.folder.rename(away)
                trial.folder.write_bytes(b"")
            trial.produce(200)
            assert member.wait_for("snapshot failed"), "no failure was counted"
            trial.wait(trial.caught_up)
            if number % 2:
                resource.prlimit(member.pid, resource.RLIMIT_FSIZE, limit)
            else:
                trial.folder.unlink()
                away.rename(trial.folder)
            trial.produce(50)
            yield trial.finish(member)


def _truncate(path: Path, chance: random.Random) -> None:
    file = path / chance.choice(FILES)
    file.write_bytes(file.read_bytes()[: chance.randrange(file.stat().st_size)])


def _flip(path: Path, chance: random.Random) -> None:
    file = path / chance.choice(FILES)
    content = bytearray(file.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    file.write_bytes(content)


def _rewrite(path: Path, **changes: object) -> None:
    """Change the manifest, spoil the state, and make the checksums true again: what loads this has a wrong state."""
    file = path / "manifest.json"
    file.write_bytes(msgspec.json.encode(msgspec.json.decode(file.read_bytes()) | changes))
    arrays = safetensors.numpy.load_file(path / "arrays.safetensors")
    arrays["met"][:] = ~arrays["met"]
    safetensors.numpy.save_file(arrays, path / "arrays.safetensors")
    seal(path)


def _old(path: Path, _: random.Random) -> None:
    _rewrite(path, format=snapshots.FORMAT - 1)


def _foreign(path: Path, _: random.Random) -> None:
    _rewrite(path, application="another")


def _other_settings(path: Path, _: random.Random) -> None:
    _rewrite(path, settings_hash="0" * 16)


def _orphan(path: Path, chance: random.Random) -> None:
    """Let it stand on a batch that the journal does not have: as after a broker that has lost its newest records."""
    _rewrite(path, journal_offset=chance.choice([0, 10**6]))


def _orphan_of_the_future(path: Path, _: random.Random) -> None:
    """Let it stand on a batch that is yet to come."""
    later = path.with_name(f"{path.name[:-12]}{10**6:012d}")
    if later.exists():
        shutil.rmtree(later)
    path.rename(later)
    _rewrite(later, sequence=10**6)


_DAMAGES: tuple[Callable[[Path, random.Random], None], ...] = (
    *(_truncate, _flip, _old, _foreign, _other_settings, _orphan, _orphan_of_the_future),
)
