"""What offsets are set to; that they can be, and mend what they should, is tried on a real broker in tests/faults."""

from pathlib import Path

import pytest

from consumers.commands.reset import journal_end
from stream.errors import RecoveryError
from stream.memory import MemoryBroker, MemoryLog
from tests.consumers.bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.produce(20)
    assert bench.run_until(bench.caught_up) is None
    return bench


def _end(bench: Bench) -> list[int]:
    return [offset for _, offset in sorted(journal_end(MemoryLog(bench.broker)).items())]


def test_the_journal_says_where_it_ends(bench: Bench) -> None:
    assert _end(bench) == [10, 10]
    assert bench.run_until(lambda: bench.epochs() == {0, 1} and bench.caught_up(), rebuild=True) is None
    bench.broker.journal[:] = [value for value in bench.broker.journal if b'"epoch":1,"sequence":0' in value]
    assert _end(bench) == [0, 0]  # of the newest epoch, which has read nothing yet


def test_offsets_that_were_moved_are_mended_without_a_new_epoch(bench: Bench) -> None:
    bench.broker.committed[bench.broker.sources[0]] -= 3
    died = bench.run_until(lambda: False)
    assert isinstance(died, RecoveryError)
    assert "springtide reset commits what the journal says" in str(died)
    bench.broker.committed = journal_end(MemoryLog(bench.broker))
    bench.produce(6)
    assert bench.run_until(bench.caught_up) is None
    assert bench.epochs() == {0}
    bench.check()


def test_what_cannot_be_mended_so_names_what_can(bench: Bench) -> None:
    bench.broker.expire(bench.broker.sources[1], 5)
    assert _end(bench) == [10, 10]
    bench.produce(4)
    bench.broker.expire(bench.broker.sources[1], 11)
    with pytest.raises(RecoveryError, match=r"ends at offset 10 of in partition 1, .* 11 to 12: springtide run --reb"):
        _end(bench)
    bench.broker = MemoryBroker("in", 2)
    with pytest.raises(RecoveryError, match=r"The journal is empty, .*: springtide run --rebuild"):
        _end(bench)
