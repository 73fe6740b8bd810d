"""How readily an item is come back to after what was last done with it, such as putting it in a cart, or buying it.

M_k counts the events before which the newest entry of the window was of kind k, and R_k those whose item was in the
window, with kind k where it stood last. With M and R over all kinds, ``p = R / M``, the number of kind k is
``log((R_k + 5 p) / (M_k + 5) / p)``, within 2 of 0: 0 where there is but one kind, and above it for what is returned to
more than other things. How readily an item itself is come back to is known besides (`models.items`).

Memory: 4 KB; O(L) an event. Not an expert: the ranker reads it as a plain feature of the window's own items.
"""

import numpy as np
import numpy.typing as npt

from models.base import Events, Floats
from stream.kernels import kernel
from stream.snapshots import State
from stream.windows import KINDS

_MET, _RETURNED = range(2)
_PRIOR = 5.0  # events that each kind is taken to have had, returned to as often as all
_SUREST = 2.0


class KindStatistics:
    """How many events came after each kind, and how many came back to it."""

    def __init__(self) -> None:
        self._table: npt.NDArray[np.int64] = np.zeros((KINDS, 2), np.int64)

    def returns(self) -> Floats:
        """Log ratios of the share that is come back to (KINDS,), to that of all; within 2 of 0."""
        met, returned = self._table.sum(axis=0).tolist()
        if returned == 0:
            return np.zeros(KINDS, np.float32)
        prior = _PRIOR * returned / met
        shares = (self._table[:, _RETURNED] + prior) / (self._table[:, _MET] + _PRIOR)
        ratios: Floats = np.log(shares * (met / returned)).clip(-_SUREST, _SUREST).astype(np.float32)
        return ratios

    def learn(self, events: Events) -> None:
        """Count what each event came after, and what it came back to."""
        before = events.before
        _learn(events.items, before.items, before.kinds, before.lengths, self._table)

    def state(self) -> State:
        """Copy the table."""
        return {"table": self._table.copy()}

    def restore(self, state: State) -> None:
        """Take back what `state` gave."""
        self._table = state["table"].astype(np.int64)


@kernel
def _learn(items, windows, kinds, lengths, table):
    for b in range(len(items)):
        if lengths[b] == 0:
            continue
        table[kinds[b, 0], _MET] += 1
        for j in range(lengths[b]):
            if windows[b, j] == items[b]:
                table[kinds[b, j], _RETURNED] += 1
                break
