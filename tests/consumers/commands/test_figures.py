import numpy as np
import pytest
from prometheus_client import generate_latest

from consumers.commands.figures import Figures
from consumers.pipeline import Learned, Outputs
from consumers.telemetry import Telemetry
from models.metrics import MISS
from stream.log import OutputRecord


def look(telemetry: Telemetry) -> Figures:
    return Figures(generate_latest(telemetry.registry).decode())


def test_before_anything_happened_all_is_zero() -> None:
    for figures in (Figures(), look(Telemetry(["list"]))):
        assert (figures.processed(), figures.tested(), figures.published()) == (0, 0, (0.0, 0.0))
        assert figures.quantile("end_to_end_seconds", 0.5) == 0


def test_each_record_counts_once_whatever_became_of_it() -> None:
    telemetry = Telemetry(["list"])
    outputs = Outputs(
        accepted=5, learned=4, negatives=1, duplicates=2, ignored=1, exposures=1, reasons=["bad_json"] * 3
    )
    telemetry.answered(outputs, [], 0)

    assert look(telemetry).processed() == 12


def test_the_removal_of_an_erased_user_is_no_list() -> None:
    telemetry = Telemetry(["list"])
    telemetry.answered(Outputs(accepted=3, erased=1, lists=[OutputRecord("out", 0, None, None)] * 3), [], 0)

    assert look(telemetry).lists() == 2


def test_quality_begins_with_the_final_list_then_the_best() -> None:
    telemetry = Telemetry(["weak", "strong", "list"])
    ranks = np.array([[MISS, 0, 2], [9, 0, MISS], [0, 0, 0]], np.int32)
    telemetry.learned(
        Learned(
            users=np.array([0, 1, 2], np.int32),
            items=np.array([3, 3, 4], np.int32),
            times_ms=np.array([0, 1, 2]),
            ranks=ranks,
            with_history=np.array([True, True, False]),
            items_met=np.array([9, 9, 0]),
            published=np.array([0, MISS, MISS], np.int32),
            list_ages_ms=np.array([0, 0, -1]),
        )
    )
    quality = look(telemetry).prequential()

    assert list(quality) == ["list", "strong", "weak"]
    assert quality["list"] == (0.5, 0.25)
    assert quality["strong"] == (1.0, 1.0)
    assert look(telemetry).published() == (0.5, 0.5)
    assert look(telemetry).tested() == 3


def test_quantiles_are_within_their_bucket() -> None:
    telemetry = Telemetry(["list"])
    telemetry.answered(Outputs(lists=[OutputRecord("out", 0, None, None)]), [0] * 98 + [-9_900] * 2, now_ms=100)
    figures = look(telemetry)

    assert figures.quantile("end_to_end_seconds", 0.5) == pytest.approx(0.1, rel=0.35)
    assert figures.quantile("end_to_end_seconds", 0.99) == pytest.approx(10, rel=0.35)


def test_a_quantile_beyond_the_last_bucket_is_its_edge() -> None:
    telemetry = Telemetry(["list"])
    telemetry.answered(Outputs(), [0], now_ms=10**9)

    assert look(telemetry).quantile("end_to_end_seconds", 0.5) == 700
