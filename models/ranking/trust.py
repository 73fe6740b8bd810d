"""How far each part of a weight is believed, learned from how the parts do in tests.

A weight of the ranker is a sum of parts: what is so in every situation, what this situation adds, what this user adds,
and what the newest events have changed. Each part can be right for one feature and noise for another; on a stream of
few events most of what a situation seems to add is noise. So each part but the first is multiplied by a *trust*:

``theta_k = a_k + t_sk sum_d c_d A_kd x_d + t_uk u_k + t_nk n_k``

with a trust for each feature and part, and one for each column of the situation. They follow the gradient of the log
loss of the list that was tested (Adagrad), between 0 and 2, beside the parts, which go on learning as if they were
fully believed. It is stacking (Wolpert 1992, Stacked Generalization) with the parts as the models, and theta stays the
weight of a linear score.

O(F X) a query and an update; memory 6 F + 2 X doubles.
"""

import numpy as np
import numpy.typing as npt

from stream.kernels import kernel

SITUATION, USER, NEWEST, EVER, WHOLE = range(5)
"""Parts that may be doubted; what is so in every situation; and all that was learned, as if nothing were doubted."""

_BEGINNINGS = (0.7, 1.0, 0.1)
_RATE, _START = 0.2, 0.1
_MOST = 2.0


class Trust:
    """Trust in three parts of the weights of F features, and in X columns of the situation."""

    def __init__(self, features: int, width: int) -> None:
        self.of_parts = np.repeat(np.array(_BEGINNINGS)[:, None], features, axis=1)
        self._part_squares = np.full((len(_BEGINNINGS), features), _START)
        self.of_columns = np.ones(width)
        self._column_squares = np.full(width, _START)

    def tables(self) -> dict[str, npt.NDArray[np.float64]]:
        """Return all of it, without a copy."""
        return {
            "trust": self.of_parts,
            "trust_squares": self._part_squares,
            "column_trust": self.of_columns,
            "column_trust_squares": self._column_squares,
        }


@kernel
def divide(x, user, weights, average, users, of_columns, parts):
    """Fill `parts` (5, F).

    `weights` and `average` (F, X) are what was learned, and the average of it that is predicted with.
    """
    own = 0 <= user < len(users)
    for k in range(len(weights)):
        parts[EVER, k] = average[k, 0] * x[0]
        situation, newest, whole = 0.0, (weights[k, 0] - average[k, 0]) * x[0], weights[k, 0] * x[0]
        for d in range(1, len(x)):
            term = average[k, d] * x[d]
            situation += of_columns[d] * term
            newest += weights[k, d] * x[d] - term
            whole += weights[k, d] * x[d]
        parts[SITUATION, k], parts[NEWEST, k] = situation, newest
        parts[USER, k] = users[user, k] if own else 0.0
        parts[WHOLE, k] = whole + parts[USER, k]


@kernel
def believed(parts, of_parts):
    """Weight of each feature (F,) from `parts` (5, F)."""
    theta = parts[EVER].copy()
    for part in range(len(of_parts)):
        for k in range(len(theta)):
            theta[k] += of_parts[part, k] * parts[part, k]
    return theta


@kernel
def adjust(gradient, x, average, parts, of_parts, part_squares, of_columns, column_squares):
    """Follow `gradient` (F,), that of log P(target) after the weights that were believed."""
    slopes = np.zeros(len(x))
    for k in range(len(gradient)):
        weight = gradient[k] * of_parts[SITUATION, k]
        for d in range(len(x)):
            slopes[d] += weight * average[k, d]
    for d in range(1, len(x)):
        of_columns[d] = _step(of_columns[d], slopes[d] * x[d], column_squares, d)
    for part in range(len(of_parts)):
        for k in range(len(gradient)):
            of_parts[part, k] = _step(of_parts[part, k], gradient[k] * parts[part, k], part_squares[part], k)


@kernel
def _step(trust, slope, squares, place):
    if slope == 0:
        return trust
    squares[place] += slope * slope
    return min(max(trust + _RATE * slope / np.sqrt(squares[place]), 0.0), _MOST)
