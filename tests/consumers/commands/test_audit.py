"""An audit tells states that the journal leads to from all others."""

import logging
from pathlib import Path

import msgspec
import numpy as np
import pytest

from consumers.commands.audit import compare
from stream import snapshots
from stream.errors import RecoveryError, SnapshotError
from stream.memory import MemoryBroker, MemoryLog
from tests.consumers.bench import Bench
from tests.consumers.toy import toy_task


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Three runs that each end with a snapshot."""
    bench = Bench(tmp_path)
    for _ in range(3):
        bench.produce(20)
        assert bench.run_until(bench.caught_up) is None
    return bench


def _paths(bench: Bench) -> list[Path]:
    return list(reversed(snapshots.candidates(bench.settings.state.dir)))


def _compare(bench: Bench, begin: Path | None = None) -> tuple[bool, list[str], str]:
    findings = compare(toy_task(MemoryLog(bench.broker), bench.settings, []), begin)
    return findings.equal, [one.snapshot for one in findings.compared], findings.sentence()


def _rewrite(path: Path, bench: Bench, *, fingerprint: dict[str, str]) -> None:
    """Write a snapshot as a machine would that has learned something else."""
    manifest, state = snapshots.load(path, bench.settings.application.name)
    state["hash"] = np.zeros_like(state["hash"])
    other = msgspec.structs.replace(
        manifest, state_hash=snapshots.state_hash(state), fingerprint=manifest.fingerprint | fingerprint
    )
    snapshots.save(path.parent, state, other)


def test_snapshots_to_which_the_journal_leads_are_the_same(bench: Bench) -> None:
    oldest, middle, newest = _paths(bench)
    equal, compared, sentence = _compare(bench)
    assert equal
    assert compared == [middle.name, newest.name]
    assert f"from {oldest.name} to the state of {newest.name}, and to 1 on the way: they are the same" in sentence


def test_where_to_begin_can_be_chosen(bench: Bench) -> None:
    _, middle, newest = _paths(bench)
    assert _compare(bench, middle)[:2] == (True, [newest.name])
    assert _compare(bench, Path(middle.name))[:2] == (True, [newest.name])


def test_where_to_begin_is_not_chosen_anew_when_it_is_damaged(bench: Bench) -> None:
    oldest, *_ = _paths(bench)
    (oldest / "arrays.safetensors").write_bytes(b"")
    with pytest.raises(SnapshotError, match=f"{oldest.name} is damaged"):
        _compare(bench, oldest)


def test_what_is_no_snapshot_is_no_place_to_begin(bench: Bench, tmp_path: Path) -> None:
    checkpoint = tmp_path / "news.checkpoint"
    checkpoint.write_bytes(b"learned from history")
    with pytest.raises(SnapshotError, match=r"news\.checkpoint is no snapshot: name one of those in"):
        _compare(bench, checkpoint)


def test_what_was_learned_after_the_newest_snapshot_does_not_matter(bench: Bench) -> None:
    bench.produce(20)
    assert bench.run_until(bench.caught_up) is None
    *older, newest = _paths(bench)
    newest.rename(newest.with_name("away"))
    assert _compare(bench)[:2] == (True, [path.name for path in older[1:]])


@pytest.mark.parametrize("at", [1, 2])
def test_the_first_state_that_is_another_is_named_with_its_parts(bench: Bench, at: int) -> None:
    paths = _paths(bench)
    _rewrite(paths[at], bench, fingerprint={})
    equal, compared, sentence = _compare(bench)
    assert not equal
    assert compared == [path.name for path in paths[1 : at + 1]]
    assert f"a state that is not the one of {paths[at].name}: hash differs; keep" in sentence


def test_another_machine_is_said(bench: Bench) -> None:
    _, middle, _ = _paths(bench)
    _rewrite(middle, bench, fingerprint={"numpy": "0.1"})
    assert "hash differs (numpy is another here than where it was made)" in _compare(bench)[2]


def test_a_damaged_snapshot_is_left_out(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    oldest, middle, newest = _paths(bench)
    (middle / "arrays.safetensors").write_bytes(b"")
    with caplog.at_level(logging.WARNING):
        assert _compare(bench)[:2] == (True, [newest.name])
    (oldest / "arrays.safetensors").write_bytes(b"")
    assert "is damaged" in caplog.text
    with pytest.raises(SnapshotError, match="has no newer one than"):
        _compare(bench)


def test_a_way_that_is_gone_ends_in_a_sentence(bench: Bench, tmp_path: Path) -> None:
    _, middle, _ = _paths(bench)
    bench.broker.expire(bench.broker.sources[0], 15)
    with pytest.raises(RecoveryError, match="audit from a newer one by --from"):
        _compare(bench)
    assert _compare(bench, middle)[0]
    empty = bench.beside(tmp_path / "empty")
    empty.broker = MemoryBroker("in", 2)
    with pytest.raises(SnapshotError, match=r"none in .* can be used"):
        _compare(empty)
