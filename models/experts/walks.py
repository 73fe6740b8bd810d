"""Two steps away: companions of the window's companions, for items that are met too seldom to have many of their own.

A walk over the graph of items, as in P3alpha (Cooper et al. 2014, "Random walks in recommender systems"), with popular
items discounted at every step (Paudel et al. 2017, "Updatable, accurate, diverse, and scalable recommendations for
interactive applications"). With the similarity of `covisitation`, ``s(a, b) = n[a, b] / ((sqrt norm[a] + 2)(sqrt
norm[b] + 2))``, and h_j the newest two distinct items of the window, newest 0:

``sum_{j<2} .8^j sum_{k among the four most similar to h_j} s(h_j, k) s(k, i)``

What differs from the papers: the first step keeps four, so that a walk costs as much as a window of eight items.

O(8 n) a query, n neighbours in a row, and nothing an event. It keeps nothing: the table is that of `cooccurrence`.
"""

import numpy as np

from models.base import Column, Floats, Queries, Reading, Rows, Stateless
from models.experts.cooccurrence import Cooccurrence
from models.experts.covisitation import SHRINK, Covisitation
from models.experts.distinct import newest_distinct
from models.experts.evidence import Evidence

_HEADS, _NEAREST = 2, 4
_BY_HEAD = 0.8 ** np.arange(_HEADS, dtype=np.float32)
_OF_STEP = np.repeat(np.arange(_HEADS), _NEAREST)  # the head of each first step


class Walks(Stateless):
    """One column over the table of `together`, which has the readout `Covisitation`."""

    name = "walks"
    columns = (Column("walks", 20),)

    def __init__(self, together: Cooccurrence) -> None:
        self._table = together.table
        self._readout = Covisitation()
        self._lane = together.columns.index(Covisitation.column)

    def read(self, queries: Queries) -> Reading:
        """See Expert."""
        positions = newest_distinct(queries.windows.items, _HEADS)
        heads = np.take_along_axis(queries.windows.items, np.maximum(positions, 0), axis=1)
        heads[positions < 0] = -1
        nodes, near = self._table.strongest_neighbours(heads, self._lane, _NEAREST, SHRINK)
        items = nodes.reshape(len(heads), _HEADS * _NEAREST)
        first = self._discounts(heads) * _BY_HEAD
        weights = (near * first[:, :, None]).reshape(items.shape) * self._discounts(items)
        lanes = np.array([self._lane])
        starts, rows, scores = self._table.scan(items, weights[:, :, None], queries.starts, queries.excluded, lanes)
        scores *= self._discounts(rows)[:, None]

        def strongest(queries: Rows, columns: Rows, rows: Rows, steps: Floats) -> Rows:
            """Where the walk began that leads to each item with the largest term: a head, or -1 where none does."""
            best = self._table.strongest(queries, columns, rows, items, (weights * steps)[:, :, None], lanes)[:, 0]
            heads: Rows = best // _NEAREST
            return heads

        def because(queries: Rows, columns: Rows, rows: Rows) -> Rows:
            first = strongest(queries, columns, rows, np.ones_like(_OF_STEP, np.float32))
            named = np.full((len(rows), 2), -1, np.int32)
            named[:, 0] = np.where(first < 0, -1, positions[queries, first])
            for head in range(_HEADS):
                too = strongest(queries, columns, rows, (_OF_STEP == head).astype(np.float32)) >= 0
                too &= first != head
                named[too, 1] = positions[queries[too], head]
            return named

        return Evidence(self.columns, (0.0,), starts, rows, scores, because)

    def _discounts(self, items: Rows) -> Floats:
        return self._readout.factor(self._table.norms(items)[..., self._lane])
