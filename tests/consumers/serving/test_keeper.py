import math
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Condition

import pytest

from consumers.serving.keeper import Keeper
from consumers.serving.task import Saved, Standing
from stream import snapshots
from stream.memory import MemoryBroker, MemoryLog
from tests.consumers.toy import Notes, Toy, toy_settings, toy_task

MINUTE_S = 60.0


class Bench:
    """A keeper whose clock stands still, and the batches that its leader learns."""

    def __init__(self, folder: Path, every: str = "1h", within: str = "10m") -> None:
        self.folder = folder
        self.now_s = 1_000_000.0
        settings = toy_settings("", folder, state={"snapshot_every": every, "erase_within": within})
        self.task = toy_task(MemoryLog(MemoryBroker("in", 1)), settings, [])
        self.notes = Notes(Condition())
        self.keeper: Keeper[Toy] = Keeper(self.task, settings.state, self.notes, lambda: 0, lambda: self.now_s)
        self.standing = Standing(self.task.make(0), epoch=0)

    def learn(self, batches: int = 1) -> None:
        self.standing.sequence += batches

    def erase(self) -> None:
        """Learn a batch that erases somebody; the keeper hears of it at once."""
        self.standing.erased = self.standing.sequence
        self.learn()
        self.keep()

    def keep(self, after_s: float = 0.0) -> list[int]:
        """Let time pass and the keeper do what is due; return the last batches of the snapshots that are there."""
        self.now_s += after_s
        for _ in range(2):  # what is written first may let something be deleted
            self.keeper.keep(self.standing)
            self.keeper.wait()
        return self.there()

    def there(self) -> list[int]:
        return [int(path.name[-12:]) for path in reversed(snapshots.candidates(self.folder))]


def _full(_: int) -> None:
    raise OSError(28, "No space left on device")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    bench.keeper.begin(bench.standing)
    yield bench
    bench.keeper.close()


def test_a_snapshot_is_taken_when_it_is_time_and_something_was_learned(bench: Bench) -> None:
    assert bench.keep(60 * MINUTE_S) == []
    bench.learn()
    assert bench.keep() == [0]
    bench.learn(4)
    assert bench.keep(59 * MINUTE_S) == [0]
    assert bench.keep(MINUTE_S) == [0, 4]
    assert bench.keep(600 * MINUTE_S) == [0, 4]
    assert bench.notes.snapshots == 2


def test_half_way_to_its_deadline_an_erasure_has_a_snapshot_and_at_its_deadline_no_older_one(bench: Bench) -> None:
    for _ in range(2):
        bench.learn()
        bench.keep(60 * MINUTE_S)
    bench.erase()
    assert bench.keep(4.9 * MINUTE_S) == [0, 1]
    assert bench.keep(0.1 * MINUTE_S) == [0, 1, 2]
    assert bench.keep(4.9 * MINUTE_S) == [0, 1, 2]
    assert bench.keep(0.1 * MINUTE_S) == [2]
    assert bench.keep(600 * MINUTE_S) == [2]


def test_each_erasure_has_its_own_deadline(bench: Bench) -> None:
    found = []
    for minute in range(20):
        if minute in {1, 3, 8}:
            bench.erase()
        else:
            bench.learn()
        found.append(bench.keep(MINUTE_S))
    # The first one's snapshot knows of the second one too; the third one's comes in minute 13, and its deadline in 18.
    assert found == [[]] * 5 + [[5]] * 7 + [[5, 12]] * 5 + [[12]] * 3


def test_an_erasure_that_may_not_wait_does_not(tmp_path: Path) -> None:
    bench = Bench(tmp_path, within="0s")
    bench.keeper.begin(bench.standing)
    bench.learn()
    assert bench.keep(60 * MINUTE_S) == [0]
    bench.erase()
    assert bench.keep() == [1]
    bench.keeper.close()


