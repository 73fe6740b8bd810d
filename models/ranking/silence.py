"""What mixture and ranker are told can be held at zero, to measure what it is worth.

- The name of a group of plain features (`features.GROUPS`) holds these.
- `TIMES` holds all that is said of time: how long the user has been away, how old and how idle an item is, how well
  the gap suits it, how long ago the user had it. The places of the window stay: an order is no time.
- `SITUATION` holds the whole context but its constant: the same weights in every situation.
"""

from collections.abc import Collection

import numpy as np
import numpy.typing as npt

from models.ranking import context, features

TIMES, SITUATION = "times", "situation"

Columns = npt.NDArray[np.int64]


def silenced(names: Collection[str]) -> tuple[Columns, Columns]:
    """Columns that are silent: of the context, and of the features, where the plain ones are last and so below 0."""
    of_context = set(range(1, context.WIDTH)) if SITUATION in names else set()
    of_features = {place for place, group in enumerate(features.GROUPS) if group in names}
    if TIMES in names:
        of_context |= set(context.TIMES)
        of_features |= set(features.TIMES)
    return np.array(sorted(of_context), np.int64), np.array(sorted(of_features), np.int64) - features.PLAIN
