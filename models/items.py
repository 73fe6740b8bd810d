"""What is known of each item besides its neighbours: how often it was met, first and last.

Memory: 24 bytes an item. Not an expert: the ranker reads it as plain features.
"""

import numpy as np
import numpy.typing as npt

from models.base import Events, Mask, Rows
from models.tables import dead_rows, grown
from stream.snapshots import State

Counts = npt.NDArray[np.int64]


class ItemStatistics:
    """Counts, and first and last event times in milliseconds, by item row; the arrays grow with the rows met."""

    def __init__(self) -> None:
        self.counts = np.zeros(0, np.int64)
        self.first_ms = np.zeros(0, np.int64)
        self.last_ms = np.zeros(0, np.int64)

    def learn(self, events: Events) -> None:
        """Count each event's item; late events may move its first time back."""
        rows = int(events.items.max(initial=-1)) + 1
        self.counts, self.first_ms, self.last_ms = (
            grown(self.counts, rows),
            grown(self.first_ms, rows),
            grown(self.last_ms, rows),
        )
        items, times = events.items, events.before.now_ms
        new = self.counts[items] == 0
        self.first_ms[items[new]] = self.last_ms[items[new]] = times[new]
        np.add.at(self.counts, items, 1)
        np.minimum.at(self.first_ms, items, times)
        np.maximum.at(self.last_ms, items, times)

    def times_met(self, items: Rows) -> Counts:
        """Events of each of these items (n,) so far."""
        known = items < len(self.counts)
        met = np.zeros(len(items), np.int64)
        met[known] = self.counts[items[known]]
        return met

    def forget_items(self, dead: Mask) -> None:
        """Forget the item rows marked in `dead`; rows beyond its end live on."""
        gone = dead_rows(dead, len(self.counts))
        self.counts[gone] = self.first_ms[gone] = self.last_ms[gone] = 0

    def state(self) -> State:
        """Copy everything."""
        rows = int(np.flatnonzero(self.counts).max(initial=-1)) + 1
        return {
            "counts": self.counts[:rows].copy(),
            "first_ms": self.first_ms[:rows].copy(),
            "last_ms": self.last_ms[:rows].copy(),
        }

    def restore(self, state: State) -> None:
        """Take back what `state` gave."""
        self.counts = state["counts"].astype(np.int64)
        self.first_ms = state["first_ms"].astype(np.int64)
        self.last_ms = state["last_ms"].astype(np.int64)
