import numpy as np
import numpy.typing as npt
import pytest

from models.base import Floats
from models.elementary import exp32, log1p32, log32
from stream.kernels import kernel


@kernel
def exponentials(x):  # type: ignore[no-untyped-def]
    return np.array([exp32(value) for value in x])


@kernel
def logarithms(x):  # type: ignore[no-untyped-def]
    return np.array([log32(value) for value in x])


@kernel
def logarithms_of_one_more(x):  # type: ignore[no-untyped-def]
    return np.array([log1p32(value) for value in x])


def floats(values: npt.ArrayLike) -> Floats:
    result: Floats = np.asarray(values, np.float32)
    return result


def test_exponentials() -> None:
    x = floats(np.concatenate([np.linspace(-87, 88, 100_001), np.linspace(-1e-3, 1e-3, 1001)]))
    assert exponentials(x).dtype == np.float32
    assert exponentials(x) == pytest.approx(np.exp(x.astype(np.float64)), rel=2.5e-7)


def test_exponentials_out_of_range_stay_finite() -> None:
    edges = exponentials(floats([-87, -1e30, -np.inf, 88, 1e30, np.inf]))
    assert edges[1] == edges[2] == edges[0] > 0
    assert edges[4] == edges[5] == edges[3] < np.inf


def test_logarithms() -> None:
    x = floats(np.concatenate([np.geomspace(1.2e-38, 3e38, 100_001), np.linspace(0.5, 2, 10_001)]))
    found, expected = logarithms(x), np.log(x.astype(np.float64))
    assert found.dtype == np.float32
    assert found == pytest.approx(expected, rel=2.5e-7, abs=1e-9)


def test_logarithms_of_one_more_know_tiny_numbers() -> None:
    x = floats(np.concatenate([np.zeros(1), np.geomspace(1e-37, 1e37, 100_001)]))
    assert logarithms_of_one_more(x) == pytest.approx(np.log1p(x.astype(np.float64)), rel=2.5e-7)
    assert (logarithms_of_one_more(x[1:]) > 0).all()


def test_what_is_not_a_number_stays_so() -> None:
    nothing = floats([np.nan])
    assert np.isnan([exponentials(nothing)[0], logarithms_of_one_more(nothing)[0]]).all()
