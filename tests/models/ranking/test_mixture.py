import numpy as np
import pytest

from models.base import Floats, Rows
from models.ranking.mixture import Mixture

EXPERTS, WIDTH = 3, 2
RAW = np.array([[[1, 0, 0], [3, 2, 0], [0, 0.5, 0], [0, 0, 0]]], np.float32)
"""Log features of four candidates, the last one padding; the third expert is silent."""

SIZES, TARGET = np.array([3], np.int32), np.array([1], np.int32)
X = np.array([[1, 0.5]], np.float32)
ONE = np.ones(1, np.float32)


Gate = list[list[float]]


def softmax(logits: list[float], tau: float = 1.0) -> Floats:
    powers = np.exp(tau * np.array(logits))
    shares: Floats = powers / powers.sum()
    return shares


def with_gate(gate: Gate, tau: list[float]) -> Mixture:
    """Return a mixture that predicts and learns from this gate and these temperatures."""
    mixture = Mixture(EXPERTS, WIDTH)
    table = np.array(gate)
    mixture.restore(mixture.state() | {"gate": table, "gate_average": table, "tau": np.array(tau)})
    return mixture


def learn(mixture: Mixture, raw: Floats = RAW, targets: Rows = TARGET, weight: float = 1.0) -> int:
    return mixture.learn(raw, SIZES, X, targets, np.array([weight], np.float32))


def test_it_begins_as_the_average_of_those_with_evidence() -> None:
    probabilities, parts = Mixture(EXPERTS, WIDTH).predict(RAW, SIZES, X)
    first, second = softmax([1, 3, 0]), softmax([0, 2, 0.5])
    assert probabilities[0, :3] == pytest.approx((first + second) / 2)
    assert parts[0, :3, 0] == pytest.approx(first / 2)
    assert parts[0, :3, 1] == pytest.approx(second / 2)
    assert parts[0, :3, 2].max() < 1e-12
    assert not parts[0, 3].any()
    assert probabilities[0, 3] == 0


def test_the_gate_weighs_by_context_and_temperatures_sharpen() -> None:
    gate: Gate = [[0.1, 0.8], [-0.4, 0.2], [5, 5]]
    probabilities, _ = with_gate(gate, [2, 0.5, 1]).predict(RAW, SIZES, X)
    pi = softmax([0.1 + 0.4, -0.4 + 0.1])
    expected = pi[0] * softmax([1, 3, 0], 2) + pi[1] * softmax([0, 2, 0.5], 0.5)
    assert probabilities[0, :3] == pytest.approx(expected)


def test_all_silent_is_uniform() -> None:
    probabilities, _ = Mixture(EXPERTS, WIDTH).predict(np.zeros_like(RAW), SIZES, X)
    assert probabilities[0] == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0])


def test_no_candidates_and_no_queries() -> None:
    mixture = Mixture(EXPERTS, WIDTH)
    assert mixture.predict(RAW, np.zeros(1, np.int32), X)[0].tolist() == [[0, 0, 0, 0]]
    assert mixture.predict(RAW[:0], SIZES[:0], X[:0])[1].shape == (0, 4, EXPERTS)
    assert mixture.learn(RAW[:0], SIZES[:0], X[:0], TARGET[:0], ONE[:0]) == 0


@pytest.mark.parametrize("weight", [1.0, 0.25])
def test_a_step_follows_the_gradient_of_the_log_loss(weight: float) -> None:
    """Adagrad's first step tells the gradient g: rate g / sqrt(start + g^2); against differences of log P."""
    gate: Gate = [[0.3, -0.2], [0.1, 0.4], [0, 0]]
    tau = [1.5, 0.7, 1]

    def log_loss(gate: Gate, tau: list[float]) -> float:
        return float(-np.log(np.float64(with_gate(gate, tau).predict(RAW, SIZES, X)[0][0, 1])))

    def slope(table: str, k: int, d: int) -> float:
        step, losses = 1e-2, []
        for sign in (1, -1):
            moved, warmed = [row.copy() for row in gate], tau.copy()
            if table == "gate":
                moved[k][d] += sign * step
            else:
                warmed[k] += sign * step
            losses.append(log_loss(moved, warmed))
        return weight * (losses[0] - losses[1]) / (2 * step)

    mixture = with_gate(gate, tau)
    assert learn(mixture, weight=weight) == 0
    after = mixture.state()
    for k in range(2):
        g = slope("tau", k, 0)
        assert after["tau"][k] - tau[k] == pytest.approx(-0.05 * g / (1 + g * g) ** 0.5, rel=1e-2)
        for d in range(WIDTH):
            g = slope("gate", k, d)
            change = after["gate"][k, d] - gate[k][d]
            assert change == pytest.approx(-0.1 * g / (0.01 + g * g) ** 0.5, rel=1e-2)
            assert after["gate_average"][k, d] - gate[k][d] == pytest.approx(0.005 * change)
    assert after["gate"][2].tolist() == [0, 0]
    assert after["tau"][2] == 1


def test_it_learns_whom_to_trust() -> None:
    mixture = Mixture(EXPERTS, WIDTH)
    raw = np.array([[[3, 0, 0], [0, 3, 0], [0, 0, 0], [0, 0, 0]]], np.float32)
    for _ in range(300):
        learn(mixture, raw)
    assert mixture.predict(raw, SIZES, X)[0][0, 1] > 0.9


def test_temperatures_have_a_lower_end() -> None:
    mixture = Mixture(EXPERTS, WIDTH)
    for _ in range(2000):
        learn(mixture, targets=np.array([2], np.int32), raw=np.array([[[5, 5, 0]] * 2 + [[0, 0, 0]] * 2], np.float32))
    assert mixture.state()["tau"][:2].tolist() == [0.2, 0.2]


def test_events_without_a_candidate_teach_nothing() -> None:
    mixture = Mixture(EXPERTS, WIDTH)
    before = mixture.state()
    assert learn(mixture, targets=np.array([-1], np.int32)) == 0
    assert all((before[name] == table).all() for name, table in mixture.state().items())


def test_an_update_that_is_not_finite_is_dropped_and_counted() -> None:
    mixture = Mixture(EXPERTS, WIDTH)
    before = mixture.state()
    bad = RAW.copy()
    bad[0, 0, 0] = np.nan
    assert learn(mixture, bad) == 1
    assert all((before[name] == table).all() for name, table in mixture.state().items())
