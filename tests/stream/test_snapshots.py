"""Snapshots: whole or not there, and refused when anything about them is not as it was written."""

import errno
import fcntl
import hashlib
import pickle
from pathlib import Path

import msgspec
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream.errors import SnapshotError
from stream.log import TopicPartition
from stream.snapshots import (
    FORMAT,
    Manifest,
    State,
    candidates,
    claim,
    drop_before,
    fingerprint,
    load,
    nest,
    pick,
    save,
    state_hash,
)

STATE: State = {
    "windows.items": np.arange(12, dtype=np.int32).reshape(3, 4),
    "windows.transposed": np.arange(12, dtype=np.int64).reshape(3, 4).T,
    "users.ids": np.frombuffer(b'["u1"]', np.uint8),
    "network.mask": np.array([True, False]),
    "network.weights": np.array([0.5, -0.0, np.nan], np.float32),
    "network.steps": np.array(7, np.uint64),
    "empty": np.empty((0, 3), np.float64),
}


def manifest(sequence: int = 7, epoch: int = 0, state: State = STATE, application: str = "shop") -> Manifest:
    return Manifest(
        application=application,
        epoch=epoch,
        sequence=sequence,
        erased=-1,
        journal_offset=sequence + 100,
        offsets=((TopicPartition("interactions", 0), 41), (TopicPartition("interactions", 1), 43)),
        watermark_ms=1_767_225_600_250,
        settings_hash="5e",
        fingerprint=fingerprint(threads=2),
        state_hash=state_hash(state),
    )


def names(folder: Path) -> list[str]:
    return [path.name for path in candidates(folder)]


def seal(path: Path) -> None:
    """Make the checksums true again after the files were changed."""
    digests = {name: hashlib.sha256((path / name).read_bytes()) for name in ("arrays.safetensors", "manifest.json")}
    (path / "SHA256SUMS").write_text("".join(f"{sha.hexdigest()}  {name}\n" for name, sha in digests.items()))


def test_what_was_saved_is_loaded_bit_for_bit(tmp_path: Path) -> None:
    path = save(tmp_path / "not" / "there" / "yet", STATE, manifest())
    found, state = load(path, "shop")
    assert found == manifest()
    assert dict(found.offsets)[TopicPartition("interactions", 1)] == 43
    assert state_hash(state) == found.state_hash
    for name, array in STATE.items():
        assert (state[name].dtype, state[name].shape) == (array.dtype, array.shape)
        assert state[name].tobytes() == array.tobytes()


def test_the_checksums_are_those_of_sha256sum(tmp_path: Path) -> None:
    path = save(tmp_path, STATE, manifest())
    written = (path / "SHA256SUMS").read_text()
    seal(path)
    assert (path / "SHA256SUMS").read_text() == written


def test_the_newest_three_are_kept_by_epoch_and_sequence(tmp_path: Path) -> None:
    for epoch, sequence in [(0, 2_000_000_000_000), (1, 999_999_999_999), (1, 1_000_000_000_000), (2, 1)]:
        save(tmp_path, STATE, manifest(sequence, epoch))
    assert names(tmp_path) == [
        "snapshot-0002-000000000001",
        "snapshot-0001-1000000000000",
        "snapshot-0001-999999999999",
    ]
    assert len(list(tmp_path.iterdir())) == 3


def test_what_stands_further_on_is_of_another_journal_and_takes_no_room_from_this_one(tmp_path: Path) -> None:
    for sequence in (90, 91, 92, 1, 2, 3, 4):
        save(tmp_path, STATE, manifest(sequence))
    assert [int(name[-2:]) for name in names(tmp_path)] == [92, 91, 90, 4, 3, 2]


def test_what_was_before_an_erasure_goes_once_something_newer_is_whole(tmp_path: Path) -> None:
    places = [(2, 7), (1, 9), (1, 8), (1, 7), (1, 6), (0, 9)]  # the first two are of another journal
    saved = [save(tmp_path, STATE, manifest(sequence, epoch)) for epoch, sequence in places]
    (tmp_path / "snapshot-0001-000000000005.partial").mkdir()

    assert drop_before(saved[2], 1, 7) == [*saved[:2], *saved[4:]]
    assert sorted(tmp_path.iterdir(), reverse=True) == saved[2:4]
    assert drop_before(saved[2], 1, 7) == []


def test_nothing_goes_while_the_newer_one_is_damaged(tmp_path: Path) -> None:
    old, new = (save(tmp_path, STATE, manifest(sequence)) for sequence in (6, 7))
    (new / "arrays.safetensors").write_bytes(b"")
    with pytest.raises(SnapshotError, match="is damaged"):
        drop_before(new, 0, 7)
    assert names(tmp_path) == [new.name, old.name]


