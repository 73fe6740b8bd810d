import numpy as np
import pytest

from models.base import Floats, Rows
from models.ranking.ranker import Ranker

FEATURES, WIDTH = 3, 2
SEEN = np.array([[[0.5, 1, 0], [0.2, 0, 2], [0.9, 0.3, 0.1], [0, 0, 0]]], np.float32)
"""Features of four candidates, the last one padding."""

SIZES, TARGET = np.array([3], np.int32), np.array([1], np.int32)
X = np.array([[1, 0.5]], np.float32)
USER = np.array([2], np.int32)


def softmax(scores: Floats) -> Floats:
    powers: Floats = np.exp(scores - scores.max())
    shares: Floats = powers / powers.sum()
    return shares


def with_weights(weights: list[list[float]], user: list[float]) -> Ranker:
    """Return a ranker that predicts and learns from these weights, those of user 2 among them."""
    ranker = Ranker(FEATURES, WIDTH)
    users = np.zeros((3, FEATURES), np.float32)
    users[2] = user
    tables = {
        "weights": np.array(weights),
        "average": np.array(weights),
        "users": users,
        "user_squares": np.full_like(users, 0.1),
    }
    ranker.restore(ranker.state() | tables)
    return ranker


def learn(ranker: Ranker, users: Rows = USER, targets: Rows = TARGET, weight: float = 1.0, seen: Floats = SEEN) -> int:
    return ranker.learn(seen, SIZES, X, users, targets, np.array([weight], np.float32))


def test_it_begins_in_the_order_of_the_mixture_and_is_less_sure() -> None:
    mixture = np.array([0.6, 0.3, 0.1], np.float32)
    seen = SEEN.copy()
    seen[0, :3, 0] = 0.2 * np.log1p(mixture / 1e-6)
    probabilities, weights = Ranker(FEATURES, WIDTH).predict(seen, SIZES, X, USER)
    flatter = mixture**0.8 / (mixture**0.8).sum()
    assert probabilities[0] == pytest.approx([*flatter, 0], abs=1e-5)
    assert weights[0].tolist() == [4, 0, 0]


def test_weights_depend_on_context_and_user() -> None:
    ranker = with_weights([[1, 2], [0, -1], [3, 0]], [0.5, 0, -1])
    probabilities, weights = ranker.predict(SEEN, SIZES, X, USER)
    assert weights[0] == pytest.approx([1 + 0.7 * 1 + 0.5, 0.7 * -0.5, 3 - 1]), "the situation is believed for .7"
    assert probabilities[0, :3] == pytest.approx(softmax(SEEN[0, :3] @ weights[0]))


@pytest.mark.parametrize("stranger", [-1, 0, 3, 1_000_000])
def test_strangers_have_no_weights_of_their_own(stranger: int) -> None:
    ranker = with_weights([[1, 2], [0, -1], [3, 0]], [0.5, 0, -1])
    _, weights = ranker.predict(SEEN, SIZES, X, np.array([stranger], np.int32))
    assert weights[0] == pytest.approx([1.7, -0.35, 3])


def test_nobody_teaches_only_what_is_shared() -> None:
    ranker = with_weights([[1, 2], [0, -1], [3, 0]], [0.5, 0, -1])
    before = ranker.state()
    learn(ranker, users=np.array([-1], np.int32))
    after = ranker.state()
    assert (after["users"] == before["users"]).all()
    assert (after["user_squares"] == before["user_squares"]).all()
    assert (after["weights"] != before["weights"]).all()


@pytest.mark.parametrize("weight", [1.0, 0.25])
def test_a_step_follows_the_gradient_of_the_log_loss(weight: float) -> None:
    """Adagrad's first step tells the gradient g: rate g / sqrt(start + g^2); against differences of log P."""
    shared, own = np.array([[0.4, 0.1], [-0.2, 0.3], [0.5, -0.6]]), np.array([0.2, -0.1, 0.3])

    def log_loss(shared: Floats, own: Floats) -> float:
        scores = SEEN[0, :3].astype(np.float64) @ (shared @ X[0] + own)
        return float(np.log(np.exp(scores).sum()) - scores[1])

    ranker = with_weights(shared.tolist(), own.tolist())
    assert learn(ranker, weight=weight) == 0
    after = ranker.state()
    for k in range(FEATURES):
        nudge = 1e-5 * (np.arange(FEATURES) == k)
        g = weight * (log_loss(shared, own + nudge) - log_loss(shared, own - nudge)) / 2e-5
        assert after["users"][2, k] - own[k] == pytest.approx(-0.05 * g / (0.1 + g * g) ** 0.5, rel=1e-3)
        for d in range(WIDTH):
            change = after["weights"][k, d] - shared[k, d]
            slope = g * X[0, d]
            assert change == pytest.approx(-0.08 * slope / (1 + slope * slope) ** 0.5, rel=1e-5)
            assert after["average"][k, d] - shared[k, d] == pytest.approx(0.002 * change)


