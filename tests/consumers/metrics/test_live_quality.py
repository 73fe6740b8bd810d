import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from consumers.metrics.live_quality import WINDOW, LiveQuality, wilson
from models.metrics import MISS

MISSED = int(MISS)


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"springtide_prequential_{name}", labels)


def observed(*batches: tuple[list[list[int]], list[bool], list[int]]) -> CollectorRegistry:
    """Quality of two scorers after batches of ranks, users known and items met."""
    registry = CollectorRegistry()
    quality = LiveQuality("prequential", ["popular", "list"], "Events", registry)
    for ranks, known, met in batches:
        quality.observe(np.array(ranks, np.int32), np.array(known), np.array(met))
    return registry


def test_sums_are_by_scorer_user_and_item() -> None:
    ranks = [[0, 2], [MISSED, 0], [10, 9], [MISSED, 1]]
    registry = observed((ranks, [True, True, False, True], [7, 5, 0, 4]))

    assert value(registry, "events_total", user="known", item="warm") == 2
    assert value(registry, "events_total", user="known", item="cold") == 1
    assert value(registry, "events_total", user="new", item="new") == 1
    assert value(registry, "events_total", user="new", item="warm") == 0
    assert value(registry, "hits_total", scorer="popular", user="known", item="warm") == 1
    assert value(registry, "hits_total", scorer="list", user="known", item="warm") == 2
    assert value(registry, "ndcg_total", scorer="list", user="known", item="warm") == 1.5
    assert value(registry, "reciprocal_ranks_total", scorer="list", user="known", item="warm") == pytest.approx(4 / 3)
    assert value(registry, "hits_total", scorer="list", user="new", item="new") == 1
    assert value(registry, "reciprocal_ranks_total", scorer="popular", user="new", item="new") == pytest.approx(1 / 11)


def test_windows_are_means_by_slice_with_the_number_behind_them() -> None:
    ranks = [[0, 2], [MISSED, 0], [10, 9], [MISSED, 1]]
    registry = observed((ranks, [True, True, False, True], [7, 5, 0, 4]))

    assert [value(registry, "window_events", slice=name) for name in ("all", "known_users", "new_users")] == [4, 3, 1]
    assert [value(registry, "window_events", slice=name) for name in ("warm_items", "cold_items")] == [2, 1]
    assert value(registry, "window_hit_ratio", scorer="popular", slice="all") == 0.25
    assert value(registry, "window_ndcg", scorer="list", slice="warm_items") == 0.75
    assert value(registry, "window_mrr", scorer="list", slice="cold_items") == 0.5
    assert value(registry, "window_recall", scorer="popular") == 0.25
    assert value(registry, "window_precision", scorer="popular") == 0.025
    assert value(registry, "window_f1", scorer="popular") == pytest.approx(2 * 0.025 * 0.25 / 0.275)
    bounds = [
        value(registry, "window_bound", scorer="popular", slice="all", figure="hit_ratio", bound=bound)
        for bound in ("low", "high")
    ]
    assert bounds == pytest.approx([0.0456, 0.6994], abs=1e-4)


def test_a_slice_without_events_has_a_count_and_no_mean() -> None:
    registry = observed(([[0, 0]], [True], [9]))
    assert value(registry, "window_events", slice="new_users") == 0
    assert value(registry, "window_hit_ratio", scorer="list", slice="new_users") is None
    assert value(observed(), "window_recall", scorer="list") is None


@pytest.mark.parametrize("batch", [1, 777, 3 * WINDOW])
def test_a_window_holds_the_last_events_however_they_came(batch: int) -> None:
    hits = [[0, 0]] * WINDOW + [[MISSED, 0]] * WINDOW + [[MISSED, 0]] * (WINDOW // 2) + [[0, MISSED]] * (WINDOW // 2)
    if batch == 1:
        hits = hits[2 * WINDOW - 5 :]
    registry = observed(
        *((hits[at : at + batch], [True] * batch, [9] * batch) for at in range(0, len(hits) - batch + 1, batch)),
        *(((rest, [True] * len(rest), [9] * len(rest)),) if (rest := hits[len(hits) // batch * batch :]) else ()),
    )
    assert value(registry, "window_events", slice="all") == WINDOW
    assert value(registry, "window_hit_ratio", scorer="popular", slice="all") == 0.5
    assert value(registry, "window_hit_ratio", scorer="list", slice="all") == 0.5
    assert value(registry, "events_total", user="known", item="warm") == len(hits)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_bounds_hold_the_mean_and_are_never_narrower_than_chance(values: list[float]) -> None:
    mean = np.mean(values, keepdims=True)
    low, high = wilson(mean, len(values))
    assert 0 <= low[0] <= mean[0] + 1e-12
    assert mean[0] - 1e-12 <= high[0] <= 1
    if len(values) >= 30 and 0.2 < mean[0] < 0.8:  # far from the edges it is the usual interval, for the widest spread
        half = 1.96 * math.sqrt(float(np.var(values)) / len(values))
        assert high[0] - low[0] > 2 * half * 0.9


def test_published_quality_has_no_scorer() -> None:
    registry = CollectorRegistry()
    quality = LiveQuality("published", (), "Events", registry)
    quality.observe(np.array([[0], [MISSED]], np.int32), np.array([True, True]), np.array([9, 9]))
    assert registry.get_sample_value("springtide_published_window_hit_ratio", {"slice": "all"}) == 0.5
    labels = {"user": "known", "item": "warm"}
    assert registry.get_sample_value("springtide_published_hits_total", labels) == 1
