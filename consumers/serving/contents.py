"""What a snapshot holds, for those who watch."""

import msgspec
import numpy as np

from models.items import COUNT
from stream.snapshots import State


class Contents(msgspec.Struct, frozen=True):
    """Bytes by table, and the share of the items met that are in a list that is out; None where lists are not kept."""

    sizes: dict[str, int]
    coverage: float | None


def contents(state: State) -> Contents:
    """Look at what goes into a snapshot."""
    sizes: dict[str, int] = {}
    for name, array in state.items():
        table = ".".join(name.split(".")[:2])
        sizes[table] = sizes.get(table, 0) + array.nbytes
    return Contents(sizes, _coverage(state) if "published.items" in state else None)


def _coverage(state: State) -> float:
    met = state["recommender.items.table"][:, COUNT].astype(np.int64) > 0
    listed = np.zeros(len(met), np.bool_)
    rows = state["published.items"].astype(np.int64)
    listed[rows[(rows >= 0) & (rows < len(met))]] = True
    return float((listed & met).sum() / max(met.sum(), 1))
