"""A follower beside a leader: the same state, whenever it takes over, and whatever the leader does meanwhile."""

import json
import logging
from dataclasses import replace
from itertools import count
from pathlib import Path

import msgspec
import numpy as np
import pytest

from consumers.serving.observer import Role
from consumers.serving.recovery import Follower
from consumers.serving.restoring import restore
from stream import journal, snapshots
from stream.memory import Fault, MemoryLog
from tests.consumers.bench import Bench
from tests.consumers.toy import RAISES_IN_LEARN, RAISES_IN_RECOMMEND, Toy, toy_task


class Clock:
    """Stands still unless it is set."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "leader")


def _follower(bench: Bench, made: list[Toy], clock: Clock | None = None) -> Follower[Toy]:
    beside = bench.beside(Path("/nowhere"))
    return Follower(toy_task(MemoryLog(bench.broker), beside.settings, made), clock_s=clock or Clock())


def _hash(toy: Toy) -> str:
    return snapshots.state_hash(toy.state())


def _followed(bench: Bench) -> str:
    """Hash of the state at the end of the journal."""
    return _hash(_follower(bench, []).finish().pipeline)


@pytest.mark.parametrize("fault", [Fault.CRASH_BEFORE, Fault.CRASH_AFTER])
@pytest.mark.parametrize("at", range(5))
@pytest.mark.parametrize("marked", [{}, {8: RAISES_IN_LEARN, 16: RAISES_IN_RECOMMEND, 23: RAISES_IN_LEARN}])
def test_a_standby_goes_on_where_the_leader_died(
    bench: Bench, tmp_path: Path, fault: Fault, at: int, marked: dict[int, str]
) -> None:
    standby = bench.beside(tmp_path / "standby")
    with bench.running() as leader:
        bench.wait(lambda: leader.role() is Role.LEADER)
        with standby.running() as follower:
            bench.wait(lambda: follower.role() is Role.STANDBY)
            bench.broker.faults.extend([None] * at + [fault])
            bench.produce(60, marked)
            bench.wait(lambda: follower.role() is Role.LEADER)
            bench.wait(standby.settled)
    assert not bench.broker.faults
    standby.check()


def test_a_takeover_does_not_begin_anew(bench: Bench, tmp_path: Path) -> None:
    standby = bench.beside(tmp_path / "standby")
    with bench.running() as leader:
        bench.wait(lambda: leader.role() is Role.LEADER)
        with standby.running() as follower:
            bench.wait(lambda: follower.role() is Role.STANDBY)
            bench.produce(60)
            bench.wait(bench.caught_up)
            leader.stop()
            bench.wait(lambda: follower.role() is Role.LEADER)
            bench.produce(10)
            bench.wait(standby.caught_up)
    assert len(standby.made) == 1
    assert standby.notes.roles[:2] == [Role.STANDBY, Role.RECOVERING]
    standby.check()


def test_the_time_in_which_it_stood_by_is_no_recovery(bench: Bench, tmp_path: Path) -> None:
    standby, clock = bench.beside(tmp_path / "standby"), Clock()
    standby.clock_s = clock
    with bench.running() as leader:
        bench.wait(lambda: leader.role() is Role.LEADER)
        with standby.running() as follower:
            bench.wait(lambda: follower.role() is Role.STANDBY)
            clock.now_s = 1_000.0
            leader.stop()
            bench.wait(lambda: follower.role() is Role.LEADER)
            bench.produce(4)
            bench.wait(standby.caught_up)
    assert standby.notes.recoveries_s == [0.0]
    assert standby.notes.left[-1] == 0


def test_what_learning_takes_is_added_up_by_who_leads_and_who_follows(tmp_path: Path) -> None:
    bench, ticks = Bench(tmp_path, state={"snapshot_every": "1h"}, batch={"max_records": 8}), count()
    bench.clock_s = lambda: float(next(ticks))  # a second at each look
    bench.produce(400)
    assert bench.run_until(bench.caught_up) is None
    assert bench.notes.snapshots > 1, "under load none was taken"

    nowhere = bench.beside(Path("/nowhere")).settings
    log = MemoryLog(bench.broker)
    follower = Follower(toy_task(log, nowhere, []), clock_s=bench.clock_s)
    assert follower.finish().worked_s == len(bench.broker.journal)


def test_a_recovery_takes_from_the_start_until_it_leads(bench: Bench) -> None:
    ticks = count()
    bench.clock_s = lambda: float(next(ticks))
    bench.produce(4)
    assert bench.run_until(bench.caught_up) is None
    (took_s,) = bench.notes.recoveries_s
    assert 0 < took_s < next(ticks)


def test_a_standby_can_be_stopped(bench: Bench, tmp_path: Path) -> None:
    standby = bench.beside(tmp_path / "standby")
    with bench.running() as leader:
        bench.wait(lambda: leader.role() is Role.LEADER)
        with standby.running() as follower:
            bench.wait(lambda: follower.role() is Role.STANDBY)
        assert leader.role() is Role.LEADER
    assert standby.notes.led == []
    assert not snapshots.candidates(tmp_path / "standby")


def test_a_standby_keeps_snapshots_and_none_from_before_an_erasure(bench: Bench, tmp_path: Path) -> None:
    standby = bench.beside(tmp_path / "standby")
    bench.produce(20)
    with bench.running() as leader:
        bench.wait(lambda: leader.role() is Role.LEADER)
        with standby.running() as follower:
            bench.wait(lambda: follower.role() is Role.STANDBY and len(standby.made[-1].times_ms) > 0)
        (first,) = snapshots.candidates(tmp_path / "standby")
        with standby.running() as follower:
            bench.wait(lambda: follower.role() is Role.STANDBY)
            event = {"type": "erase", "user_id": "u1", "event_time": 1_700_000_100_000}
            bench.broker.append(bench.broker.sources[0], json.dumps(event).encode(), timestamp_ms=1_700_000_100_000)
            bench.produce(2)
            bench.wait(lambda: bench.caught_up() and 1_700_000_100_000 in standby.made[-1].times_ms)
    (second,) = snapshots.candidates(tmp_path / "standby")
    assert second.name > first.name
    manifest, state = snapshots.load(second, "app")
    assert manifest.erased >= 0
    assert state["hash"].tobytes() == standby.made[-1].state()["hash"].tobytes()
    assert standby.notes.led == []


def test_the_newest_batch_is_learned_when_the_next_one_is_there_or_after_a_while(bench: Bench) -> None:
    bench.produce(30)
    assert bench.run_until(bench.caught_up) is None
    written, made, clock = len(bench.broker.journal), list[Toy](), Clock()
    last = bench.broker.journal.pop()
    follower = _follower(bench, made, clock)

    assert follower.follow()
    assert made[-1].batches == written - 3  # the first record says where the epoch begins, two are held back or hidden
    bench.broker.journal.append(last)
    assert follower.follow()
    assert made[-1].batches == written - 2
    clock.now_s = 61
    assert follower.follow()
    assert made[-1].batches == written - 1
    assert _hash(made[-1]) == _hash(bench.made[-1])
    assert len(made) == 1


def test_who_has_learned_a_batch_that_is_amended_begins_anew(bench: Bench) -> None:
    bench.produce(7)
    assert bench.run_until(bench.caught_up) is None
    made, clock = list[Toy](), Clock()
    follower = _follower(bench, made, clock)
    follower.follow()
    clock.now_s = 61
    follower.follow()
    newest = journal.decode(bench.broker.journal[-1])
    standing = tuple(msgspec.structs.replace(one, start=one.end) for one in newest.covered)
    before = newest.decisions | {"singly": True, "skipped": [["in", 0, 1]]}
    amended = msgspec.structs.replace(newest, sequence=newest.sequence + 1, covered=standing, before=before, records=0)
    assert restore(toy_task(MemoryLog(bench.broker), bench.settings, [])).restored is not None

    bench.broker.journal.append(journal.encode(amended))

    assert not follower.follow()
    assert follower.standing is None
    assert follower.follow()
    assert len(made) == 2
    assert made[-1].decisions[-1].coalesce is False
    assert _hash(made[-1]) == _followed(bench) != _hash(bench.made[-1])
    assert restore(toy_task(MemoryLog(bench.broker), bench.settings, [])).restored is None  # holds what was left out


def test_a_model_that_raises_on_the_newest_batch_waits_for_what_the_leader_says(bench: Bench) -> None:
    bench.produce(7, {2: RAISES_IN_LEARN})
    assert bench.run_until(bench.settled) is None
    amendment = bench.broker.journal.pop()
    made, clock = list[Toy](), Clock()
    follower = _follower(bench, made, clock)
    assert follower.follow()
    clock.now_s = 61
    assert follower.follow()
    assert follower.sequence == 0
    bench.broker.journal.append(amendment)
    assert follower.follow()
    assert follower.sequence == 1
    assert len(made) == 1
    assert _hash(made[-1]) == _hash(bench.made[-1])


def test_a_follower_goes_along_into_a_new_epoch(bench: Bench) -> None:
    bench.produce(30)
    assert bench.run_until(bench.caught_up) is None
    follower = _follower(bench, [])
    assert follower.follow()
    assert bench.run_until(lambda: bench.epochs() == {0, 1} and bench.caught_up(), rebuild=True) is None
    standing = follower.finish()
    assert standing.epoch == 1
    assert _hash(standing.pipeline) == _hash(bench.made[-1])


def test_it_says_how_much_of_the_journal_is_left(bench: Bench) -> None:
    bench.produce(60)
    assert bench.run_until(bench.caught_up) is None
    said: list[int] = []
    nowhere = bench.beside(Path("/nowhere")).settings
    follower = Follower(toy_task(MemoryLog(bench.broker), nowhere, []), said.append)
    while not follower.follow(lambda: True):
        assert follower.left >= 0
    assert follower.left == 0
    assert said == list(range(len(bench.broker.journal) - 2, -1, -1))  # each is learned when the next one is there


def test_following_stops_when_told_and_goes_on_there(bench: Bench) -> None:
    bench.produce(30)
    assert bench.run_until(bench.caught_up) is None
    made: list[Toy] = []
    follower = _follower(bench, made)
    rounds = 0
    while not follower.follow(lambda: True):
        rounds += 1
    assert rounds == len(bench.broker.journal)
    assert len(made) == 1
    log = MemoryLog(bench.broker)
    assert log.acquire(lambda: False)
    assert _hash(follower.lead().pipeline) == _hash(Follower(toy_task(log, bench.settings, [])).lead().pipeline)


def test_who_takes_over_half_way_through_a_look_at_the_journal_follows_what_came_since(bench: Bench) -> None:
    bench.produce(30)
    assert bench.run_until(bench.caught_up) is None
    log = MemoryLog(bench.broker)
    follower = Follower(toy_task(log, bench.beside(Path("/nowhere")).settings, []))
    assert not follower.follow(lambda: True)  # there was more, and there will be
    bench.produce(60)
    assert bench.run_until(bench.caught_up) is None

    assert log.acquire(lambda: False)
    assert _hash(follower.lead().pipeline) == _followed(bench)


def _said_of_differences(bench: Bench, caplog: pytest.LogCaptureFixture, **changes: str) -> list[tuple[int, str]]:
    """Follow a journal in two parts, with the state changed between them if `changes` say so; return what is logged."""
    bench.produce(60)
    assert bench.run_until(bench.caught_up) is None
    task = toy_task(MemoryLog(bench.broker), bench.beside(Path("/nowhere")).settings, [])
    follower = Follower(replace(task, settings_hash=changes.get("settings_hash", task.settings_hash)))
    caplog.clear()
    learned = iter(range(5))
    assert not follower.follow(lambda: next(learned, None) is None)
    assert follower.standing is not None
    if "state" in changes:
        toy = follower.standing.pipeline
        met = toy.milestone
        toy.restore({"hash": np.full(32, 7, np.uint8)})
        toy.milestone = met
    follower.finish()
    return [(record.levelno, record.message) for record in caplog.records]


def test_who_learns_the_same_says_nothing(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    assert _said_of_differences(bench, caplog) == []
    assert any(journal.decode(record).milestone for record in bench.broker.journal)


def test_who_has_diverged_says_so_once(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    ((level, message),) = _said_of_differences(bench, caplog, state="another")
    assert level == logging.ERROR
    assert "something else was learned here" in message


def test_who_learns_under_other_settings_says_so_once(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    ((level, message),) = _said_of_differences(bench, caplog, settings_hash="another")
    assert level == logging.WARNING
    assert "under other settings" in message


def test_who_has_diverged_says_so_after_batches_under_other_settings_too(
    bench: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = Bench(tmp_path / "before", windows={"length": 8})
    before.broker, before.notes = bench.broker, bench.notes
    bench.produce(30)
    assert before.run_until(before.caught_up) is None
    follower = _follower(bench, [])
    toy = follower.finish().pipeline
    met = toy.milestone
    toy.restore({"hash": np.full(32, 7, np.uint8)})
    toy.milestone = met
    bench.produce(30)
    assert bench.run_until(bench.caught_up) is None
    caplog.clear()
    follower.finish()
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
