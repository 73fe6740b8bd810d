"""Item vectors that are trained row by row.

A catalogue may have many more rows than an update has reasons to touch. So gradients come for a set of rows, and
Adam (Kingma and Ba 2015, https://arxiv.org/abs/1412.6980) moves only those; its moments, and their bias correction,
belong to the row. A row is *known* from its first update on; all others are zero.

Bytes: 12 D + 4 for each item row.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.base import Mask
from models.tables import dead_rows, grown
from stream.snapshots import State

_MOMENTS = (0.9, 0.999)
_EPSILON = 1e-8
_NAMES = ("vectors", "first_moments", "second_moments")


class ItemVectors:
    """One vector of width D for each item row, with its own optimiser state.

    Parameters
    ----------
    width
        D.
    rate
        Learning rate of Adam.
    """

    def __init__(self, width: int, rate: float) -> None:
        self._rate = rate
        self._updates = np.zeros(1, np.int32)
        self._tables = tuple(torch.zeros(1, width) for _ in _NAMES)
        self._rows = 1

    @property
    def known(self) -> Mask:
        """Which rows have been trained: (rows,), at least one; rows beyond its end have not."""
        return self._updates[: self._rows] > 0

    @property
    def vectors(self) -> Tensor:
        """The vectors (rows, D), without a copy."""
        return self._tables[0][: self._rows]

    def grow(self, rows: int) -> None:
        """Make room for `rows` rows."""
        held = len(self._updates)
        self._updates = grown(self._updates, rows)
        added = len(self._updates) - held
        if added:
            self._tables = tuple(torch.cat([table, table.new_zeros(added, table.shape[1])]) for table in self._tables)
        self._rows = max(self._rows, rows)

    def update(self, rows: npt.NDArray[np.int64], vectors: Tensor, gradients: Tensor) -> None:
        """Take one Adam step from `vectors` (n, D) against `gradients` (n, D), for n distinct rows."""
        self._updates[rows] += 1
        steps = torch.from_numpy(self._updates[rows].astype(np.float32))[:, None]
        index = torch.from_numpy(rows)
        table, first, second = self._tables
        fast, slow = _MOMENTS
        mean = first[index].lerp_(gradients, 1 - fast)
        square = second[index].lerp_(gradients.square(), 1 - slow)
        first[index] = mean
        second[index] = square
        scale = (square / (1 - slow**steps)).sqrt_().add_(_EPSILON)
        table[index] = vectors - self._rate * (mean / (1 - fast**steps)) / scale

    def forget(self, dead: Mask) -> None:
        """Reset the rows marked in `dead`; rows beyond its end live on."""
        rows = dead_rows(dead, len(self._updates))
        self._updates[rows] = 0
        for table in self._tables:
            table[torch.from_numpy(rows)] = 0
        self._trim()

    def state(self) -> State:
        """Copy the rows up to the last known one."""
        tables = {name: table[: self._rows].numpy().copy() for name, table in zip(_NAMES, self._tables, strict=True)}
        return {"updates": self._updates[: self._rows].copy(), **tables}

    def restore(self, state: State) -> None:
        """Take back what `state` gave."""
        self._updates = state["updates"].astype(np.int32)
        self._tables = tuple(torch.tensor(state[name]) for name in _NAMES)
        self._trim()

    def _trim(self) -> None:
        self._rows = 1 + int(np.flatnonzero(self._updates).max(initial=0))