def test_nothing_goes_before_something_newer_is_written(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.learn()
    bench.keep(60 * MINUTE_S)
    bench.erase()
    with monkeypatch.context() as patch:
        patch.setattr("stream.snapshots.os.fsync", _full)
        assert bench.keep(100 * MINUTE_S) == [0]
        assert bench.notes.snapshot_failures == 1
    assert bench.keep(59 * MINUTE_S) == [0]  # tried again at the usual pace
    assert bench.keep(MINUTE_S) == [1]


def test_what_was_not_written_is_written_later_though_nothing_new_is_learned(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.learn()
    with monkeypatch.context() as patch:
        patch.setattr("stream.snapshots.os.fsync", _full)
        assert bench.keep(60 * MINUTE_S) == []
    assert bench.keep(60 * MINUTE_S) == [0]
    bench.learn()
    with monkeypatch.context() as patch:
        patch.setattr("stream.snapshots.os.fsync", _full)
        assert bench.keep(60 * MINUTE_S) == [0]
    bench.keeper.finish(bench.standing)
    assert bench.there() == [0, 1]


def test_a_process_that_cannot_be_copied_goes_on(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    bench.learn()
    with monkeypatch.context() as patch:
        patch.setattr("consumers.serving.apart.os.fork", refuse)
        assert bench.keep(60 * MINUTE_S) == []
        assert bench.notes.snapshot_failures == 1
    assert bench.keep(60 * MINUTE_S) == [0]


def test_nothing_goes_while_the_newer_one_is_damaged(bench: Bench) -> None:
    bench.learn()
    bench.keep(60 * MINUTE_S)
    bench.erase()
    bench.keep(5 * MINUTE_S)
    (snapshots.candidates(bench.folder)[0] / "manifest.json").write_bytes(b"{}")

    assert bench.keep(5 * MINUTE_S) == [0, 1]
    assert bench.keep(60 * MINUTE_S) == [1]  # written anew, over the damaged one
    assert snapshots.load(snapshots.candidates(bench.folder)[0], "app")[0].sequence == 1


def test_a_clean_stop_owes_nothing(bench: Bench) -> None:
    bench.learn()
    bench.keep(60 * MINUTE_S)
    bench.erase()
    bench.keeper.finish(bench.standing)
    assert bench.there() == [1]


def test_a_stop_without_anything_new_writes_nothing(bench: Bench) -> None:
    bench.learn()
    bench.keep(60 * MINUTE_S)
    bench.keeper.finish(bench.standing)
    assert bench.notes.snapshots == 1


def _restored(bench: Bench) -> Saved:
    """Snapshots up to batch 1, the last of which was restored."""
    bench.learn()
    bench.keep(60 * MINUTE_S)
    bench.learn()
    bench.keep(60 * MINUTE_S)
    return Saved(snapshots.candidates(bench.folder)[0], 1)


def _in_the_snapshot(bench: Bench) -> None:
    bench.standing = Standing(bench.task.make(0), 0, sequence=2, erased=1, restored=_restored(bench))


def _met_on_the_way(bench: Bench) -> None:
    bench.standing = Standing(bench.task.make(0), 0, sequence=4, erased=2, restored=_restored(bench))


def _nothing_restored(bench: Bench) -> None:
    _restored(bench)
    bench.standing = Standing(bench.task.make(0), 0, sequence=4, erased=2)


def _new_epoch(bench: Bench) -> None:
    _restored(bench)
    bench.standing = Standing(bench.task.make(1), 1, sequence=1, erased=0)


@pytest.mark.parametrize(
    ("recovered", "left"), [(_in_the_snapshot, 1), (_met_on_the_way, 3), (_nothing_restored, 3), (_new_epoch, 0)]
)
def test_after_a_start_all_erasures_that_are_known_are_overdue(
    bench: Bench, recovered: Callable[[Bench], None], left: int
) -> None:
    recovered(bench)
    bench.keeper.begin(bench.standing)
    assert bench.keep() == [left]


def test_under_load_a_snapshot_is_taken_before_its_time(bench: Bench) -> None:
    for worked_s, there in ((9.9, []), (10.0, [1]), (19.9, [1]), (20.1, [1, 3])):
        bench.learn()
        bench.standing.worked_s = worked_s
        assert bench.keep() == there


def test_without_an_erasure_a_start_deletes_nothing(bench: Bench) -> None:
    bench.standing = Standing(bench.task.make(0), 0, sequence=2, restored=_restored(bench))
    bench.keeper.begin(bench.standing)
    assert bench.keep(math.inf) == [0, 1]


def test_of_two_that_share_a_folder_one_takes_the_snapshots(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    other = Bench(bench.folder)
    other.keeper.begin(other.standing)
    for one in (bench, other):
        one.learn(2)
    assert bench.keep(60 * MINUTE_S) == [1]
    other.learn()
    assert other.keep(120 * MINUTE_S) == [1]
    other.keeper.finish(other.standing)
    assert other.there() == [1]
    assert caplog.text.count("Another process takes the snapshots") == 1

    bench.keeper.close()
    assert other.keep() == [1, 2]
    other.keeper.close()
