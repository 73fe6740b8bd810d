import json
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from consumers.serving.observer import Role
from stream import journal, snapshots
from stream.errors import CommitInDoubtError, RecoveryError
from stream.log import TopicPartition
from stream.memory import CrashedError, Fault, MemoryBroker, MemoryLog
from tests.consumers.bench import PATIENCE_S, Bench
from tests.consumers.toy import Notes


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_every_input_is_answered_once_in_order_of_event_time(bench: Bench) -> None:
    bench.produce(100)
    assert bench.run_until(bench.caught_up) is None
    bench.check()
    (toy,) = bench.made
    assert toy.times_ms == sorted(toy.times_ms)
    assert len(toy.times_ms) == 90
    assert bench.notes.led == [True, False]
    assert bench.notes.stages == {"poll", "decode", "merge", "recommend", "commit", "learn", "snapshot"}


def test_what_comes_later_is_answered_too(bench: Bench) -> None:
    bench.produce(20)
    service = bench.service()
    thread = threading.Thread(target=service.run)
    thread.start()
    for count in (20, 40):
        with bench.broker.changed:
            assert bench.broker.changed.wait_for(bench.caught_up, PATIENCE_S)
        assert service.role() is Role.LEADER
        assert service.live()
        if count == 20:
            bench.produce(20)
    service.stop()
    thread.join(PATIENCE_S)
    assert service.role() is Role.RECOVERING
    bench.check()


@pytest.mark.parametrize("fault", [Fault.ABORTED, Fault.UNCONFIRMED])
@pytest.mark.parametrize("at", range(6))
def test_after_a_doubtful_commit_nothing_is_lost_or_doubled(bench: Bench, fault: Fault, at: int) -> None:
    bench.produce(60)
    bench.broker.faults.extend([None] * at + [fault])
    assert bench.run_until(bench.caught_up) is None
    assert len(bench.made) == 2
    bench.check()


@pytest.mark.parametrize("fault", [Fault.CRASH_BEFORE, Fault.CRASH_AFTER])
@pytest.mark.parametrize("at", range(6))
@pytest.mark.parametrize("snapshot_every", ["0s", "1h"])
def test_after_a_crash_nothing_is_lost_or_doubled(tmp_path: Path, fault: Fault, at: int, snapshot_every: str) -> None:
    bench = Bench(tmp_path, state={"snapshot_every": snapshot_every})
    bench.produce(60)
    bench.broker.faults.extend([None] * at + [fault])
    assert isinstance(bench.run_until(bench.caught_up), CrashedError)
    assert bench.run_until(bench.caught_up) is None
    bench.check()


def test_commits_that_always_fail_end_the_process(bench: Bench) -> None:
    bench.produce(10)
    bench.broker.faults.extend([None] + [Fault.ABORTED] * 10)
    assert isinstance(bench.run_until(lambda: False), CommitInDoubtError)
    assert len(bench.broker.faults) == 10 - 3


def test_a_snapshot_saves_the_way_from_the_beginning(bench: Bench) -> None:
    bench.produce(50)
    bench.run_until(bench.caught_up)
    assert bench.notes.snapshots == 1
    bench.produce(10)
    bench.run_until(bench.caught_up)
    first, second = bench.made
    assert first.batches > second.batches > 0
    bench.check()


def test_a_snapshot_of_other_settings_is_not_used(bench: Bench) -> None:
    bench.produce(20)
    bench.run_until(bench.caught_up)
    batches = bench.made[-1].batches
    windows = bench.settings.windows.model_copy(update={"length": 8})
    bench.settings = bench.settings.model_copy(update={"windows": windows})
    bench.run_until(lambda: bench.notes.led[2:] == [True])
    assert bench.made[-1].batches == batches


def test_a_snapshot_of_another_journal_is_not_used(bench: Bench) -> None:
    bench.produce(20)
    assert bench.run_until(bench.caught_up) is None
    foreign = Bench(Path(bench.settings.state.dir))
    foreign.produce(4)
    assert foreign.run_until(foreign.caught_up) is None
    foreign.check()


