import gc
from pathlib import Path

import pytest

from consumers.metrics import machine


def test_the_smallest_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit, none, missing = tmp_path / "limit", tmp_path / "none", tmp_path / "missing"
    limit.write_text("123456789\n")
    none.write_text("max\n")
    monkeypatch.setattr(machine, "_CGROUP_LIMITS", (none, missing))
    of_the_machine = machine.memory_limit_bytes()
    assert of_the_machine > 2**28

    monkeypatch.setattr(machine, "_CGROUP_LIMITS", (none, limit, missing))
    assert machine.memory_limit_bytes() == 123_456_789


def test_what_is_held_grows_with_what_is_taken() -> None:
    gc.collect()  # what earlier tests have left behind must not be given back in the meantime
    before = machine.resident_bytes()
    taken = b"x" * 2**28
    assert machine.resident_bytes() - before > len(taken) // 2
