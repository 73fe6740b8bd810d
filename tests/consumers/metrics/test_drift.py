import random

import pytest
from prometheus_client import CollectorRegistry

from consumers.metrics.drift import Drift, Signal


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def coins(ratio: float, count: int, seed: int) -> list[float]:
    chance = random.Random(seed)
    return [float(chance.random() < ratio) for _ in range(count)]


def changes(registry: CollectorRegistry, signal: str) -> tuple[float, float]:
    """How often it changed for the better and for the worse."""
    better, worse = (
        registry.get_sample_value("springtide_drift_total", {"signal": signal, "direction": direction})
        for direction in ("better", "worse")
    )
    assert better is not None and worse is not None
    return better, worse


def test_chance_is_no_drift(registry: CollectorRegistry) -> None:
    drift = Drift({"hits": Signal(True)}, registry)
    drift.observe("hits", coins(0.3, 20_000, seed=1))
    assert changes(registry, "hits") == (0, 0)
    assert registry.get_sample_value("springtide_drift_window", {"signal": "hits"}) == 20_000
    level = registry.get_sample_value("springtide_drift_level", {"signal": "hits"})
    assert level == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize("run", [1, 16])
@pytest.mark.parametrize("more_is_better", [True, False])
def test_a_change_has_a_direction(registry: CollectorRegistry, more_is_better: bool, run: int) -> None:
    drift = Drift({"signal": Signal(more_is_better, run)}, registry)
    drift.observe("signal", coins(0.3, 5_000, seed=1) + coins(0.1, 5_000, seed=2))
    better, worse = changes(registry, "signal")
    assert (better, worse > 0) == (0, True) if more_is_better else (better > 0, worse) == (True, 0)
    level = registry.get_sample_value("springtide_drift_level", {"signal": "signal"})
    assert level == pytest.approx(0.1, abs=0.03)


def test_signals_are_watched_apart(registry: CollectorRegistry) -> None:
    drift = Drift({"hits": Signal(True), "loss": Signal(False)}, registry)
    drift.observe("hits", coins(0.3, 3_000, seed=1))
    drift.observe("loss", [5.0 + 0.1 * value for value in coins(0.5, 300, seed=2)] + [9.0] * 300)
    assert changes(registry, "hits") == (0, 0)
    assert changes(registry, "loss")[1] > 0


@pytest.mark.parametrize("batch", [1, 3, 16, 100])
def test_runs_are_the_same_however_the_values_come(registry: CollectorRegistry, batch: int) -> None:
    drift = Drift({"hits": Signal(True, run=16)}, registry)
    values = coins(0.3, 330, seed=3)
    for start in range(0, len(values), batch):
        drift.observe("hits", values[start : start + batch])
    assert registry.get_sample_value("springtide_drift_window", {"signal": "hits"}) == 320
    level = registry.get_sample_value("springtide_drift_level", {"signal": "hits"})
    assert level == pytest.approx(sum(values[:320]) / 320)
