"""A stream that is over, as numbers: what is measured about a run is measured on it.

Its users and items keep their numbers to the end, other than rows of the vocabularies, which are given away again.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.base import Mask, Rows
from stream.kernels import kernel

Numbers = npt.NDArray[np.int64]


class Stream(NamedTuple):
    """n events in the order in which they were learned; users and items are numbered from 0 on without gaps."""

    users: Rows  # (n,)
    items: Rows  # (n,)
    times_ms: Numbers  # (n,)

    def pairs(self) -> Rows:
        """Give each pair of a user and an item a number (n,), from 0 on without gaps."""
        both = self.users.astype(np.int64) * (int(self.items.max(initial=0)) + 1) + self.items
        numbers: Rows = np.unique(both, return_inverse=True)[1].astype(np.int32)
        return numbers

    def with_history(self) -> Mask:
        """Which events are of users met before (n,)."""
        return earlier(self.users) > 0


def earlier(numbers: Rows) -> Rows:
    """How many earlier events have the same number (n,); the numbers are 0 or more."""
    counts: Rows = _earlier(numbers, int(numbers.max(initial=-1)) + 1)
    return counts


@kernel
def _earlier(numbers, several):
    met = np.zeros(several, np.int32)
    counts = np.empty(len(numbers), np.int32)
    for n in range(len(numbers)):
        counts[n] = met[numbers[n]]
        met[numbers[n]] += 1
    return counts
