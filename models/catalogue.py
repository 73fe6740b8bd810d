"""What is told of items: when they were published, what they are, and what an encoder made of them.

Three tables by item row. *Attributes* are texts such as ``genre=jazz``; each is a bucket, its hash among 2^20, and two
items share an attribute where they share a bucket. Of each bucket it is counted how many items have it, since what few
have says more. *Vectors* come from any encoder of text, image or sound. Their direction is kept and their length is
not: in up to 128 bytes, one for each number, where they are longer after a projection on 128 random directions, under
which the cosine of two of them stays what it was, give or take .09 (Johnson & Lindenstrauss 1984).

*Fresh* are the items that entered the catalogue last and have been met by few. These are the ones that the rest of the
experts cannot know.

Memory, by item: 8 bytes for the time, 128 for attributes, up to 128 for a vector; 8 MB for the buckets.
"""

from collections.abc import Sequence
from zlib import crc32

import numpy as np
import numpy.typing as npt

from models.base import Mask, Rows
from models.experts.shortlist import Shortlist
from models.tables import dead_rows, grown, mixed
from stream.events import Item
from stream.items import MAX_ATTRIBUTES
from stream.kernels import kernel
from stream.snapshots import State, nest, pick
from stream.windows import Times

Directions = npt.NDArray[np.int8]

BUCKETS = 2**20
NUMBERS = 128
"""Numbers of a vector that are kept at most."""

FRESH = 1_024
"""How many fresh items there are at most."""

UNKNOWN_MS = -1
"""Published at a time that nobody told."""

_ABSENT_MS = -2  # of a row that is not in the catalogue


class Catalogue:
    """Facts of items by row; the tables grow with the rows told of.

    Parameters
    ----------
    vector_length
        How many numbers a vector has as it is told; 0 where there are none.
    seed
        Of the directions on which long vectors are projected.

    Attributes
    ----------
    published_ms
        (N,), `UNKNOWN_MS` where it was not told, less where the row is not in the catalogue.
    attributes
        (N, A) buckets, -1 behind the last.
    vectors
        (N, D), zeros where there is none.
    log_holders
        (`BUCKETS`,) logarithms of one plus how many items have an attribute.
    """

    def __init__(self, vector_length: int, seed: int) -> None:
        self._length = vector_length
        self._projection = _projection(self._length, seed) if self._length > NUMBERS else None
        self._fresh = Shortlist(FRESH)
        self._clear()

    def _clear(self) -> None:
        self.published_ms: Times = np.zeros(0, np.int64)
        self.attributes: Rows = np.zeros((0, MAX_ATTRIBUTES), np.int32)
        self.vectors: Directions = np.zeros((0, min(self._length, NUMBERS)), np.int8)
        self._holders = np.zeros(BUCKETS, np.int32)
        self.log_holders = np.zeros(BUCKETS, np.float32)
        self._told = 0

    def __len__(self) -> int:
        return self._told

    @property
    def fresh(self) -> Rows:
        """Rows (n,) of the fresh items, in no order."""
        return self._fresh.rows

    def tell(self, rows: Rows, items: Sequence[Item]) -> None:
        """Take what is said of N items, in order, in place of what was said of them before."""
        self._grow(int(rows.max(initial=-1)) + 1)
        for row, item in zip(rows.tolist(), items, strict=True):
            new = self.published_ms[row] == _ABSENT_MS
            self._drop_attributes(row)
            self.published_ms[row] = UNKNOWN_MS if item.published_ms is None else item.published_ms
            buckets = sorted({crc32(text.encode()) % BUCKETS for text in item.attributes})
            self.attributes[row, : len(buckets)] = buckets
            self._count(np.array(buckets, np.int32), 1)
            if self._length:
                self.vectors[row] = self._direction(item.vector)
            if new:
                self._told += 1
                self._fresh.enter(np.array([row], np.int32))

    def forget_items(self, dead: Mask) -> None:
        """Forget the item rows marked in `dead`; rows beyond its end live on."""
        self._fresh.forget(dead)
        for row in dead_rows(dead, len(self.published_ms)).tolist():
            self._drop_attributes(row)
            self.vectors[row] = 0
            self._told -= int(self.published_ms[row] != _ABSENT_MS)
            self.published_ms[row] = _ABSENT_MS

    def state(self) -> State:
        """Copy everything."""
        rows = int(np.flatnonzero(self.published_ms != _ABSENT_MS).max(initial=-1)) + 1
        facts: State = {
            "published_ms": self.published_ms[:rows].copy(),
            "attributes": self.attributes[:rows].copy(),
            "vectors": self.vectors[:rows].copy(),
        }
        return facts | nest("fresh", self._fresh.state())

    def restore(self, state: State) -> None:
        """Take back what `state` gave."""
        self._clear()
        self.published_ms = state["published_ms"].astype(np.int64)
        self.attributes = state["attributes"].astype(np.int32)
        self.vectors = state["vectors"].astype(np.int8)
        self._told = int((self.published_ms != _ABSENT_MS).sum())
        self._holders += np.bincount(self.attributes[self.attributes >= 0], minlength=BUCKETS).astype(np.int32)
        self._count(np.flatnonzero(self._holders).astype(np.int32), 0)
        self._fresh.restore(pick("fresh", state))

    def _grow(self, rows: int) -> None:
        self.published_ms = grown(self.published_ms, rows, _ABSENT_MS)
        self.attributes = grown(self.attributes, rows, -1)
        self.vectors = grown(self.vectors, rows)

    def _drop_attributes(self, row: int) -> None:
        had = self.attributes[row]
        self._count(had[had >= 0], -1)
        had[:] = -1

    def _count(self, buckets: Rows, change: int) -> None:
        self._holders[buckets] += change
        self.log_holders[buckets] = np.log1p(self._holders[buckets]).astype(np.float32)

    def _direction(self, vector: tuple[float, ...]) -> Directions:
        """Return a vector's direction in whole numbers, the largest 127; all 0 where it has none."""
        told = np.array(vector, np.float64)
        largest = np.abs(told).max(initial=0.0)
        if largest == 0:
            return np.zeros(self.vectors.shape[1], np.int8)
        told /= largest
        kept = told if self._projection is None else _projected(told, self._projection)
        most = np.abs(kept).max()
        return np.zeros(len(kept), np.int8) if most == 0 else np.rint(kept / most * 127).astype(np.int8)


@kernel
def _projection(length, seed):
    """Signs (length, NUMBERS), the same for the same seed."""
    signs = np.empty((length, NUMBERS), np.int8)
    for n in range(length):
        for d in range(NUMBERS):
            signs[n, d] = 1 if mixed(seed, n * NUMBERS + d) & np.uint64(1) else -1
    return signs


@kernel
def _projected(vector, signs):
    kept = np.zeros(signs.shape[1])
    for n in range(len(vector)):
        for d in range(signs.shape[1]):
            kept[d] += vector[n] * signs[n, d]
    return kept