def test_what_cannot_be_deleted_is_said(tmp_path: Path) -> None:
    (tmp_path / "snapshot-0000-000000000001").write_text("not a folder")
    with pytest.raises(SnapshotError, match="hold erased users cannot be deleted"):
        drop_before(save(tmp_path, STATE, manifest(2)), 0, 2)


def test_no_folder_has_no_candidates(tmp_path: Path) -> None:
    assert candidates(tmp_path / "missing") == []


def test_a_crash_before_the_end_leaves_nothing_that_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, STATE, manifest(1))

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", crash)
        with pytest.raises(KeyboardInterrupt):
            save(tmp_path, STATE, manifest(2))
    assert names(tmp_path) == ["snapshot-0000-000000000001"]
    assert len(list(tmp_path.iterdir())) == 2
    save(tmp_path, STATE, manifest(3))
    assert [path.name for path in sorted(tmp_path.iterdir())] == sorted(names(tmp_path))


def test_everything_is_on_disk_before_it_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: dict[int, str] = {}
    steps = []

    def opening(path: Path, flags: int) -> int:
        opened[len(opened)] = Path(path).name
        return len(opened) - 1

    monkeypatch.setattr("stream.snapshots.os.open", opening)
    monkeypatch.setattr("stream.snapshots.os.fsync", lambda descriptor: steps.append(opened[descriptor]))
    monkeypatch.setattr("stream.snapshots.os.close", lambda descriptor: None)
    monkeypatch.setattr(Path, "rename", lambda path, target: steps.append(f"{path.name} -> {target.name}"))
    save(tmp_path, STATE, manifest())
    partial, final = "snapshot-0000-000000000007.partial", "snapshot-0000-000000000007"
    files = ["arrays.safetensors", "manifest.json", "SHA256SUMS"]
    assert steps == [*files, partial, f"{partial} -> {final}", tmp_path.name]


def test_a_snapshot_saved_again_replaces_the_one_that_was_refused(tmp_path: Path) -> None:
    path = save(tmp_path, STATE, manifest())
    (path / "arrays.safetensors").unlink()
    assert save(tmp_path, STATE, manifest()) == path
    assert load(path, "shop")[0] == manifest()


def test_a_disk_that_refuses_leaves_the_older_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = save(tmp_path, STATE, manifest(1))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("stream.snapshots.os.fsync", full)
        with pytest.raises(SnapshotError, match="No space left on device"):
            save(tmp_path, STATE, manifest(2))
    assert candidates(tmp_path) == [old]
    assert load(old, "shop")[0].sequence == 1


def test_arrays_of_objects_cannot_be_saved(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="object"):
        save(tmp_path, {"evil": np.array([print], object)}, manifest())
    assert candidates(tmp_path) == []


FILES = ("arrays.safetensors", "manifest.json", "SHA256SUMS")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["missing", "empty", "truncated", "longer"])
def test_files_not_as_written_are_refused(tmp_path: Path, name: str, damage: str) -> None:
    path = save(tmp_path, STATE, manifest())
    content = (path / name).read_bytes()
    match damage:
        case "missing":
            (path / name).unlink()
        case "empty":
            (path / name).write_bytes(b"")
        case "truncated":
            (path / name).write_bytes(content[:-1])
        case "longer":
            (path / name).write_bytes(content + b"\n")
    with pytest.raises(SnapshotError, match=r"is damaged|cannot be read") as raised:
        load(path, "shop")
    assert str(path) in str(raised.value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(FILES), place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_refused(tmp_path: Path, name: str, place: float, bit: int) -> None:
    path = save(tmp_path, STATE, manifest())
    content = bytearray((path / name).read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    (path / name).write_bytes(content)
    with pytest.raises(SnapshotError):
        load(path, "shop")


def test_a_flipped_bit_in_any_byte_of_the_manifest_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path, STATE, manifest()) / "manifest.json"
    content = path.read_bytes()
    for place in range(len(content)):
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        path.write_bytes(flipped)
        with pytest.raises(SnapshotError):
            load(path.parent, "shop")


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "snapshot-0000-000000000001").write_text("not a folder")
    (path,) = candidates(tmp_path)
    with pytest.raises(SnapshotError, match="cannot be read"):
        load(path, "shop")


@pytest.mark.parametrize("found", [FORMAT - 1, FORMAT + 1])
def test_another_format_is_refused_whatever_else_it_holds(tmp_path: Path, found: int) -> None:
    path = save(tmp_path, STATE, manifest())
    (path / "manifest.json").write_bytes(msgspec.json.encode({"format": found, "shards": ["a", "b"]}))
    (path / "SHA256SUMS").unlink()
    with pytest.raises(SnapshotError, match=f"is in format {found} where .* reads format {FORMAT}"):
        load(path, "shop")


