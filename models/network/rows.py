"""Item vectors that are trained row by row.

A catalogue may have many more rows than an update has reasons to touch. So gradients come for a set of rows, and Adam
moves only those; its moments, their bias correction and its learning rate belong to the row. After n updates the rate
is ``rate / sqrt(1 + n / 300)``, and never less than a tenth of `rate`: a new item finds its place soon, a well-known
one is not thrown about by each event, and still follows when what it means changes. A row is *known* from its first
update on; all others are zero.

Bytes: 12 D + 5 for each item row.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.base import Mask
from models.network.adam import EPSILON, FAST, MANY, SLOW
from models.tables import dead_rows, grown
from stream.kernels import kernel
from stream.snapshots import State

_NEW_FAST, _NEW_SLOW, _LITTLE = np.float32(1 - FAST), np.float32(1 - SLOW), np.float32(EPSILON)
_SETTLES = 300  # updates
_LEAST_RATE = 0.1  # part of the first
_NAMES = ("vectors", "first_moments", "second_moments")


class ItemVectors:
    """One vector of width D for each item row, with its own optimiser state.

    Parameters
    ----------
    width
        D.
    rate
        Learning rate of Adam for a new row.
    """

    def __init__(self, width: int, rate: float) -> None:
        self._rate = rate
        self._updates = np.zeros(1, np.int32)
        self._known = np.zeros(1, np.bool_)
        self._tables = tuple(torch.zeros(1, width) for _ in _NAMES)
        self._rows = 1

    @property
    def known(self) -> Mask:
        """Which rows have been trained: (rows,), at least one, without a copy; rows beyond its end have not."""
        return self._known[: self._rows]

    @property
    def vectors(self) -> Tensor:
        """The vectors (rows, D), without a copy."""
        return self._tables[0][: self._rows]

    def begin(self, vectors: Tensor, squares: Tensor) -> None:
        """Begin with `vectors` (n, D) in the first n rows, as if after many updates by gradients of these `squares`."""
        count = len(vectors)
        self.grow(count)
        self._updates[:count] = MANY
        self._known[:count] = True
        table, _, second = self._tables
        table[:count], second[:count] = vectors, squares

    def grow(self, rows: int) -> None:
        """Make room for `rows` rows."""
        held = len(self._updates)
        self._updates = grown(self._updates, rows)
        self._known = grown(self._known, rows)
        added = len(self._updates) - held
        if added:
            self._tables = tuple(torch.cat([table, table.new_zeros(added, table.shape[1])]) for table in self._tables)
        self._rows = max(self._rows, rows)

    def update(self, rows: npt.NDArray[np.int64], vectors: Tensor, gradients: Tensor) -> None:
        """Take one Adam step from `vectors` (n, D) against `gradients` (n, D), for n distinct rows."""
        self._updates[rows] += 1
        self._known[rows] = True
        tables = (table.numpy() for table in self._tables)
        _step(rows, vectors.numpy(), gradients.numpy(), self._updates, *tables, self._rate)

    def forget(self, dead: Mask) -> None:
        """Reset the rows marked in `dead`; rows beyond its end live on."""
        rows = dead_rows(dead, len(self._updates))
        self._updates[rows] = 0
        self._known[rows] = False
        for table in self._tables:
            table[torch.from_numpy(rows)] = 0
        self.trim()

    def state(self) -> State:
        """Copy the rows up to the last known one."""
        tables = {name: table[: self._rows].numpy().copy() for name, table in zip(_NAMES, self._tables, strict=True)}
        return {"updates": self._updates[: self._rows].copy(), **tables}

    def restore(self, state: State) -> None:
        """Take back what `state` gave."""
        self._updates = state["updates"].astype(np.int32)
        self._known = self._updates > 0
        self._tables = tuple(torch.tensor(state[name]) for name in _NAMES)
        self.trim()

    def trim(self) -> None:
        """Count no row beyond the last known one any more."""
        self._rows = 1 + int(np.flatnonzero(self._updates).max(initial=0))


@kernel
def _step(rows, starts, gradients, updates, vectors, first, second, rate):
    """`adam.adam_step` for some rows of three tables: in one pass, where whole tensors need ten."""
    for n in range(len(rows)):
        row = rows[n]
        own_rate = rate * max(_LEAST_RATE, 1 / np.sqrt(1 + updates[row] / _SETTLES))
        fast = np.float32(own_rate / (1 - FAST ** updates[row]))
        slow = np.float32(1 / (1 - SLOW ** updates[row]))
        for d in range(vectors.shape[1]):
            gradient = gradients[n, d]
            first[row, d] += _NEW_FAST * (gradient - first[row, d])
            second[row, d] += _NEW_SLOW * (gradient * gradient - second[row, d])
            vectors[row, d] = starts[n, d] - fast * first[row, d] / (np.sqrt(slow * second[row, d]) + _LITTLE)
