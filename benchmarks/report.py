"""Rounds into figures: medians, spread, ratios, a table and a JSON file.

Absolute figures of a shared machine change from hour to hour, so two loops that are compared take turns, and a ratio is
the median of the ratios of neighbouring rounds.
"""

import json
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from rich.table import Table


@dataclass(frozen=True, slots=True)
class Rounds:
    """One quantity, measured once a round."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> "Rounds":
        """Gather values."""
        return cls(tuple(values))

    @property
    def middle(self) -> float:
        """Median."""
        return median(self.values)

    def over(self, other: "Rounds") -> "Rounds":
        """Ratio round by round; both have as many."""
        return Rounds(tuple(mine / theirs for mine, theirs in zip(self.values, other.values, strict=True)))


def quantile(values: Sequence[float], q: float) -> float:
    """Smallest value that at least the share `q` of all is not above; `values` are not empty."""
    ordered = sorted(values)
    return ordered[max(-int(-q * len(ordered) // 1) - 1, 0)]


@dataclass(slots=True)
class Report:
    """Figures by name, in the order in which they were added, in a file and as a table.

    A figure has a value, a spread (least and most of its rounds) and maybe a goal. The file is written anew with each,
    so that a run that is interrupted leaves what it has.
    """

    path: Path
    _figures: dict[str, tuple[Rounds, str]] = field(default_factory=dict)
    _notes: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, rounds: Rounds | float, goal: str = "") -> None:
        """Add a figure under the name that it has in the JSON file."""
        self._figures[name] = (rounds if isinstance(rounds, Rounds) else Rounds((rounds,)), goal)
        self._write()

    def note(self, name: str, value: Any) -> None:
        """Add what is no figure: the machine, the stream, a table of bytes."""
        self._notes[name] = value
        self._write()

    def table(self) -> Table:
        """Return all figures as a table."""
        table = Table("figure", "median", "least", "most", "goal", show_edge=False)
        for column in table.columns[1:]:
            column.justify = "right"
        for name, (rounds, goal) in self._figures.items():
            spread = (_short(min(rounds.values)), _short(max(rounds.values))) if len(rounds.values) > 1 else ("", "")
            table.add_row(name, _short(rounds.middle), *spread, goal)
        return table

    def _write(self) -> None:
        """Write medians by name, then all rounds and notes."""
        whole = {name: rounds.middle for name, (rounds, _) in self._figures.items()}
        rounds = {name: list(rounds.values) for name, (rounds, _) in self._figures.items()}
        self.path.write_text(
            json.dumps(whole | {"rounds": rounds, "notes": self._notes}, indent=2) + "\n", encoding="utf-8"
        )


def machine() -> dict[str, str]:
    """Say what the figures were measured on, and when."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": _processor(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(models)} x {models[0]}" if models else platform.processor()


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
