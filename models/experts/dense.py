"""Dense evidence: the reading of an expert that has a vector for every item, and scores it by a dot product.

The softmax runs over a list of items, the same for all queries: the whole catalogue, or those that are worth scoring
for everybody (`shortlist`). Only those are proposed; a candidate that is not among them has the probability that its
own score gives beside theirs. The log feature of probability p is ``log(p + 1e-6) - log(1e-6)``: zero where there is no
evidence.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.base import Column, Floats, Mask, Queries, Reading, Rows
from models.elementary import exp32, log1p32
from models.tables import rise
from stream.kernels import kernel

_SHARE_FLOOR = np.float32(1e-6)
_NONE = np.finfo(np.float32).min
"""Logit of an item that must not be offered."""

_NOTHING = np.float32(-80)  # log of a share that is as good as none; e to it is still a normal float


class Logits(NamedTuple):
    """What B queries are to the S items that are scored for all of them."""

    contexts: Floats  # (B, D) a vector for each query
    items: Rows  # (S,) distinct item rows, all of them known
    values: Floats  # (B, S)

    def part(self, start: int, stop: int) -> "Logits":
        """Return the queries [start, stop), without a copy."""
        return Logits(self.contexts[start:stop], self.items, self.values[start:stop])


class Listed(NamedTuple):
    """The S items that are scored for every query, and copies of their vectors (S, D)."""

    items: Rows
    vectors: Tensor

    def logits(self, contexts: Tensor) -> Logits:
        """Score them for each of the `contexts` (B, D)."""
        return Logits(contexts.numpy(), self.items, (contexts @ self.vectors.T).numpy())


def listed(vectors: Tensor, known: Mask, items: Rows) -> Listed:
    """Take those of `items` that are `known`; see `Probabilities`."""
    items = items[items < len(known)]
    items = items[known[items]]
    return Listed(items, torch.from_numpy(vectors.numpy().take(items, axis=0)))  # half the time of an index in brackets


class Probabilities(Reading):
    """One column of probabilities.

    Parameters
    ----------
    column
        Whose reading this is.
    queries
        B queries, for the items that must not be offered.
    scored
        The logits of the items that are scored for every query.
    vectors
        A vector for each item row (rows, D).
    known
        Which item rows have been learned from (rows,); the vectors of others are not looked at.
    """

    def __init__(self, column: Column, queries: Queries, scored: Logits, vectors: Tensor, known: Mask) -> None:
        self._contexts, self._vectors, self._known, self._items = scored.contexts, vectors.numpy(), known, scored.items
        self._values = values = scored.values
        if len(queries.excluded):
            values = values.copy()
            _bar(values, scored.items, queries.starts, queries.excluded)
        tops = values.max(axis=1, initial=_NONE)
        shares = values - tops[:, None]
        sums = np.exp(shares, out=shares).sum(axis=1)
        self._log_sums: Floats = np.where(tops > _NONE, tops + np.log(np.maximum(sums, 1)), np.float32(np.inf))
        self._best: Rows = _largest(values, self._log_sums, scored.items, column.proposals)

    def propose(self) -> Rows:
        """See Reading."""
        return self._best

    def score(self, candidates: Rows) -> Floats:
        """See Reading."""
        features: Floats = _features(
            self._contexts, self._vectors, self._known, self._items, self._values, self._log_sums, candidates
        )
        return features[:, :, None]


@kernel
def _places(items, rows):
    """Where each of `items` stands, by row; never filled: a place counts where the item standing there says so."""
    places = np.empty(rows, np.int32)
    for n in range(len(items)):
        places[items[n]] = n
    return places


@kernel
def _bar(logits, items, starts, excluded):
    """Bring the logits (B, S) of excluded items to `_NONE`."""
    places = _places(items, items.max() + 1 if len(items) else 0)
    for b in range(len(logits)):
        for item in excluded[starts[b] : starts[b + 1]]:
            if item >= len(places):
                continue
            n = places[item]
            if 0 <= n < len(items) and items[n] == item:
                logits[b, n] = _NONE


@kernel
def _largest(logits, log_sums, items, most):
    """Items of the largest logits (B, 1, most), ties in the order of `items`."""
    best = np.full((len(logits), 1, most), -1, np.int32)
    values = np.empty(most, np.float32)
    for b in range(len(logits)):
        found, least = 0, _NOTHING
        for n in range(len(items)):
            value = logits[b, n] - log_sums[b]
            if not value > least:
                continue
            rise(best[b, 0], values, min(found, most - 1), items[n], value)
            found = min(found + 1, most)
            if found == most:
                least = values[most - 1]
    return best


@kernel
def _features(contexts, vectors, known, items, logits, log_sums, candidates):
    """Log features of the candidates; most of them are among the scored `items`, so that a logit is at hand."""
    features = np.zeros(candidates.shape, np.float32)
    places = _places(items, len(known))
    for b in range(candidates.shape[0]):
        for c in range(candidates.shape[1]):
            item = candidates[b, c]
            if not 0 <= item < len(known) or not known[item]:
                continue
            n = places[item]
            if 0 <= n < len(items) and items[n] == item:
                logit = logits[b, n]
            else:
                logit = np.float32(0)
                for d in range(contexts.shape[1]):
                    logit += contexts[b, d] * vectors[item, d]
            share = logit - log_sums[b]
            if share > _NOTHING:
                features[b, c] = log1p32(exp32(min(share, np.float32(0))) / _SHARE_FLOOR)
    return features