def test_a_rebuild_begins_a_new_epoch_from_what_the_log_still_has(bench: Bench) -> None:
    bench.produce(30)
    bench.run_until(bench.caught_up)
    before = {json.loads(record.value or b"")["rec_id"] for record in bench.broker.records("out")}
    bench.broker.expire(bench.broker.sources[0], 5)
    assert bench.run_until(lambda: bench.epochs() == {0, 1} and bench.caught_up(), rebuild=True) is None
    lists = [json.loads(record.value or b"")["rec_id"] for record in bench.broker.records("out")]
    again = set(lists) - before
    assert len(lists) == len(set(lists))
    assert len(again) == len(before) - 5
    bench.check_state()
    bench.produce(5)
    assert bench.run_until(bench.caught_up) is None
    bench.check_state()


@pytest.mark.parametrize("offsets_last", [True, False], ids=["offsets last", "offsets are gone too"])
def test_after_the_journal_was_deleted_no_name_of_a_list_comes_again(bench: Bench, *, offsets_last: bool) -> None:
    bench.produce(30)
    assert bench.run_until(bench.caught_up) is None
    lists = len(bench.broker.records("out"))
    bench.broker.journal.clear()
    if offsets_last:
        assert "the journal is empty" in str(bench.run_until(lambda: False))
    else:
        bench.broker.committed.clear()
    assert bench.run_until(lambda: len(bench.broker.records("out")) == 2 * lists, rebuild=offsets_last) is None
    names = [json.loads(record.value or b"")["rec_id"] for record in bench.broker.records("out")]
    assert len(set(names)) == len(names)
    assert bench.epochs() == {1_700_000_011}  # the second after that in which it begins
    bench.check_state()
    bench.produce(5)
    assert bench.run_until(bench.caught_up) is None
    bench.check_state()


def test_a_snapshot_that_stands_elsewhere_in_the_input_is_not_used(bench: Bench) -> None:
    bench.produce(20)
    assert bench.run_until(bench.caught_up) is None
    (path,) = snapshots.candidates(Path(bench.settings.state.dir))
    manifest, state = snapshots.load(path, "app")
    source, end = manifest.offsets[0]
    elsewhere = msgspec.structs.replace(manifest, offsets=((source, end - 1), *manifest.offsets[1:]))
    snapshots.save(path.parent, state, elsewhere)
    batches = bench.made[-1].batches
    assert bench.run_until(lambda: bench.notes.led[2:] == [True]) is None
    assert bench.made[-1].batches == batches, "it was used"


@pytest.mark.parametrize(("start", "read"), [("earliest", 4), ("latest", 0), ("2023-11-14T22:13:20.002Z", 2)])
def test_the_first_start_begins_where_it_is_told(tmp_path: Path, start: str, read: int) -> None:
    bench = Bench(tmp_path, input={"start": start})
    bench.produce(4)  # stamped from 2023-11-14T22:13:20.000Z on, a millisecond apart
    assert bench.run_until(bench.caught_up) is None
    assert len(bench.broker.records("out")) == read
    (first, *_) = map(journal.decode, bench.broker.journal)
    assert all(start == end for start, end in first.ranges.values())
    bench.produce(2)
    assert bench.run_until(bench.caught_up) is None
    assert len(bench.broker.records("out")) == read + 2


def test_decisions_of_the_clock_are_journaled(tmp_path: Path) -> None:
    bench = Bench(tmp_path, publish={"max_age": "10s", "coalesce": True}, models={"training_share": 0.5})
    bench.produce(4)
    bench.run_until(bench.caught_up)
    by_the_clock = {"publish_after_ms": 1_700_000_000_000, "training_share": 0.5, "coalesce": True}
    decided = by_the_clock | {"singly": False, "skipped": []}
    assert [journal.decode(value).decisions for value in bench.broker.journal] == [decided] * len(bench.broker.journal)
    bench.check_state()


def test_who_loses_the_lease_stands_by_and_recovers_when_it_comes_back(bench: Bench) -> None:
    bench.produce(10)
    service = bench.service()
    thread = threading.Thread(target=service.run)
    thread.start()
    with bench.broker.changed:
        assert bench.broker.changed.wait_for(bench.caught_up, PATIENCE_S)
        other = MemoryLog(bench.broker)
        bench.broker.leader = other
    bench.produce(10)
    with bench.broker.changed:
        assert bench.broker.changed.wait_for(lambda: bench.notes.led == [True, False], PATIENCE_S)
    assert not bench.caught_up()
    other.close()
    with bench.broker.changed:
        assert bench.broker.changed.wait_for(bench.caught_up, PATIENCE_S)
    service.stop()
    thread.join(PATIENCE_S)
    assert bench.notes.led == [True, False, True, False]
    bench.check()


