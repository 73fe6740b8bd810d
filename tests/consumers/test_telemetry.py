from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from consumers.pipeline import Learned, Outputs
from consumers.telemetry import Telemetry
from models.base import Progress
from models.metrics import MISS
from stream.log import OutputRecord

LIST = OutputRecord("out", 0, b"u", b"{}")


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry(["popular", "list"])


def value(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    return telemetry.registry.get_sample_value(f"springtide_{name}", labels)


def test_outcomes_are_counted_by_name(telemetry: Telemetry) -> None:
    telemetry.answered(Outputs(lists=[LIST, LIST], reasons=["bad_json", "bad_json"], accepted=2, duplicates=1), [], 0)

    assert value(telemetry, "events_total", outcome="accepted") == 2
    assert value(telemetry, "events_total", outcome="duplicates") == 1
    assert value(telemetry, "lists_total") == 2
    assert value(telemetry, "dead_letters_total", reason="bad_json") == 2


def test_every_count_of_the_outputs_has_an_outcome(telemetry: Telemetry) -> None:
    counts = {name: 1 for name, kind in Outputs.__annotations__.items() if kind is int or kind == "int"}
    telemetry.answered(Outputs(**counts), [], 0)  # type: ignore[arg-type]  # only counts are given

    assert all(value(telemetry, "events_total", outcome=name) == 1 for name in counts)


def test_end_to_end_is_from_record_to_commit_and_freshness_to_the_next_lists(telemetry: Telemetry) -> None:
    telemetry.answered(Outputs(lists=[LIST]), [1_000, 1_500], now_ms=2_000)
    assert value(telemetry, "end_to_end_seconds_count") == 2
    assert value(telemetry, "end_to_end_seconds_sum") == 1.5
    assert value(telemetry, "freshness_seconds_count") == 0

    telemetry.answered(Outputs(lists=[LIST]), [2_900], now_ms=3_000)
    assert value(telemetry, "freshness_seconds_sum") == 3.5


def test_quality_sums_up_by_scorer_and_user_and_apart_for_published_lists(telemetry: Telemetry) -> None:
    telemetry.learned(
        Learned(
            users=np.array([0, 1, 2], np.int32),
            items=np.array([3, 3, 4], np.int32),
            times_ms=np.array([0, 1, 2]),
            ranks=np.array([[0, 2], [MISS, 0], [10, 9]], np.int32),
            with_history=np.array([True, True, False]),
            published=np.array([0, MISS, MISS], np.int32),
            list_ages_ms=np.array([60_000, 0, -1]),
        )
    )

    assert value(telemetry, "prequential_events_total", user="known") == 2
    assert value(telemetry, "prequential_hits_total", scorer="popular", user="known") == 1
    assert value(telemetry, "prequential_hits_total", scorer="list", user="known") == 2
    assert value(telemetry, "prequential_ndcg_total", scorer="list", user="known") == 1.5
    assert value(telemetry, "prequential_hits_total", scorer="list", user="new") == 1
    assert value(telemetry, "published_events_total") == 2
    assert value(telemetry, "published_hits_total") == 1
    assert value(telemetry, "published_list_age_seconds_count") == 2


def test_transactions_are_counted_by_how_they_end(telemetry: Telemetry) -> None:
    with telemetry.transaction():
        pass
    with pytest.raises(KeyError), telemetry.transaction():
        raise KeyError

    assert value(telemetry, "transaction_seconds_count", result="committed") == 1
    assert value(telemetry, "transaction_seconds_count", result="failed") == 1


def test_lag_has_an_age_only_while_there_is_any(telemetry: Telemetry) -> None:
    telemetry.behind(5, 1_000, now_ms=3_500)
    assert (value(telemetry, "lag_records"), value(telemetry, "lag_seconds")) == (5, 2.5)

    telemetry.behind(0, None, now_ms=9_000)
    assert (value(telemetry, "lag_records"), value(telemetry, "lag_seconds")) == (0, 0)


def test_the_state_is_measured_by_table(telemetry: Telemetry) -> None:
    state: dict[str, Any] = {
        "admission.users.ids": np.zeros(10, np.uint8),
        "admission.users.rows": np.zeros(5, np.int64),
        "admission.items.ids": np.zeros(3, np.uint8),
    }
    telemetry.snapshot(state, now_ms=5_000)

    assert value(telemetry, "state_bytes", table="admission.users") == 50
    assert value(telemetry, "state_bytes", table="admission.items") == 3
    assert value(telemetry, "snapshot_timestamp_seconds") == 5


def test_where_the_pipeline_stands(telemetry: Telemetry) -> None:
    pipeline: Any = SimpleNamespace(
        admission=SimpleNamespace(users=range(7), items=range(9), expired_users=2, expired_items=3),
        recommender=SimpleNamespace(updates_dropped=4, progress=lambda: {"sequence": Progress(5, 6, 0.5)}),
        watermark_ms=1_500,
    )
    telemetry.stands(pipeline)

    assert value(telemetry, "state_entries", table="users") == 7
    assert value(telemetry, "state_evictions", table="items") == 3
    assert value(telemetry, "model_updates_dropped") == 4
    assert value(telemetry, "expert_updates", expert="sequence") == 5
    assert value(telemetry, "expert_updates_skipped", expert="sequence") == 6
    assert value(telemetry, "expert_loss", expert="sequence") == 0.5
    assert value(telemetry, "watermark_timestamp_seconds") == 1.5
