"""An exception inside a model: the record becomes a dead letter, all others are learned, and every follower agrees."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from stream import journal, snapshots
from stream.dead_letters import read_dead_letter
from stream.errors import ModelError, RecoveryError
from stream.memory import CrashedError, Fault
from tests.consumers.bench import Bench, WholeBench
from tests.consumers.brittle import brittle, brittle_settings
from tests.consumers.toy import RAISES_IN_LEARN, RAISES_IN_RECOMMEND, Toy

MARKED = {
    "in recommend": {20: RAISES_IN_RECOMMEND},
    "in learn": {20: RAISES_IN_LEARN},
    "in the first": {0: RAISES_IN_RECOMMEND, 1: RAISES_IN_LEARN},
    "in the last": {57: RAISES_IN_LEARN, 58: RAISES_IN_RECOMMEND},
    "many": {n: RAISES_IN_LEARN if n % 2 else RAISES_IN_RECOMMEND for n in range(12, 48, 3) if n % 10 != 9},
    "side by side": {n: RAISES_IN_LEARN for n in range(20, 28)},
}


@pytest.mark.parametrize("marked", MARKED.values(), ids=MARKED)
def test_what_raises_is_a_dead_letter_once_and_the_rest_is_learned(tmp_path: Path, marked: Mapping[int, str]) -> None:
    bench = Bench(tmp_path)
    bench.produce(60, marked)
    assert bench.run_until(bench.settled) is None
    bench.check()
    bench.produce(10)
    assert bench.run_until(bench.settled) is None
    bench.check()


@pytest.mark.parametrize("fault", list(Fault))
@pytest.mark.parametrize("at", range(7))
@pytest.mark.parametrize("snapshot_every", ["0s", "1h"])
def test_whatever_happens_on_the_way(tmp_path: Path, fault: Fault, at: int, snapshot_every: str) -> None:
    bench = Bench(tmp_path, state={"snapshot_every": snapshot_every})
    bench.produce(40, {8: RAISES_IN_LEARN, 16: RAISES_IN_RECOMMEND, 23: RAISES_IN_LEARN})
    bench.broker.faults.extend([None] * at + [fault])
    died = bench.run_until(bench.settled)
    assert died is None or isinstance(died, CrashedError)
    assert bench.run_until(bench.settled) is None
    bench.check()


def test_a_batch_that_is_committed_when_a_model_raises_is_amended_by_the_next_record(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.produce(7, {2: RAISES_IN_LEARN})
    assert bench.run_until(bench.settled) is None

    records = [journal.decode(value) for value in bench.broker.journal]
    assert [record.sequence for record in records] == [0, 1, 2]
    assert records[1].decisions["singly"] is False
    assert records[2].before == records[1].decisions | {"singly": True, "skipped": [["in", 0, 1]]}
    assert all(start == end for start, end in records[2].ranges.values())
    assert len(bench.broker.records("out")) == 7
    bench.check()


def test_a_batch_on_which_a_model_raises_before_it_is_committed_is_answered_record_by_record(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.produce(7, {2: RAISES_IN_RECOMMEND, 3: RAISES_IN_LEARN})
    assert bench.run_until(bench.settled) is None

    records = [journal.decode(value) for value in bench.broker.journal]
    assert len(records) == 2
    assert records[1].decisions["skipped"] == [["in", 0, 1], ["in", 1, 1]]
    assert len(bench.broker.records("out")) == 5
    assert "singly" in bench.notes.stages
    bench.check()


def test_only_what_raised_is_done_record_by_record(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.produce(70, {9: "i", 16: RAISES_IN_RECOMMEND})
    assert bench.run_until(bench.settled) is None
    singly = [journal.decode(value).decisions["singly"] for value in bench.broker.journal]
    assert sum(singly) in {1, 2}  # after a recovery the batches are cut anew
    assert not any(singly[:3])
    assert not any(singly[-4:])
    bench.check()


def test_a_model_that_does_not_raise_again_leaves_nothing_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path)
    bench.produce(30)
    learn, times = Toy.learn, iter(range(10**6))

    def raises_once(toy: Toy) -> object:
        if next(times) == 2:
            raise MemoryError
        return learn(toy)

    monkeypatch.setattr(Toy, "learn", raises_once)
    assert bench.run_until(bench.settled) is None
    assert len(bench.made) == 2
    assert not any(journal.decode(value).before for value in bench.broker.journal)
    bench.check()


def test_a_follower_on_which_a_model_raises_alone_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path / "one")
    bench.produce(30)
    assert bench.run_until(bench.settled) is None
    bench.settings = bench.settings.model_copy(
        update={"state": bench.settings.state.model_copy(update={"dir": tmp_path / "other"})}
    )
    learn, times = Toy.learn, iter(range(10**6))

    def raises_once(toy: Toy) -> object:
        if next(times) == 2:
            raise MemoryError
        return learn(toy)

    monkeypatch.setattr(Toy, "learn", raises_once)
    died = bench.run_until(lambda: False)
    assert isinstance(died, RecoveryError)
    assert "Batch 3 of epoch 0 raises MemoryError here, and did not where it was learned" in str(died)


@pytest.mark.parametrize("mark", [RAISES_IN_RECOMMEND, RAISES_IN_LEARN])
def test_a_model_that_raises_on_everything_does_not_bury_the_stream(tmp_path: Path, mark: str) -> None:
    bench = Bench(tmp_path)
    bench.produce(400, {n: mark for n in range(60, 400) if n % 10 != 9})
    died = bench.run_until(lambda: False)
    assert isinstance(died, ModelError)
    assert "A model has raised on 1" in str(died)
    marked = [one for one in bench.broker.records("in.dlq") if mark.encode() in (one.value or b"")]
    assert 90 < len(marked) < 110


def test_the_whole_pipeline_recovers_to_the_same_state(tmp_path: Path) -> None:
    bench = WholeBench(tmp_path / "state", brittle)
    bench.settings = brittle_settings(bench.settings)
    bench.walk(12)
    bench.produce({"user_id": "u1", "item_id": "e", "event_type": "boom"})
    bench.walk(3)
    bench.dead = 1
    state = bench.run().state()
    letters = [letter for record in bench.broker.records("in.dlq") if (letter := read_dead_letter(record))]
    assert [(letter.reason, letter.details["stage"]) for letter in letters] == [("FloatingPointError", "model")]
    assert b"boom" in (letters[0].record.value or b"")

    (tmp_path / "state").rename(tmp_path / "lost")
    again = bench.run()

    assert again.recommender.events_learned == 45
    assert snapshots.state_hash(again.state()) == snapshots.state_hash(state)
    assert len(bench.broker.records("in.dlq")) == 1