def test_another_applications_snapshot_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path, STATE, manifest(application="films"))
    with pytest.raises(SnapshotError, match="belongs to the application 'films', not to 'shop'"):
        load(path, "shop")


@pytest.mark.parametrize(
    ("field", "value"),
    [("sequence", "7"), ("sequence", 7.5), ("epoch", None), ("offsets", {"a": 1}), ("fingerprint", {"threads": 2})],
)
def test_manifests_of_wrong_types_are_refused_even_when_sealed(tmp_path: Path, field: str, value: object) -> None:
    path = save(tmp_path, STATE, manifest())
    content = msgspec.json.decode((path / "manifest.json").read_bytes())
    (path / "manifest.json").write_bytes(msgspec.json.encode({**content, field: value}))
    seal(path)
    with pytest.raises(SnapshotError, match=rf"Expected .* at `\$\.{field}"):
        load(path, "shop")


def test_manifests_with_unknown_or_missing_fields_are_refused_even_when_sealed(tmp_path: Path) -> None:
    path = save(tmp_path, STATE, manifest())
    content = msgspec.json.decode((path / "manifest.json").read_bytes())
    for changed in ({**content, "extra": 1}, {name: content[name] for name in content if name != "epoch"}):
        (path / "manifest.json").write_bytes(msgspec.json.encode(changed))
        seal(path)
        with pytest.raises(SnapshotError, match=r"unknown field `extra`|missing required field `epoch`"):
            load(path, "shop")


def test_foreign_arrays_are_refused_even_when_sealed(tmp_path: Path) -> None:
    path = save(tmp_path, STATE, manifest())
    (path / "arrays.safetensors").write_bytes(pickle.dumps(STATE))
    seal(path)
    with pytest.raises(SnapshotError, match="cannot be read"):
        load(path, "shop")


def test_equal_states_have_equal_hashes_in_whatever_order_and_layout() -> None:
    shuffled = {name: np.asarray(STATE[name], order="F") for name in reversed(STATE)}
    assert state_hash(shuffled) == state_hash(STATE)


@pytest.mark.parametrize(
    "other",
    [
        {"b": np.array([1, 2], np.int32)},
        {"a": np.array([1, 3], np.int32)},
        {"a": np.array([1, 2], np.uint32)},
        {"a": np.array([[1, 2]], np.int32)},
        {"a": np.array([1, 2], np.int32), "b": np.empty(0, np.int32)},
        {},
    ],
)
def test_names_values_types_and_shapes_all_count_in_the_hash(other: State) -> None:
    assert state_hash(other) != state_hash({"a": np.array([1, 2], np.int32)})


def test_the_hash_never_changes_its_meaning() -> None:
    # sha256 of: a NUL <i4 NUL (2,) NUL 01000000 02000000
    expected = hashlib.sha256(b"a\0<i4\0(2,)\0\x01\0\0\0\x02\0\0\0").hexdigest()
    assert state_hash({"a": np.array([1, 2], np.int32)}) == expected


def test_nested_states_are_picked_out_again() -> None:
    one: State = {"x": np.zeros(1), "y.z": np.ones(1)}
    both = {**nest("one", one), **nest("on", {"e.x": np.full(1, 2.0)})}
    assert sorted(both) == ["on.e.x", "one.x", "one.y.z"]
    assert pick("one", both) == one
    assert list(pick("on", both)) == ["e.x"]
    assert pick("absent", both) == {}


def test_the_fingerprint_names_what_changes_bits() -> None:
    assert fingerprint(threads=2) == fingerprint(threads=2)
    assert fingerprint(threads=2) != fingerprint(threads=1)
    assert {"simd", "numpy", "numba", "torch", "river"} <= fingerprint(1).keys()


def test_an_empty_state_is_a_state(tmp_path: Path) -> None:
    path = save(tmp_path, {}, manifest(state={}))
    assert load(path, "shop")[1] == {}
    assert safetensors.numpy.load_file(path / "arrays.safetensors") == {}


def test_a_folder_is_claimed_by_one_at_a_time(tmp_path: Path) -> None:
    first = claim(tmp_path / "state")
    assert first is not None
    assert claim(tmp_path / "state") is None
    first.close()
    second = claim(tmp_path / "state")
    assert second is not None
    second.close()
    assert candidates(tmp_path / "state") == []


def test_a_claim_that_cannot_be_made_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_file: object, _how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(OSError, match="No locks available"):
        claim(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        claim(tmp_path / "file")
