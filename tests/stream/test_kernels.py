"""Compiled code is kept on disk as long as nothing changes that went into it."""

import os
import subprocess
import sys
from pathlib import Path

INNER = "from stream.kernels import kernel\n@kernel\ndef twice(x):\n    return {} * x\n"
NUMBER = "STEP = {}\n"
OUTER = """\
from inner import twice
from number import STEP
from stream.kernels import kernel
@kernel
def _below(x):
    return twice(x) + STEP
@kernel
def outer(x):
    return _below(x)
"""
PROGRAM = "from outer import outer\nprint(outer(10), sum(outer.stats.cache_hits.values()))\n"


def run(folder: Path) -> tuple[int, int]:
    """Call the outer kernel in a process of its own; return what it gave, and how often it came from the disk."""
    paths = os.pathsep.join([str(folder), *sys.path])
    environment = os.environ | {"PYTHONPATH": paths, "NUMBA_CACHE_DIR": str(folder / "cache")}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    value, hits = done.stdout.split()
    return int(value), int(hits)


def test_a_kernel_is_compiled_anew_when_something_it_has_imported_changes(tmp_path: Path) -> None:
    (tmp_path / "inner.py").write_text(INNER.format(2))
    (tmp_path / "number.py").write_text(NUMBER.format(1))
    (tmp_path / "outer.py").write_text(OUTER)
    assert run(tmp_path) == (21, 0)
    assert run(tmp_path) == (21, 1), "what has not changed comes from the disk"
    (tmp_path / "inner.py").write_text(INNER.format(3))
    assert run(tmp_path) == (31, 0)
    (tmp_path / "number.py").write_text(NUMBER.format(5))
    assert run(tmp_path) == (35, 0)
