import json
from pathlib import Path

import pytest

from benchmarks.report import Report, Rounds, quantile


def test_a_ratio_is_the_median_of_the_ratios_of_neighbouring_rounds() -> None:
    mine, theirs = Rounds.of([10, 50, 30]), Rounds.of([20, 200, 40])
    assert mine.over(theirs).values == (0.5, 0.25, 0.75)
    assert mine.over(theirs).middle == 0.5  # and not 30 / 40


def test_rounds_that_differ_in_number_have_no_ratio() -> None:
    with pytest.raises(ValueError, match="shorter"):
        Rounds.of([1, 2]).over(Rounds.of([1]))


@pytest.mark.parametrize(("q", "expected"), [(0.0, 1), (0.5, 50), (0.99, 99), (0.991, 100), (1.0, 100)])
def test_a_quantile_is_a_value_that_was_seen(q: float, expected: int) -> None:
    assert quantile(list(range(100, 0, -1)), q) == expected


def test_the_file_has_medians_by_name_and_all_rounds(tmp_path: Path) -> None:
    report = Report(tmp_path / "bench.json")
    report.add("throughput_ratio", Rounds.of([0.2, 0.9, 0.4]), ">= 0.5")
    report.add("cold_start_s", 7.5)
    report.note("stream", "three events")
    found = json.loads((tmp_path / "bench.json").read_text())
    assert found["throughput_ratio"] == 0.4
    assert found["cold_start_s"] == 7.5
    assert found["rounds"]["throughput_ratio"] == [0.2, 0.9, 0.4]
    assert found["notes"] == {"stream": "three events"}