@pytest.mark.parametrize("weight", [1.0, 0.25])
def test_trust_learns_from_the_list_and_weights_from_all_that_was_learned(weight: float) -> None:
    average, own = np.array([[0.4, 0.1], [-0.2, 0.3], [0.5, -0.6]]), np.array([0.2, -0.1, 0.3], np.float32)
    weights = average + np.array([[0.2, 0.1], [0, -0.3], [0.1, 0.2]])
    trust = np.array([[0.5, 0.6, 0.7], [0.9, 0.8, 0.4], [0.2, 0.3, 0.1]])
    ranker = with_weights(weights.tolist(), own.tolist())
    ranker.restore(ranker.state() | {"average": average, "trust": trust, "column_trust": np.array([1, 1.5])})
    parts = np.stack([average[:, 1] * 1.5 * X[0, 1], own, (weights - average) @ X[0]])

    def gradient(theta: Floats) -> Floats:
        shares = softmax(SEEN[0, :3] @ theta)
        result: Floats = weight * (SEEN[0, 1] - shares @ SEEN[0, :3])
        return result

    believed = average[:, 0] + (trust * parts).sum(axis=0)
    assert ranker.predict(SEEN, SIZES, X, USER)[1][0] == pytest.approx(believed, rel=1e-5)
    learn(ranker, weight=weight)
    after = ranker.state()
    slopes = gradient(believed) * parts
    assert after["trust"] == pytest.approx(trust + 0.2 * slopes / np.sqrt(0.1 + slopes**2), rel=1e-4)
    slope = (gradient(believed) * trust[0] * average[:, 1]).sum() * X[0, 1]
    assert after["column_trust"] == pytest.approx([1, 1.5 + 0.2 * slope / (0.1 + slope**2) ** 0.5], rel=1e-4)
    steps = gradient(weights @ X[0] + own)[:, None] * X[0]
    assert after["weights"] == pytest.approx(weights + 0.08 * steps / np.sqrt(1 + steps**2), rel=1e-4)


def test_it_learns_what_tells_the_target() -> None:
    ranker = Ranker(FEATURES, WIDTH)
    for _ in range(2500):  # the average of the weights takes about 500 events to follow
        learn(ranker)
    assert ranker.predict(SEEN, SIZES, X, USER)[0][0, 1] > 0.9


def test_a_forgotten_user_is_a_stranger() -> None:
    ranker = Ranker(FEATURES, WIDTH)
    learn(ranker)
    learn(ranker, users=np.array([4], np.int32))
    ranker.forget_users(np.array([False, False, True]))
    users = np.array([2, 0, 4], np.int32)
    _, weights = ranker.predict(np.repeat(SEEN, 3, 0), np.repeat(SIZES, 3), np.repeat(X, 3, 0), users)
    assert (weights[0] == weights[1]).all()
    assert (weights[0] != weights[2]).all()


def test_state_keeps_every_user_who_has_learned_anything() -> None:
    """The smallest step moves a weight, and is too small to be seen in the sum of squares."""
    ranker = Ranker(FEATURES, WIDTH)
    learn(ranker, weight=1e-6)
    assert ranker.state()["users"].shape == (3, FEATURES)
    assert ranker.state()["users"][2].all()


def test_events_without_a_candidate_teach_nothing() -> None:
    ranker = with_weights([[1, 2], [0, -1], [3, 0]], [0.5, 0, -1])
    before = ranker.state()
    assert learn(ranker, targets=np.array([-1], np.int32)) == 0
    assert all((before[name] == table).all() for name, table in ranker.state().items())


def test_an_update_that_is_not_finite_is_dropped_and_counted() -> None:
    ranker = with_weights([[1, 2], [0, -1], [3, 0]], [0.5, 0, -1])
    before = ranker.state()
    bad = SEEN.copy()
    bad[0, 0, 0] = np.nan
    assert learn(ranker, seen=bad) == 1
    assert all((before[name] == table).all() for name, table in ranker.state().items())


def test_no_candidates_and_no_queries() -> None:
    ranker = Ranker(FEATURES, WIDTH)
    assert ranker.predict(SEEN, np.zeros(1, np.int32), X, USER)[0].tolist() == [[0, 0, 0, 0]]
    assert ranker.predict(SEEN[:0], SIZES[:0], X[:0], USER[:0])[1].shape == (0, FEATURES)
