"""What is left of an erased user on disk, after a service that runs the whole pipeline."""

from pathlib import Path

import msgspec
import pytest

from stream import snapshots
from stream.recommendations import RECEIPT_HEADER, Receipt
from tests.consumers.bench import WholeBench

SOMEBODY = "somebody-in-particular"


@pytest.fixture
def bench(tmp_path: Path) -> WholeBench:
    return WholeBench(tmp_path / "state", snapshot_every="0s", erase_within="0s")


def test_no_file_of_any_snapshot_holds_an_erased_user(bench: WholeBench) -> None:
    bench.walk(10)
    bench.produce(*({"user_id": SOMEBODY, "item_id": item} for item in "abcabdab"))
    bench.produce({"user_id": SOMEBODY, "item_id": "c", "event_type": "skip"})
    bench.run()
    assert any(SOMEBODY.encode() in data for data in bench.files().values())
    assert len(snapshots.candidates(bench.settings.state.dir)) > 1

    bench.produce({"type": "erase", "user_id": SOMEBODY})
    bench.walk(1)
    bench.run()

    files = bench.files()
    assert {Path(name).name for name in files} == {"arrays.safetensors", "manifest.json", "SHA256SUMS", ".claim"}
    assert not any(SOMEBODY.encode() in data for data in files.values())
    receipts = [
        msgspec.json.decode(dict(record.headers)[RECEIPT_HEADER] or b"", type=Receipt)
        for record in bench.broker.records("out")
        if record.value is None
    ]
    assert [(one.known, one.trigger.event_id) for one in receipts] == [(True, "e39")]
    assert not any(SOMEBODY.encode() in value for value in bench.broker.journal)


def test_what_was_written_by_row_is_blank_where_the_user_was(bench: WholeBench) -> None:
    bench.walk(10)
    bench.produce(*({"user_id": SOMEBODY, "item_id": item} for item in "abcabdab"))
    bench.produce({"user_id": SOMEBODY, "item_id": "c", "event_type": "skip"})
    bench.produce({"user_id": "u0", "item_id": SOMEBODY}, {"user_id": SOMEBODY, "item_id": "d"})
    admission = bench.run().admission
    row, item = admission.users.find(SOMEBODY), admission.items.find(SOMEBODY)
    _, before = snapshots.load(snapshots.candidates(bench.settings.state.dir)[0], "springtide")

    bench.produce({"type": "erase", "user_id": SOMEBODY})
    bench.run()

    _, after = snapshots.load(snapshots.candidates(bench.settings.state.dir)[0], "springtide")
    by_row = {"windows.counts": 0, "consumed.heads": -1, "published.times_ms": -1, "met": 0}
    for name, blank in by_row.items():
        assert before[name][row] != blank, name
        assert len(after[name]) <= row or after[name][row] == blank, name
    for expert in ("recommender.replies", "recommender.circle"):
        assert before[f"{expert}.selves"][row] == item + 1
        assert len(after[f"{expert}.selves"]) <= row or after[f"{expert}.selves"][row] == 0
        for name in ("earlier", "others"):
            assert item + 1 in before[f"{expert}.{name}"]
            assert item + 1 not in after[f"{expert}.{name}"]
        assert item not in after[f"{expert}.beings"]
    for name in ("recommender.sequence.replay.users", "recommender.factorization.users.rows"):
        assert row in before[name], name
        assert row not in after[name], name
    assert len(before["recommender.ranker.users"]) == row + 1
    assert len(after["recommender.ranker.users"]) <= row
    assert after["admission.users.last_used"][row] == -1


def test_a_start_makes_up_for_what_a_crash_left_behind(bench: WholeBench, tmp_path: Path) -> None:
    bench.produce({"user_id": SOMEBODY, "item_id": "a"}, {"user_id": SOMEBODY, "item_id": "b"})
    bench.run()
    (tmp_path / "state").rename(tmp_path / "away")
    bench.produce({"type": "erase", "user_id": SOMEBODY})
    bench.run()
    (tmp_path / "state").rename(tmp_path / "lost")
    (tmp_path / "away").rename(tmp_path / "state")  # as if nothing had been written since the erasure
    assert any(SOMEBODY.encode() in data for data in bench.files().values())

    bench.run()

    assert snapshots.candidates(bench.settings.state.dir)
    assert not any(SOMEBODY.encode() in data for data in bench.files().values())


def test_a_recovery_without_snapshots_erases_again_by_the_order_of_the_log(bench: WholeBench, tmp_path: Path) -> None:
    bench.produce({"user_id": SOMEBODY, "item_id": "a"}, {"user_id": SOMEBODY, "item_id": "b"})
    bench.produce({"type": "erase", "user_id": SOMEBODY})
    bench.walk(2)
    state = bench.run().state()
    (tmp_path / "state").rename(tmp_path / "lost")

    again = bench.run()

    assert snapshots.state_hash(again.state()) == snapshots.state_hash(state)
    assert not any(SOMEBODY.encode() in data for data in bench.files().values())
    assert len([record for record in bench.broker.records("out") if record.value is None]) == 1
