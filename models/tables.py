"""Flat tables that grow as rows are met, and the random numbers of the kernels.

Every table of the experts is a NumPy array whose first axis is an item row or a user row. It grows to the largest row
met, never on reads, and the vocabulary's capacity bounds that row. A small table doubles; a large one takes a quarter
more, so that little of it is room that nobody uses.
"""

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from stream.kernels import kernel

_LARGE = 1 << 16  # rows

Scalar = TypeVar("Scalar", bound=np.generic)


def grown(table: npt.NDArray[Scalar], rows: int, fill: float = 0) -> npt.NDArray[Scalar]:
    """Return `table` itself, or a copy of at least `rows` rows, the new ones filled with `fill`."""
    if rows <= len(table):
        return table
    roomier = len(table) + (len(table) if len(table) < _LARGE else len(table) // 4)
    larger = np.zeros((max(rows, roomier, 16), *table.shape[1:]), table.dtype)  # takes memory when written to
    larger[: len(table)] = table
    if fill != 0:
        larger[len(table) :] = fill
    return larger


def dead_rows(dead: npt.NDArray[np.bool_], rows: int) -> npt.NDArray[np.intp]:
    """Row numbers below `rows` that are marked in `dead`."""
    return np.flatnonzero(dead[:rows])


def padded(dead: npt.NDArray[np.bool_], rows: int) -> npt.NDArray[np.bool_]:
    """`dead` cut or filled with False to exactly `rows` entries, so that kernels can index it by row."""
    mask = np.zeros(rows, np.bool_)
    known = min(rows, len(dead))
    mask[:known] = dead[:known]
    return mask


@kernel
def mixed(seed, step):
    """Hash of a counter: the same (seed, step) gives the same 64 bits (SplitMix64, Steele et al. 2014)."""
    z = np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(step) + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@kernel
def with_room(rows, values, count, more):
    """`rows` and `values` (n, E) themselves, or longer copies with room for `more` behind `count`; new values are 0."""
    if count + more <= len(rows):
        return rows, values
    longer_rows = np.empty(2 * (count + more), np.int32)
    longer_values = np.zeros((2 * (count + more), values.shape[1]), np.float32)
    longer_rows[:count], longer_values[:count] = rows[:count], values[:count]
    return longer_rows, longer_values


@kernel
def rise(rows, values, place, row, value):
    """Put `row` in at `place` or further up, so that `values` fall; behind its equals. What is at `place` falls out."""
    while place > 0 and values[place - 1] < value:
        values[place] = values[place - 1]
        rows[place] = rows[place - 1]
        place -= 1
    values[place] = value
    rows[place] = row
