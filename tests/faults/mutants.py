"""`make mutants`: break what keeps the promises, one thing at a time, and see a named test fail.

Each mutant is a copy of the sources in a temporary folder with a few lines changed. Its test must pass on the copy as
it is, and fail on the changed one; a mutant that survives means that a promise is not tested.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

_ROOT = Path(__file__).parents[2]
_PARTS = ("stream", "models", "consumers", "tests", "pyproject.toml")


class Change(NamedTuple):
    """Some lines of one file, and what stands there instead."""

    path: str
    old: str
    new: str


class Mutant(NamedTuple):
    """What is broken, how, and the test that must notice."""

    name: str
    changes: tuple[Change, ...]
    test: str


_TRANSACTIONAL_ID = Change(
    "stream/kafka.py", "transactional_id=self._application,", 'transactional_id=f"{self._application}{os.getpid()}",'
)

MUTANTS = (
    Mutant(
        "fencing by the transactional id",
        (_TRANSACTIONAL_ID,),
        "tests/stream/test_kafka.py::test_a_fenced_leader_is_told_so",
    ),
    Mutant(
        "all fencing",
        (
            _TRANSACTIONAL_ID,
            Change("stream/kafka.py", "committed, self._lease.metadata)", "committed, self._application)"),
        ),
        "tests/faults/test_faults.py::test_nothing_is_lost_doubled_or_divergent[zombies]",
    ),
    Mutant(
        "fsync before the rename",
        (
            Change(
                "stream/snapshots.py",
                "        for path in (partial / _ARRAYS, partial / _MANIFEST, partial / _SUMS, partial):\n"
                "            _force_to_disk(path)\n",
                "",
            ),
            Change(
                "stream/snapshots.py",
                "        _force_to_disk(folder)\n",
                "        for path in (final / _ARRAYS, final / _MANIFEST, final / _SUMS, final, folder):\n"
                "            _force_to_disk(path)\n",
            ),
        ),
        "tests/stream/test_snapshots.py::test_everything_is_on_disk_before_it_gets_its_name",
    ),
    Mutant(
        "suppression of outputs while the journal is followed",
        (
            Change(
                "consumers/serving/task.py",
                "    redone: Done | None = None",
                "    unsent: list = field(default_factory=list)\n    redone: Done | None = None",
            ),
            Change(
                "consumers/serving/recovery.py",
                "        return done(pipeline, batch, decisions)\n",
                "        outputs = done(pipeline, batch, decisions)\n"
                "        standing.unsent += outputs.lists\n"
                "        return outputs\n",
            ),
            Change(
                "consumers/service.py",
                "        committing = self._committer.submit(",
                "        outputs.lists[:0], standing.unsent = standing.unsent, []\n"
                "        committing = self._committer.submit(",
            ),
        ),
        "tests/consumers/test_service.py::test_after_a_crash_nothing_is_lost_or_doubled",
    ),
    Mutant(
        "deduplication",
        (Change("stream/cleaning.py", "if key is not None and self._seen", "if key is None and self._seen"),),
        "tests/stream/test_cleaning.py::test_a_repeat_is_counted_and_goes_no_further",
    ),
    Mutant(
        "reading of committed records only",
        (Change("stream/kafka_clients.py", '"read_committed"', '"read_uncommitted"'),),
        "tests/stream/test_kafka.py::test_aborted_and_open_records_are_not_seen",
    ),
    Mutant(
        "the check that a snapshot stands on the journal",
        (Change("consumers/serving/restoring.py", "if not _is_in_journal(task.log, manifest):", "if False:"),),
        "tests/consumers/test_service.py::test_a_snapshot_of_another_journal_is_not_used",
    ),
)


def main() -> None:
    """Try all mutants; exits with 1 when one survives, or a test does not even pass on the sources as they are."""
    table = Table("switched off", "test", "as it is", "switched off:")
    survived = False
    with TemporaryDirectory(prefix="springtide-mutants-") as folder:
        copy = Path(folder)
        for part in _PARTS:
            _copy(_ROOT / part, copy / part)
        for mutant in MUTANTS:
            sound = _passes(mutant.test, copy)
            with_change = _passes(mutant.test, copy, mutant.changes)
            survived |= not sound or with_change
            verdict = "SURVIVED" if with_change else "fails"
            table.add_row(mutant.name, mutant.test, "passes" if sound else "FAILS", verdict)
    Console().print(table)
    sys.exit(survived)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy2(source, target)


def _passes(test: str, copy: Path, changes: tuple[Change, ...] = ()) -> bool:
    """Run a test on the copy, changed for as long as that takes."""
    before = {change.path: (copy / change.path).read_text(encoding="utf-8") for change in changes}
    for path, old, new in changes:
        text = (copy / path).read_text(encoding="utf-8")
        if text.count(old) != 1:
            message = f"{path} does not say this once, so the mutant has to be written anew: {old}"
            raise ValueError(message)
        (copy / path).write_text(text.replace(old, new), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", "-p", "no:cacheprovider", test]
    done = subprocess.run(
        command, cwd=copy, env=os.environ | {"PYTHONPATH": str(copy)}, stdout=subprocess.PIPE, text=True, check=False
    )
    for path, text in before.items():
        (copy / path).write_text(text, encoding="utf-8")
    if done.returncode not in {0, 1}:
        message = f"pytest could not run {test}:\n{done.stdout}"
        raise RuntimeError(message)
    return done.returncode == 0


if __name__ == "__main__":
    main()
