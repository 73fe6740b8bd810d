import math
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from consumers.pipeline import Learned, Outputs
from consumers.serving.contents import Contents
from consumers.serving.observer import Role
from consumers.telemetry import Telemetry
from models.base import Progress
from models.metrics import MISS
from stream.log import OutputRecord

MISSED = int(MISS)
LIST = OutputRecord("out", 0, b"u", b"{}")
REMOVAL = OutputRecord("out", 0, b"u", None)


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
    telemetry.answered(Outputs(lists=[LIST], learned=2), [1_000, 1_500], now_ms=2_000)
    assert value(telemetry, "end_to_end_seconds_count") == 2
    assert value(telemetry, "end_to_end_seconds_sum") == 1.5
    assert value(telemetry, "freshness_seconds_count") == 0

    telemetry.answered(Outputs(lists=[LIST], learned=1), [2_900], now_ms=3_000)
    assert value(telemetry, "freshness_seconds_sum") == 3.5


def test_what_no_list_has_shown_yet_waits_for_one_and_is_not_forgotten(telemetry: Telemetry) -> None:
    telemetry.answered(Outputs(lists=[LIST], learned=1), [1_000], now_ms=2_000)
    telemetry.answered(Outputs(learned=1), [3_000], now_ms=4_000)  # learned, and held back
    telemetry.answered(Outputs(duplicates=1), [4_000], now_ms=5_000)  # nothing was learned
    telemetry.answered(Outputs(lists=[REMOVAL], erased=1), [5_000], now_ms=6_000)  # a removal is no list
    assert value(telemetry, "freshness_seconds_count") == 0

    telemetry.answered(Outputs(lists=[LIST], requests=1), [9_000], now_ms=9_000)
    assert value(telemetry, "freshness_seconds_count") == 2
    assert value(telemetry, "freshness_seconds_sum") == 8 + 6
    telemetry.answered(Outputs(lists=[LIST], requests=1), [9_500], now_ms=9_500)
    assert value(telemetry, "freshness_seconds_count") == 2


@pytest.mark.parametrize(
    "name",
    [
        *("lag_records", "lag_seconds", "training_share", "restore_seconds", "journal_left_offsets"),
        *("watermark_timestamp_seconds", "catalogue_coverage_ratio"),
    ],
)
def test_what_is_not_known_yet_is_no_number(telemetry: Telemetry, name: str) -> None:
    assert math.isnan(value(telemetry, name) or 0)


@pytest.mark.parametrize("role", [Role.STANDBY, Role.RECOVERING])
def test_who_leads_no_more_has_no_lag_and_no_share(telemetry: Telemetry, role: Role) -> None:
    telemetry.takes(Role.LEADER)
    telemetry.behind(5, 1_000, now_ms=3_500)
    telemetry.trains(0.5)
    assert [value(telemetry, name) for name in ("lag_records", "lag_seconds", "training_share")] == [5, 2.5, 0.5]
    telemetry.takes(role)
    assert all(math.isnan(value(telemetry, name) or 0) for name in ("lag_records", "lag_seconds", "training_share"))


def learned(ranks: list[list[int]], **columns: list[int]) -> Learned:
    """Events of one user, met before, and of an item met often, unless `columns` says otherwise."""
    n = len(ranks)
    usual = {"met": [9] * n, "published": [MISSED] * n, "ages": [-1] * n}
    values = usual | columns
    return Learned(
        users=np.zeros(n, np.int32),
        items=np.zeros(n, np.int32),
        times_ms=np.zeros(n, np.int64),
        ranks=np.array(ranks, np.int32),
        with_history=np.ones(n, np.bool_),
        items_met=np.array(values["met"]),
        published=np.array(values["published"], np.int32),
        list_ages_ms=np.array(values["ages"]),
    )


def test_prequential_and_published_quality_are_apart(telemetry: Telemetry) -> None:
    telemetry.learned(learned([[0, 2], [MISSED, 0], [10, 9]], published=[0, MISSED, MISSED], ages=[60_000, 0, -1]))

    assert value(telemetry, "prequential_events_total", user="known", item="warm") == 3
    assert value(telemetry, "prequential_hits_total", scorer="list", user="known", item="warm") == 3
    assert value(telemetry, "published_events_total", user="known", item="warm") == 2
    assert value(telemetry, "published_hits_total", user="known", item="warm") == 1
    assert value(telemetry, "published_list_age_seconds_count") == 2
    assert value(telemetry, "published_list_age_seconds_sum") == 60


