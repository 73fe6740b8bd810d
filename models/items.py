"""What is known of each item besides its neighbours: how often it was met, when, and how often it was come back to.

An event is a *return* where the user's window holds its item already. How readily an item is come back to, and after
how long, differs between items more than between users: see Bhagat et al. 2018 (Buy It Again) of what is bought, and
Anderson et al. 2014 of what is listened to and visited.

Memory: 36 bytes an item; O(L) an event. Not an expert: the ranker reads it as plain features.
"""

import numpy as np
import numpy.typing as npt

from models.base import Events, Mask, Rows
from models.elementary import log1p32
from models.tables import dead_rows, grown
from stream.kernels import kernel
from stream.snapshots import State

Counts = npt.NDArray[np.int64]

_NEWEST = 0.1  # least weight of the newest return in an item's mean
_PRIOR = 3.0  # events that an item is taken to have had with as many returns as all items have


COUNT, FIRST_MS, LAST_MS, RETURNS = range(4)
"""Columns of the table."""


class ItemStatistics:
    """What is known of items, by item row; the arrays grow with the rows met.

    Attributes
    ----------
    table
        Number of events, times of the first and of the last, and number of events that were returns (rows, 4). All are
        whole, and small enough for doubles; what is read together of an item lies together.
    pauses
        Mean of log(1 + seconds since the user's last event with the item) over the newest returns (rows,).
    """

    def __init__(self) -> None:
        self.table = np.zeros((0, 4))
        self.pauses = np.zeros(0, np.float32)
        self._all = np.zeros(2, np.int64)  # events and returns of all items

    def learn(self, events: Events) -> None:
        """Count each event's item, and whether it was a return; late events may move its first time back."""
        rows = int(events.items.max(initial=-1)) + 1
        self.table, self.pauses = grown(self.table, rows), grown(self.pauses, rows)
        before = events.before
        _learn(
            events.items, before.now_ms, before.items, before.times_ms, before.lengths,
            self.table, self.pauses, self._all,
        )  # fmt: skip

    def prior(self) -> tuple[float, float]:
        """Return how many returns and events every item is taken to have had before its first."""
        met, returned = self._all.tolist()
        return _PRIOR * (returned + 1) / (met + 2), _PRIOR

    def times_met(self, items: Rows) -> Counts:
        """Events of each of these items (n,) so far."""
        known = items < len(self.table)
        met = np.zeros(len(items), np.int64)
        met[known] = self.table[items[known], COUNT]
        return met

    def forget_items(self, dead: Mask) -> None:
        """Forget the item rows marked in `dead`; rows beyond its end live on."""
        gone = dead_rows(dead, len(self.table))
        self.table[gone] = 0
        self.pauses[gone] = 0

    def state(self) -> State:
        """Copy everything."""
        rows = int(np.flatnonzero(self.table[:, COUNT]).max(initial=-1)) + 1
        return {"table": self.table[:rows].copy(), "pauses": self.pauses[:rows].copy(), "all": self._all.copy()}

    def restore(self, state: State) -> None:
        """Take back what `state` gave."""
        self.table = state["table"].astype(np.float64)
        self.pauses = state["pauses"].astype(np.float32)
        self._all = state["all"].astype(np.int64)


@kernel
def _learn(items, times_ms, window_items, window_times_ms, lengths, table, pauses, all_items):
    for b in range(len(items)):
        item, now_ms = items[b], times_ms[b]
        row = table[item]
        row[FIRST_MS] = now_ms if row[COUNT] == 0 else min(row[FIRST_MS], now_ms)
        row[LAST_MS] = now_ms if row[COUNT] == 0 else max(row[LAST_MS], now_ms)
        row[COUNT] += 1
        all_items[0] += 1
        for j in range(lengths[b]):
            if window_items[b, j] == item:
                pause = log1p32(np.float32(max(now_ms - window_times_ms[b, j], 0) / 1000))
                row[RETURNS] += 1
                all_items[1] += 1
                pauses[item] += max(1 / row[RETURNS], _NEWEST) * (pause - pauses[item])
                break
