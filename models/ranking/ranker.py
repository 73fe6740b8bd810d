"""How experts become one list: a linear ranker whose weights depend on the situation and on the user.

``s(c) = sum_k theta_k f_k(c)``: additive in the features f of a candidate (`features`), with weights theta that depend
linearly on the context x (`context`), and on the user, as far as these are believed (`trust`). At the start only the
mixture's log probability has a weight, so the ranker begins in the order of the mixture and improves on it. Softmax
cross-entropy over the candidates, Adagrad, an update after every event whose item is a candidate; predictions use an
exponential average of the weights. Linear on purpose: each term ``theta_k f_k(c)`` is exactly what feature k
contributed, so the reasons in a list are the truth.

O(F (C + X)) a query and an update; memory 3 F X doubles and the trust, and 8 F bytes a user.
"""

import numpy as np
import numpy.typing as npt

from models.base import Floats, Mask, Rows
from models.elementary import exp_all
from models.ranking.features import SCALE
from models.ranking.trust import WHOLE, Trust, adjust, believed, divide
from models.tables import dead_rows, grown
from stream.kernels import kernel
from stream.snapshots import State

_BEGINNING = 0.8  # power of the mixture's probabilities
_RATE, _START = 0.08, 1.0
_USER_RATE, _USER_START = 0.05, 0.1
_AVERAGING = 0.002


class Ranker:
    """Weights of F features in contexts of width X, and of each user."""

    def __init__(self, features: int, width: int) -> None:
        self._weights = np.zeros((features, width))
        self._weights[0, 0] = _BEGINNING / SCALE
        self._squares = np.full((features, width), _START)
        self._average = self._weights.copy()
        self._trust = Trust(features, width)
        self._users = np.zeros((0, features), np.float32)
        self._user_squares = np.full((0, features), _USER_START, np.float32)

    def predict(self, features: Floats, sizes: Rows, x: Floats, users: Rows) -> tuple[Floats, Floats]:
        """Probabilities (B, C) of the candidates, and the weights (B, F) that made them."""
        result: tuple[Floats, Floats] = _predict(
            features, sizes, x, users, self._weights, self._average, self._users,
            self._trust.of_parts, self._trust.of_columns,
        )  # fmt: skip
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
                self._users, self._user_squares, *self._trust.tables().values(),
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
        own = {"weights": self._weights, "squares": self._squares, "average": self._average}
        return own | self._trust.tables()


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
def _predict(features, sizes, x, users, weights, average, user_weights, of_parts, of_columns):
    queries, width, count = features.shape
    probabilities = np.zeros((queries, width), np.float32)
    thetas = np.empty((queries, count), np.float32)
    parts = np.empty((WHOLE + 1, count))
    for b in range(queries):
        divide(x[b], users[b], weights, average, user_weights, of_columns, parts)
        thetas[b] = believed(parts, of_parts)
        probabilities[b, : sizes[b]] = _softmax(features[b], sizes[b], thetas[b])
    return probabilities, thetas


@kernel
def _gradient(features, size, target, theta, weight, gradient):
    """Fill `gradient` (F,) with `weight` times that of log P(target) after `theta`; whether it is finite."""
    shares = _softmax(features, size, theta.astype(np.float32))
    for k in range(len(gradient)):
        gradient[k] = features[target, k]
    for c in range(size):
        for k in range(len(gradient)):
            gradient[k] -= shares[c] * features[c, k]
    for k in range(len(gradient)):
        gradient[k] *= weight
    return np.isfinite(gradient.sum())


@kernel
def _learn(
    features, sizes, x, users, targets, event_weights, weights, squares, average, user_weights, user_squares,
    of_parts, part_squares, of_columns, column_squares,
):  # fmt: skip
    count = features.shape[2]
    parts = np.empty((WHOLE + 1, count))
    tested, gradient = np.empty(count, np.float32), np.empty(count, np.float32)
    dropped = 0
    for b in range(len(targets)):
        target, user = targets[b], users[b]
        if target < 0:
            continue
        divide(x[b], user, weights, average, user_weights, of_columns, parts)
        fine = _gradient(features[b], sizes[b], target, believed(parts, of_parts), event_weights[b], tested)
        if not (_gradient(features[b], sizes[b], target, parts[WHOLE], event_weights[b], gradient) and fine):
            dropped += 1
            continue
        adjust(tested, x[b], average, parts, of_parts, part_squares, of_columns, column_squares)
        for k in range(count):
            step = gradient[k]
            if user >= 0:
                user_squares[user, k] += step * step
                user_weights[user, k] += _USER_RATE * step / np.sqrt(user_squares[user, k])
            for d in range(x.shape[1]):
                step = gradient[k] * x[b, d]
                squares[k, d] += step * step
                weights[k, d] += _RATE * step / np.sqrt(squares[k, d])
        for k in range(count):
            for d in range(x.shape[1]):
                average[k, d] += _AVERAGING * (weights[k, d] - average[k, d])
    return dropped
