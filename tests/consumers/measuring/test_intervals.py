import numpy as np
import pytest

from consumers.measuring.intervals import intervals
from models.metrics import MISS


def test_bounds_are_around_the_figures() -> None:
    rng = np.random.default_rng(0)
    users, ours, theirs = (rng.integers(0, most, 2_000).astype(np.int32) for most in (50, 12, 20))
    found = intervals(users, ours, {"rival": theirs}, seed=1)
    assert found["hr@10"]["low"] < (ours < 10).mean() < found["hr@10"]["high"] < found["hr@10"]["low"] + 0.1
    assert found["rival"]["low"] < found["rival"]["ratio"] < found["rival"]["high"]
    assert found["rival"]["ratio"] == pytest.approx(20 / 12, abs=0.1)
    assert found["rival"]["block"] in {"user", "time"}


def test_a_rival_that_never_hits_has_no_ratio() -> None:
    ours, never = np.zeros(100, np.int32), np.full(100, MISS)
    found = intervals(np.arange(100, dtype=np.int32), ours, {"rival": never}, seed=1)
    assert "rival" not in found
    assert (found["hr@10"]["low"], found["hr@10"]["high"]) == (1.0, 1.0)


def test_too_few_events_to_resample_have_no_interval() -> None:
    assert intervals(np.zeros(3, np.int32), np.zeros(3, np.int32), {}, seed=1).keys() == {"level", "resamples"}
