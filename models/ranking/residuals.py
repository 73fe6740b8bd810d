"""What the lists get wrong about each item: how much oftener it is met than they foresee.

Item i has a number r_i. After each event whose item was a candidate, r_i follows ``[i was met] - P(i)`` by Adagrad, for
all that were candidates with it, P being the probability that the list gave them. So it grows for what is met oftener
than foreseen, and falls for what is offered in vain. It is a feature of the ranker, which learns whether to listen: the
bias of matrix factorisation (Koren et al. 2009), of what everything else leaves unexplained.

Bytes: 8 an item row; O(C) an event.
"""

import numpy as np

from models.base import Floats, Mask, Rows
from models.tables import dead_rows, grown
from stream.kernels import kernel
from stream.snapshots import State

_RATE, _START = 0.1, 0.2


class Residuals:
    """The residuals of all items, by item row; the arrays grow with the rows met."""

    def __init__(self) -> None:
        self._values = np.zeros(0, np.float32)
        self._squares = np.zeros(0, np.float32)

    def of(self, candidates: Rows) -> Floats:
        """Residuals of candidates (B, C); 0 for padding, and for what was no candidate yet."""
        result: Floats = _of(candidates, self._values)
        return result

    def learn(self, candidates: Rows, sizes: Rows, probabilities: Floats, targets: Rows, weights: Floats) -> None:
        """Update after each event whose item is a candidate, from the `probabilities` (B, C) that were tested."""
        rows = int(candidates.max(initial=-1)) + 1
        self._values, self._squares = grown(self._values, rows), grown(self._squares, rows, _START)
        _learn(candidates, sizes, probabilities, targets, weights, self._values, self._squares)

    def forget_items(self, dead: Mask) -> None:
        """Bring the marked items back to the start."""
        gone = dead_rows(dead, len(self._values))
        self._values[gone], self._squares[gone] = 0, _START

    def state(self) -> State:
        """Copy the rows up to the last that is not as at the start."""
        rows = 1 + int(np.flatnonzero((self._values != 0) | (self._squares != np.float32(_START))).max(initial=-1))
        return {"values": self._values[:rows].copy(), "squares": self._squares[:rows].copy()}

    def restore(self, state: State) -> None:
        """Take back what `state` gave."""
        self._values, self._squares = state["values"].astype(np.float32), state["squares"].astype(np.float32)


@kernel
def _of(candidates, values):
    found = np.zeros(candidates.shape, np.float32)
    for b in range(candidates.shape[0]):
        for c in range(candidates.shape[1]):
            if 0 <= candidates[b, c] < len(values):
                found[b, c] = values[candidates[b, c]]
    return found


@kernel
def _learn(candidates, sizes, probabilities, targets, weights, values, squares):
    for b in range(len(targets)):
        if targets[b] < 0 or not np.isfinite(probabilities[b, : sizes[b]].sum()):
            continue
        for c in range(sizes[b]):
            row = candidates[b, c]
            step = weights[b] * (np.float32(c == targets[b]) - probabilities[b, c])
            squares[row] += step * step
            values[row] += _RATE * step / np.sqrt(squares[row])
