"""How experts become one list: a linear ranker whose weights depend on the situation and on the user.

``s(c) = sum_k (W x + w_user)_k f_k(c)``: additive in the features f of a candidate (`features`), with weights that
depend linearly on the context x (`context`). At the start only the mixture's log probability has a weight, so the
ranker begins as the mixture and improves on it. Softmax cross-entropy over the candidates, Adagrad, an update after
every event whose item is a candidate; predictions use an exponential average of W. Linear on purpose: each term
``(W x + w_user)_k f_k(c)`` is exactly what feature k contributed, so the reasons in a list are the truth.

O(F (C + X)) a query and an update; memory 3 F X doubles and 8 F bytes a user.
"""

import numpy as np
import numpy.typing as npt

from models.base import Floats, Mask, Rows
from models.elementary import exp_all
from models.ranking.features import SCALE
from models.tables import dead_rows, grown
from stream.kernels import kernel
from stream.snapshots import State

_RATE, _START = 0.1, 1.0
_USER_RATE, _USER_START = 0.03, 0.1
_AVERAGING = 0.003


class Ranker:
    """Weights of F features in contexts of width X, and of each user."""

    def __init__(self, features: int, width: int) -> None:
        self._weights = np.zeros((features, width))
        self._weights[0, 0] = 1 / SCALE
        self._squares = np.full((features, width), _START)
        self._average = self._weights.copy()
        self._users = np.zeros((0, features), np.float32)
        self._user_squares = np.full((0, features), _USER_START, np.float32)

    def predict(self, features: Floats, sizes: Rows, x: Floats, users: Rows) -> tuple[Floats, Floats]:
        """Probabilities (B, C) of the candidates, and the weights (B, F) that made them."""
        result: tuple[Floats, Floats] = _predict(features, sizes, x, users, self._average, self._users)
        return result

    def learn(self, features: Floats, sizes: Rows, x: Floats, users: Rows, targets: Rows, weights: Floats) -> int:
        """Update after each event, as in Mixture.learn; returns how many updates were dropped as not finite.

        The user -1 has no weights of its own.
        """
        rows = int(users.max(initial=-1)) + 1
        self._users = grown(self._users, rows)
        self._user_squares = grown(self._user_squares, rows, _USER_START)
        return int(
            _learn(
                features, sizes, x, users, targets, weights, self._weights, self._squares, self._average,
                self._users, self._user_squares,
            )
        )  # fmt: skip

    def forget_users(self, dead: Mask) -> None:
        """Bring the marked users back to the start."""
        gone = dead_rows(dead, len(self._users))
        self._users[gone] = 0
        self._user_squares[gone] = _USER_START

    def state(self) -> State:
        """Copy everything."""
        rows = int(_taught(self._users, self._user_squares))
        shared = {name: table.copy() for name, table in self.shared().items()}
        return {**shared, "users": self._users[:rows].copy(), "user_squares": self._user_squares[:rows].copy()}

    def restore(self, state: State) -> None:
        """Take back what `state` gave."""
        for name, table in self.shared().items():
            table[...] = state[name]
        self._users = state["users"].astype(np.float32)
        self._user_squares = state["user_squares"].astype(np.float32)

    def shared(self) -> dict[str, npt.NDArray[np.float64]]:
        """Return what all users share; not to be changed."""
        return {"weights": self._weights, "squares": self._squares, "average": self._average}


@kernel
def _taught(users, squares):
    """How many rows there are up to the last that is not as at the start."""
    start = np.float32(_USER_START)
    for row in range(len(users) - 1, -1, -1):
        for k in range(users.shape[1]):
            if users[row, k] != 0 or squares[row, k] != start:
                return row + 1
    return 0


@kernel
def _weights_of(x, user, weights, users):
    """Weight of each feature (F,), in doubles as the tables are."""
    theta = np.zeros(len(weights))
    for k in range(len(weights)):
        for d in range(len(x)):
            theta[k] += weights[k, d] * x[d]
        if 0 <= user < len(users):
            theta[k] += users[user, k]
    return theta


@kernel
def _softmax(features, size, theta):
    """Probabilities (size,) of the first candidates."""
    shares = np.empty(size, np.float32)
    for c in range(size):
        score = np.float32(0)
        for k in range(len(theta)):
            score += theta[k] * features[c, k]
        shares[c] = score
    if size == 0:
        return shares
    shares -= shares.max()
    exp_all(shares)
    shares /= shares.sum()
    return shares


@kernel
def _predict(features, sizes, x, users, weights, user_weights):
    queries, width, count = features.shape
    probabilities = np.zeros((queries, width), np.float32)
    thetas = np.empty((queries, count), np.float32)
    for b in range(queries):
        thetas[b] = _weights_of(x[b], users[b], weights, user_weights)
        probabilities[b, : sizes[b]] = _softmax(features[b], sizes[b], thetas[b])
    return probabilities, thetas


@kernel
def _learn(features, sizes, x, users, targets, event_weights, weights, squares, average, user_weights, user_squares):
    count = features.shape[2]
    gradient = np.empty(count, np.float32)
    dropped = 0
    for b in range(len(targets)):
        if targets[b] < 0:
            continue
        user = users[b]
        theta = _weights_of(x[b], user, weights, user_weights)
        shares = _softmax(features[b], sizes[b], theta.astype(np.float32))
        for k in range(count):
            gradient[k] = features[b, targets[b], k]
        for c in range(sizes[b]):
            for k in range(count):
                gradient[k] -= shares[c] * features[b, c, k]
        if not np.isfinite(gradient.sum()):
            dropped += 1
            continue
        for k in range(count):
            step = event_weights[b] * gradient[k]
            if user >= 0:
                user_squares[user, k] += step * step
                user_weights[user, k] += _USER_RATE * step / np.sqrt(user_squares[user, k])
            for d in range(x.shape[1]):
                step = event_weights[b] * gradient[k] * x[b, d]
                squares[k, d] += step * step
                weights[k, d] += _RATE * step / np.sqrt(squares[k, d])
        for k in range(count):
            for d in range(x.shape[1]):
                average[k, d] += _AVERAGING * (weights[k, d] - average[k, d])
    return dropped
