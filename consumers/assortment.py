"""What is told of items, and what may be listed: the way of the items topic into the state.

What a record says of an item goes to the models, where the item has a row. Who has none gets one while there is room:
an item that nobody has met never takes the place of another one. What finds no row is known once it is met, with
nothing told of it, until it is told again.

What is not available is kept by id, so that it is barred whenever it has a row, however often that changes. The ids of
items that are not available and have no row are kept too, the newest million of them; and an item that comes back after
a million others were withdrawn would be listed, if anybody met it again.

Bytes: about 200 for each item that is not available.
"""

from collections.abc import Sequence
from itertools import islice

import msgspec
import numpy as np
import numpy.typing as npt

from consumers.admission import NOBODY, Admission, Turns
from models.base import Mask, Rows
from models.recommender import Recommender
from models.tables import dead_rows, grown
from stream.events import Interaction, Item
from stream.snapshots import State

_WITHOUT_ROW = 1_000_000  # of the items that are not available
_NEWLY_BARRED = 256  # so many are told to the experts, which would propose them in place of others


class Assortment:
    """Which items may be listed.

    Parameters
    ----------
    admission
        Has the rows of items.
    recommender
        Is told of them.
    """

    def __init__(self, admission: Admission, recommender: Recommender) -> None:
        self._admission = admission
        self._recommender = recommender
        self._withdrawn: dict[str, None] = {}  # oldest first
        self._newest: Rows | None = None  # rows of the last ones withdrawn, where they are known
        self._barred: Mask = np.zeros(0, np.bool_)  # by row; never changed, but replaced

    def __len__(self) -> int:
        """How many items are not available."""
        return len(self._withdrawn)

    @property
    def barred(self) -> Mask | None:
        """Marks the rows (N,) of items that are not available; None where all are."""
        return self._barred if self._withdrawn else None

    def tell(self, items: Sequence[Item]) -> int:
        """Take in what records say, in order; return how many available items found no row."""
        known: list[tuple[int, Item]] = []
        homeless = 0
        for item in items:
            self._withdrawn.pop(item.item_id, None)
            if not item.available:
                self._withdrawn[item.item_id] = None
            row = self._admission.stock(item.item_id) if item.available else self._admission.items.find(item.item_id)
            if row != NOBODY:
                known.append((row, item))
            homeless += item.available and row == NOBODY
        if items:
            self._bar([(row, not item.available) for row, item in known])
            self._forget_oldest()
            self._recommender.stock(np.array([row for row, _ in known], np.int32), [item for _, item in known])
        return homeless

    def admitted(self, turns: Turns) -> None:
        """Bar what is met for the first time, or again, and is not available."""
        if not self._withdrawn:
            return
        met = zip(turns.items.tolist(), turns.accepted, strict=True)
        self._bar(
            [
                (row, True)
                for row, one in met
                if isinstance(one.event, Interaction) and one.event.item_id in self._withdrawn and not self._bars(row)
            ]
        )

    def newly_barred(self) -> Rows:
        """Rows (n,) of the items that were withdrawn last."""
        if self._newest is None:
            rows = (self._admission.items.find(id_) for id_ in islice(reversed(self._withdrawn), _NEWLY_BARRED))
            self._newest = np.array([row for row in rows if row != NOBODY], np.int32)
        return self._newest

    def forget_items(self, dead: Mask) -> None:
        """Let go of the rows marked in `dead`; their items stay what they are."""
        self._bar([(row, False) for row in dead_rows(dead, len(self._barred)).tolist()])

    def state(self) -> State:
        """Return the ids of what is not available, as JSON."""
        return {"withdrawn": np.frombuffer(msgspec.json.encode(list(self._withdrawn)), np.uint8).copy()}

    def restore(self, state: State) -> None:
        """Take back what `state` gave; the rows are restored before."""
        self._withdrawn = dict.fromkeys(msgspec.json.decode(state["withdrawn"].tobytes(), type=list[str]))
        self._barred = np.zeros(0, np.bool_)
        rows = map(self._admission.items.find, self._withdrawn)
        self._bar([(row, True) for row in rows if row != NOBODY])

    def _bars(self, row: int) -> bool:
        return row < len(self._barred) and bool(self._barred[row])

    def _bar(self, changes: Sequence[tuple[int, bool]]) -> None:
        self._newest = None
        if changes:
            barred = grown(self._barred, max(row for row, _ in changes) + 1).copy()
            for row, bars in changes:
                barred[row] = bars
            self._barred = barred

    def _forget_oldest(self) -> None:
        """Forget the ids without a row that were withdrawn longest ago, where there are too many."""
        while len(self._withdrawn) > _WITHOUT_ROW + self._admission.items.capacity:
            oldest = next(iter(self._withdrawn))
            del self._withdrawn[oldest]
            if self._admission.items.find(oldest) != NOBODY:
                self._withdrawn[oldest] = None


def with_more(starts: npt.NDArray[np.int64], rows: Rows, more: Rows) -> tuple[npt.NDArray[np.int64], Rows]:
    """Add the rows `more` (n,) to each of B lists, of which the b-th stands at ``rows[starts[b]:starts[b + 1]]``."""
    if not len(more):
        return starts, rows
    lists = len(starts) - 1
    longer = np.empty(len(rows) + lists * len(more), np.int32)
    following = starts + len(more) * np.arange(lists + 1)
    longer[np.arange(len(rows)) + len(more) * np.repeat(np.arange(lists), np.diff(starts))] = rows
    longer[((following[1:] - len(more))[:, None] + np.arange(len(more))).ravel()] = np.tile(more, lists)
    return following, longer
