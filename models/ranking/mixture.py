"""A mixture of experts: whom to trust, by situation, learned on the log loss.

``P(c) = sum_k pi_k(x) P_k(c)``: P_k is the softmax over the candidates of ``tau_k`` times expert k's log feature, the
gate ``pi = softmax(A x)`` over the experts that have any evidence. A and the temperatures tau follow the gradient of
``-log P(target)`` by Adagrad (Duchi et al. 2011); predictions use an exponential average of A (Polyak & Juditsky 1992),
which is steadier.

The mixture is robust from the first event, since with A = 0 it is the plain average of its experts; the ranker stands
on it. O(K (C + X)) a query and an update; memory 3 K X doubles.
"""

import numpy as np
import numpy.typing as npt

from models.base import Floats, Rows
from models.elementary import exp_all
from stream.kernels import kernel
from stream.snapshots import State

_GATE_RATE, _GATE_START = 0.1, 0.01
_TAU_RATE, _TAU_LEAST = 0.05, 0.2
_AVERAGING = 0.005
_SILENT = -30.0
"""Gate logit of an expert without evidence: it gets no weight unless all are silent."""


class Mixture:
    """Gate and temperatures of K experts in contexts of width X."""

    def __init__(self, experts: int, width: int) -> None:
        self._gate = np.zeros((experts, width))
        self._gate_squares = np.full((experts, width), _GATE_START)
        self._gate_average = np.zeros((experts, width))
        self._tau = np.ones(experts)
        self._tau_squares = np.ones(experts)

    def predict(self, raw: Floats, sizes: Rows, x: Floats) -> tuple[Floats, Floats]:
        """Probabilities (B, C) of the candidates, and each expert's part of them (B, C, K), which sum to them.

        `sizes` (B,) is the number of candidates of each query; the rest of its row is padding.
        """
        result: tuple[Floats, Floats] = _predict(raw, sizes, x, self._gate_average, self._tau)
        return result

    def learn(self, raw: Floats, sizes: Rows, x: Floats, targets: Rows, weights: Floats) -> int:
        """Update after each event, `targets` (B,) being the place of its item among the candidates, or -1.

        Returns how many updates were dropped because they were not finite.
        """
        return int(
            _learn(
                raw, sizes, x, targets, weights, self._gate, self._gate_squares, self._gate_average,
                self._tau, self._tau_squares,
            )
        )  # fmt: skip

    def state(self) -> State:
        """Copy everything."""
        return {name: table.copy() for name, table in self.shared().items()}

    def restore(self, state: State) -> None:
        """Take back what `state` gave."""
        for name, table in self.shared().items():
            table[...] = state[name]

    def shared(self) -> dict[str, npt.NDArray[np.float64]]:
        """Return what all users share, which is all of it; not to be changed."""
        return {
            "gate": self._gate,
            "gate_squares": self._gate_squares,
            "gate_average": self._gate_average,
            "tau": self._tau,
            "tau_squares": self._tau_squares,
        }


@kernel
def _expert_shares(raw, size, tau, shares, totals):
    """Fill `shares` (C, K) with what each expert gives the candidates, and `totals` (K,) with the sum of that.

    Returns which experts have evidence. The best candidate is given 1.
    """
    experts = raw.shape[1]
    tops = np.zeros(experts, np.float32)
    warmth = tau.astype(np.float32)
    for c in range(size):
        for k in range(experts):
            tops[k] = raw[c, k] if raw[c, k] > tops[k] else tops[k]
    for c in range(size):
        for k in range(experts):
            shares[c, k] = warmth[k] * (raw[c, k] - tops[k])
    exp_all(shares[:size])
    totals[:] = 0
    for c in range(size):
        for k in range(experts):
            totals[k] += shares[c, k]
    return tops > 0


@kernel
def _gate_shares(x, gate, heard):
    logits = np.empty(len(gate))
    for k in range(len(gate)):
        logits[k] = _SILENT
        if heard[k]:
            logits[k] = 0.0
            for d in range(len(x)):
                logits[k] += gate[k, d] * x[d]
    shares = np.exp(logits - logits.max())
    return shares / shares.sum()


@kernel
def _predict(raw, sizes, x, gate, tau):
    queries, width, experts = raw.shape
    probabilities = np.zeros((queries, width), np.float32)
    parts = np.zeros((queries, width, experts), np.float32)
    totals = np.empty(experts, np.float32)
    for b in range(queries):
        if sizes[b] == 0:
            continue
        heard = _expert_shares(raw[b], sizes[b], tau, parts[b], totals)
        weights = (_gate_shares(x[b], gate, heard) / totals).astype(np.float32)
        for c in range(sizes[b]):
            for k in range(experts):
                parts[b, c, k] *= weights[k]
        for c in range(sizes[b]):
            total = np.float32(0)
            for k in range(experts):
                total += parts[b, c, k]
            probabilities[b, c] = total
    return probabilities, parts


@kernel
def _learn(raw, sizes, x, targets, weights, gate, gate_squares, gate_average, tau, tau_squares):
    _, width, experts = raw.shape
    shares = np.empty((width, experts), np.float32)
    totals, expected = np.empty(experts, np.float32), np.empty(experts, np.float32)
    dropped = 0
    for b in range(len(targets)):
        target = targets[b]
        if target < 0:
            continue
        heard = _expert_shares(raw[b], sizes[b], tau, shares, totals)
        pi = _gate_shares(x[b], gate, heard)
        given = pi * (shares[target] / totals)
        total = given.sum()
        if not (np.isfinite(total) and total > 0):
            dropped += 1
            continue
        expected[:] = 0
        for c in range(sizes[b]):
            for k in range(experts):
                expected[k] += shares[c, k] * raw[b, c, k]
        for k in range(experts):
            if not heard[k]:
                continue
            responsibility = given[k] / total
            step = weights[b] * responsibility * (raw[b, target, k] - expected[k] / totals[k])
            tau_squares[k] += step * step
            tau[k] = max(tau[k] + _TAU_RATE * step / np.sqrt(tau_squares[k]), _TAU_LEAST)
            for d in range(x.shape[1]):
                step = weights[b] * (responsibility - pi[k]) * x[b, d]
                gate_squares[k, d] += step * step
                gate[k, d] += _GATE_RATE * step / np.sqrt(gate_squares[k, d])
        for k in range(experts):
            for d in range(x.shape[1]):
                gate_average[k, d] += _AVERAGING * (gate[k, d] - gate_average[k, d])
    return dropped
