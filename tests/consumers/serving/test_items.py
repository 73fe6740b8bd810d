"""The topic of the items as journaled input: what a crash, a follower and compaction make of it."""

import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from consumers.pipeline import Pipeline
from consumers.service import Service
from consumers.serving.recovery import Follower
from consumers.serving.task import Task
from consumers.settings import Settings
from stream.dead_letters import read_dead_letter
from stream.errors import RecoveryError
from stream.log import TopicPartition
from stream.memory import CrashedError, Fault, MemoryBroker, MemoryLog
from stream.recommendations import Recommendation
from stream.snapshots import state_hash
from tests.consumers.bench import PATIENCE_S, WholeBench
from tests.consumers.stream import NOON, items
from tests.consumers.toy import Notes

ITEMS = TopicPartition("items", 0)


class ItemBench(WholeBench):
    """A broker with interactions and items, and processes one after the other."""

    def __init__(self, folder: Path, start: str = "earliest") -> None:
        super().__init__(folder)
        self.settings = Settings.model_validate(
            {
                "input": {"topic": "in", "start": start},
                "items": {"topic": "items", "vector_length": 2},
                "publish": {"topic": "out"},
                "state": {"dir": folder},
                "network": {"enabled": False},
                "batch": {"max_records": 8},
            }
        )
        self.broker = MemoryBroker("in", 1, "items")

    def tell(self, *told: str | Mapping[str, object]) -> None:
        for item in told:
            key = item if isinstance(item, str) else str(item["item_id"])
            value = None if isinstance(item, str) else msgspec.json.encode(item)
            self.broker.append(ITEMS, value, key.encode(), timestamp_ms=NOON)

    def crash(self, *faults: Fault | None) -> None:
        """Run until the process dies at the last of these commits."""
        self.broker.faults.extend(faults)
        log = MemoryLog(self.broker)
        service = Service(self.task(log), self.settings, Notes(self.broker.changed))

        def live() -> None:
            with suppress(CrashedError):
                service.run()

        thread = threading.Thread(target=live)
        thread.start()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
        self.broker.expire_lease()

    def task(self, log: MemoryLog, folder: Path | None = None) -> Task[Pipeline]:
        where = self.settings.state.dir if folder is None else folder
        return Task(log, "springtide", "", where, lambda epoch: Pipeline(self.settings, epoch))

    def followed(self, folder: Path) -> Pipeline:
        """The state that the journal leads to, from its beginning."""
        log = MemoryLog(self.broker)
        assert log.acquire(lambda: False)
        try:
            return Follower(self.task(log, folder)).lead().pipeline
        finally:
            log.close()

    def lists(self) -> list[Recommendation]:
        return [
            msgspec.json.decode(record.value, type=Recommendation)
            for record in self.broker.records("out")
            if record.value is not None
        ]


def _change(bench: ItemBench, rounds: int) -> None:
    for number in range(rounds):
        bench.tell(
            {"item_id": "abcd"[number % 4], "available": number % 3 > 0, "attributes": {"n": number % 5}},
            {"item_id": f"new{number}", "attributes": {"n": number % 5}, "vector": [number, 1]},
        )
        bench.walk(1)


@pytest.mark.parametrize("fault", [Fault.CRASH_BEFORE, Fault.CRASH_AFTER])
def test_whoever_follows_the_journal_has_the_same_state_after_crashes(tmp_path: Path, fault: Fault) -> None:
    bench = ItemBench(tmp_path / "state")
    _change(bench, 5)
    bench.crash(None, None, fault)
    _change(bench, 5)
    bench.tell("c", {"item_id": "d", "vector": [1]})
    bench.dead = 1
    led = bench.run()

    assert state_hash(bench.followed(tmp_path / "nowhere").state()) == state_hash(led.state())
    triggers = [(one.trigger.topic, one.trigger.offset) for one in bench.lists()]
    assert sorted(triggers) == [("in", offset) for offset in range(30)]
    (letter,) = map(read_dead_letter, bench.broker.records("in.dlq"))
    assert letter is not None
    assert (letter.reason, letter.details["topic"]) == ("wrong_vector", "items")


def test_a_restart_bars_what_was_withdrawn_before_it(tmp_path: Path) -> None:
    bench = ItemBench(tmp_path / "state")
    bench.walk(8)
    bench.run()
    bench.tell("c")
    bench.run()
    before = len(bench.lists())
    bench.walk(2)
    bench.run()
    assert "c" in {item for one in bench.lists()[:before] for item in items(one)}
    after = [items(one) for one in bench.lists()[before:]]
    assert len(after) == 6
    assert not any("c" in one for one in after)


def test_items_are_read_from_their_beginning_wherever_events_begin(tmp_path: Path) -> None:
    bench = ItemBench(tmp_path / "state", start="latest")
    bench.walk(1)
    bench.tell("c", {"item_id": "n"})
    led = bench.run()
    assert led.recommender.events_learned == 0
    assert led.admission.items.find("n") >= 0
    assert len(led.assortment) == 1


def test_compaction_is_noticed_by_whom_it_takes_something_from(tmp_path: Path) -> None:
    bench = ItemBench(tmp_path / "state")
    bench.tell({"item_id": "n", "attributes": {"a": 1}})
    bench.walk(2)
    bench.run()
    bench.tell({"item_id": "n", "attributes": {"a": 2}})
    led = bench.run()
    bench.broker.compact(ITEMS)

    with pytest.raises(RecoveryError, match=r"had 7 records, and the log has 6 of them: compaction took"):
        bench.followed(tmp_path / "nowhere")
    assert state_hash(bench.run().state()) == state_hash(led.state()), "a snapshot does not need them"
