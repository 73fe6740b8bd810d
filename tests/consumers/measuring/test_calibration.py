import numpy as np
import pytest

from consumers.measuring.calibration import calibration
from models.metrics import MISS


def test_promises_that_are_kept_have_no_error() -> None:
    promised = np.tile(np.array([0.5, 0.25], np.float32), (400, 1))
    ranks = np.array([0, 0, 1, MISS] * 100, np.int32)
    found = calibration(promised, ranks)
    assert (found["lists"], found["promised"], found["kept"]) == (400, 0.75, 0.75)
    assert sum(one["forecasts"] for one in found["bins"]) == 800
    assert found["error"] < 0.03  # bins that cut through equal scores take them in order of the stream


def test_an_error_is_the_distance_between_promised_and_kept() -> None:
    found = calibration(np.full((30, 1), 0.8, np.float32), np.full(30, MISS, np.int32))
    assert found["error"] == pytest.approx(0.8)
    assert (found["kept"], len(found["bins"])) == (0.0, 15)


def test_bins_rise_and_places_without_an_item_are_no_forecasts() -> None:
    promised = np.array([[0.6, 0.1, 0.0], [0.3, 0.0, 0.0], [0.0, 0.0, 0.0]], np.float32)
    found = calibration(promised, np.array([1, 0, MISS], np.int32))
    assert [(round(one["promised"], 1), one["kept"]) for one in found["bins"]] == [(0.1, 1.0), (0.3, 1.0), (0.6, 0.0)]
    assert (found["lists"], found["kept"]) == (2, 1.0)


def test_no_lists_give_zeros() -> None:
    found = calibration(np.zeros((0, 10), np.float32), np.zeros(0, np.int32))
    assert found == {"lists": 0, "promised": 0.0, "kept": 0.0, "error": 0.0, "bins": []}
