"""Sparse evidence: the reading of every expert that knows something about few items.

For each query an expert lists the items it has evidence for, with one raw score a column. From that, everything the
recommender asks for follows in one way for all of them:

- proposals: the items of the largest scores;
- the log feature of an item: ``log(p + 1e-4) - log(1e-4)`` with ``p = score / (sum of scores + prior)``. The prior, in
  the units of the score, keeps little evidence from looking like certainty.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from models.base import Column, Floats, Reading, Rows
from models.elementary import log1p_all
from models.tables import rise
from stream.kernels import kernel

FLOOR = 1e-4
"""Share below which evidence does not count; also the origin of the log feature."""


class Evidence(Reading):
    """Items and raw scores for B queries.

    Parameters
    ----------
    columns, priors
        E columns and their priors.
    starts, rows, scores
        Query b has evidence for the distinct item rows ``rows[starts[b]:starts[b + 1]]`` with raw scores (n, E), >= 0.
    because
        Answers `Reading.because`, where the expert can tell what in the window its evidence came from.
    pairs
        Answers `Reading.pairs`, where the expert counts pairs.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        priors: Sequence[float],
        starts: npt.NDArray[np.int64],
        rows: Rows,
        scores: Floats,
        because: Callable[[Rows, Rows, Rows], Rows] | None = None,
        pairs: Callable[[Rows, Floats], Floats] | None = None,
    ) -> None:
        self._columns = columns
        self._because = because or super().because
        self._pairs = pairs or super().pairs
        self._starts = starts
        self._rows = rows
        self._scores = scores
        self._mass: Floats = _sums(starts, scores)
        self._norms = self._mass + np.asarray(priors, np.float32)
        self._item_rows = int(rows.max(initial=-1)) + 1

    def mass(self) -> Floats:
        """See Reading."""
        return self._mass

    def because(self, queries: Rows, columns: Rows, items: Rows) -> Rows:
        """See Reading."""
        return self._because(queries, columns, items)

    def pairs(self, candidates: Rows, likely: Floats) -> Floats | None:
        """See Reading."""
        return self._pairs(candidates, likely)

    def propose(self) -> Rows:
        """See Reading."""
        limits = np.array([column.proposals for column in self._columns], np.int64)
        best: Rows = _top(self._starts, self._rows, self._scores, limits)
        return best

    def score(self, candidates: Rows) -> Floats:
        """See Reading."""
        features: Floats = _log_features(
            self._starts, self._rows, self._scores, self._norms, candidates, self._item_rows
        )
        return features


@kernel
def _sums(starts, scores):
    sums = np.zeros((len(starts) - 1, scores.shape[1]), np.float32)
    for b in range(len(starts) - 1):
        for n in range(starts[b], starts[b + 1]):
            for e in range(scores.shape[1]):
                sums[b, e] += scores[n, e]
    return sums


@kernel
def _top(starts, rows, scores, limits):
    """Best rows of each column, ties in order of appearance: (B, E, P)."""
    queries, columns, most = len(starts) - 1, len(limits), limits.max()
    best = np.full((queries, columns, most), -1, np.int32)
    values = np.zeros((columns, most), np.float32)
    for b in range(queries):
        values[:] = 0
        for n in range(starts[b], starts[b + 1]):
            for e in range(columns):
                value = scores[n, e]
                last = limits[e] - 1
                if value <= values[e, last]:
                    continue
                rise(best[b, e], values[e], last, rows[n], value)
    return best


@kernel
def _log_features(starts, rows, scores, norms, candidates, item_rows):
    queries, width = candidates.shape
    columns = scores.shape[1]
    features = np.zeros((queries, width, columns), np.float32)
    place = np.empty(item_rows, np.int32)  # never filled: a place counts where the candidate standing there says so
    floor = np.float32(FLOOR)
    for b in range(queries):
        for c in range(width):
            if 0 <= candidates[b, c] < item_rows:
                place[candidates[b, c]] = c
        for n in range(starts[b], starts[b + 1]):
            c = place[rows[n]]
            if 0 <= c < width and candidates[b, c] == rows[n]:
                for e in range(columns):
                    if scores[n, e] > 0:
                        features[b, c, e] = scores[n, e] / norms[b, e] / floor
    log1p_all(features)
    return features