def _expired(bench: Bench) -> None:
    source = bench.broker.sources[0]
    bench.produce(2)
    bench.broker.expire(source, bench.broker.bounds()[source][1])


def _without_journal(bench: Bench) -> None:
    bench.broker.journal.clear()


def _elsewhere(bench: Bench) -> None:
    bench.broker.committed[bench.broker.sources[0]] += 1


def _other_application(bench: Bench) -> None:
    bench.broker.journal[0] = bench.broker.journal[0].replace(b'"app"', b'"other"')


def _gap(bench: Bench) -> None:
    del bench.broker.journal[1]


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_expired, "Offset 0 of in partition 0 has left the log: copy a newer snapshot"),
        (_without_journal, "the journal is empty"),
        (_elsewhere, "The journal ends at offset 10 of in partition 0 and 11 is committed"),
        (_other_application, "The journal belongs to other"),
        (_gap, "The journal goes on with batch 2 of epoch 0 where batch 1 of epoch 0 is due"),
    ],
)
def test_what_disagrees_is_refused_with_its_mend(
    bench: Bench, damage: Callable[[Bench], None], sentence: str, tmp_path: Path
) -> None:
    bench.produce(20)
    bench.run_until(bench.caught_up)
    for path in snapshots.candidates(tmp_path):
        path.rename(tmp_path / f"away-{path.name}")
    damage(bench)
    died = bench.run_until(lambda: False)
    assert isinstance(died, RecoveryError)
    assert sentence in str(died)


def test_with_a_snapshot_only_what_comes_after_it_must_be_there(bench: Bench) -> None:
    bench.produce(20)
    bench.run_until(bench.caught_up)
    source = bench.broker.sources[0]
    bench.broker.expire(source, 10)
    bench.produce(4)
    assert bench.run_until(bench.caught_up) is None
    bench.produce(2)
    bench.broker.expire(source, 13)
    with pytest.raises(
        RecoveryError, match="Offset 12 of in partition 0 is due and has left the log, which begins at 13"
    ):
        raise bench.run_until(lambda: False) or AssertionError


def test_forgotten_offsets_are_taken_from_the_journal(bench: Bench) -> None:
    bench.produce(20)
    bench.run_until(bench.caught_up)
    bench.broker.committed.clear()
    bench.produce(2)
    assert bench.run_until(bench.caught_up) is None
    bench.check()


def test_a_partition_that_was_added_is_read_from_its_beginning(bench: Bench) -> None:
    bench.produce(6)
    bench.run_until(bench.caught_up)
    old, bench.broker = bench.broker, MemoryBroker("in", 3)
    for record in (*old.records("in"), *old.records("out")):
        bench.broker.append(record.source, record.value, record.key, record.timestamp_ms)
    bench.broker.journal, bench.broker.committed = old.journal, old.committed
    event = json.dumps({"user_id": "new", "item_id": "i", "event_time": 1_700_000_100_000}).encode()
    bench.broker.append(TopicPartition("in", 2), event, timestamp_ms=1_700_000_100_000)
    assert bench.run_until(bench.caught_up) is None
    bench.check()


def test_the_first_batches_of_a_backlog_are_small(tmp_path: Path) -> None:
    bench = Bench(tmp_path, batch={"max_records": 100})
    bench.produce(400)
    assert bench.run_until(bench.caught_up) is None
    records = [journal.decode(value) for value in bench.broker.journal]
    sizes = [sum(end - start for start, end in record.ranges.values()) for record in records]
    assert sizes[:4] == [0, 32, 64, 100]  # the first one says where the epoch begins


def test_another_input_topic_under_the_same_name_ends_in_a_sentence(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.produce(10)
    assert bench.run_until(bench.caught_up) is None
    journal_so_far, bench.broker = bench.broker.journal, MemoryBroker("other", 2)
    bench.broker.journal.extend(journal_so_far)
    bench.notes = Notes(bench.broker.changed)
    died = bench.run_until(lambda: False)
    assert isinstance(died, RecoveryError)
    assert "which is no input of this task: set input.topic back" in str(died)