def test_a_list_that_hits_no_more_is_a_drift_for_the_worse(telemetry: Telemetry) -> None:
    telemetry.learned(learned([[MISSED, 0]] * 2_000))
    assert value(telemetry, "drift_level", signal="hit_ratio") == 1
    telemetry.learned(learned([[MISSED, MISSED]] * 2_000, met=[0] * 2_000))  # first events are no drift
    assert value(telemetry, "drift_total", signal="hit_ratio", direction="worse") == 0

    telemetry.learned(learned([[MISSED, MISSED]] * 500))
    assert (value(telemetry, "drift_total", signal="hit_ratio", direction="worse") or 0) > 0
    assert value(telemetry, "drift_total", signal="hit_ratio", direction="better") == 0


def test_what_a_restart_needs_is_kept_as_long_as_its_topic_keeps_it() -> None:
    telemetry = Telemetry(["list"], retention_ms=10_000)
    assert value(telemetry, "input_expiry_timestamp_seconds") == math.inf

    telemetry.answered(Outputs(), [3_000, 2_000], now_ms=4_000)
    telemetry.answered(Outputs(), [5_000], now_ms=6_000)
    assert value(telemetry, "input_expiry_timestamp_seconds") == 12
    with telemetry.stage("snapshot"):
        pass
    telemetry.answered(Outputs(), [7_000], now_ms=8_000)
    assert value(telemetry, "input_expiry_timestamp_seconds") == 12  # it is copied, not written
    telemetry.snapshot(Contents({}, None), now_ms=9_000)
    assert value(telemetry, "input_expiry_timestamp_seconds") == 17


def test_what_is_kept_for_ever_does_not_expire(telemetry: Telemetry) -> None:
    telemetry.answered(Outputs(), [3_000], now_ms=4_000)
    assert value(telemetry, "input_expiry_timestamp_seconds") == math.inf


def test_coverage_is_shown_where_it_is_known(telemetry: Telemetry) -> None:
    telemetry.snapshot(Contents({}, 0.5), now_ms=0)
    telemetry.snapshot(Contents({}, None), now_ms=0)
    assert value(telemetry, "catalogue_coverage_ratio") == 0.5


def test_the_process_and_its_version_are_known(telemetry: Telemetry) -> None:
    assert telemetry.registry.get_sample_value("process_resident_memory_bytes")
    assert value(telemetry, "build_info", version=version("springtide")) == 1


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
    telemetry.snapshot(Contents({"admission.users": 50, "admission.items": 3}, None), now_ms=5_000)

    assert value(telemetry, "state_bytes", table="admission.users") == 50
    assert value(telemetry, "state_bytes", table="admission.items") == 3
    assert value(telemetry, "snapshot_timestamp_seconds") == 5


def test_where_the_pipeline_stands(telemetry: Telemetry) -> None:
    pipeline: Any = SimpleNamespace(
        admission=SimpleNamespace(users=range(7), items=range(9), expired_users=2, expired_items=3),
        recommender=SimpleNamespace(updates_dropped=4, progress=lambda: {"sequence": Progress(5, 6, 0.5)}),
        milestone=(2_048, 77),
        watermark_ms=1_500,
    )
    telemetry.stands(pipeline)

    assert value(telemetry, "state_entries", table="users") == 7
    assert value(telemetry, "state_evictions_total", table="items") == 3
    assert value(telemetry, "model_updates_dropped_total", part="ranking") == 4
    assert value(telemetry, "expert_updates_total", expert="sequence") == 5
    assert value(telemetry, "expert_updates_skipped_total", expert="sequence") == 6
    assert value(telemetry, "expert_loss", expert="sequence") == 0.5
    assert value(telemetry, "watermark_timestamp_seconds") == 1.5
    assert value(telemetry, "milestone_events", application="springtide") == 2_048
    assert value(telemetry, "milestone_checksum", application="springtide") == 77
    assert value(telemetry, "drift_window", signal="loss") == 1
    telemetry.stands(pipeline)  # no update since
    assert value(telemetry, "drift_window", signal="loss") == 1
