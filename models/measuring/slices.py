"""Slices: events of one kind, whose mean says what the mean over all events hides.

Most events of most streams are of well-known items and of users met often, so a list can be good on average and useless
for what is new. A slice is told by what was known just before the event; only rare items need the whole stream.
"""

import numpy as np

from models.base import Mask
from models.measuring.streams import Stream, earlier

FEW = 5
"""Cold is what was met less often."""

_HEAD = 0.8
"""Rare items are those beyond the most frequent ones that have this share of the events together."""


def slices(stream: Stream) -> dict[str, Mask]:
    """Events (n,) of each slice, by name.

    - ``new_items``: of an item that nobody had before. It cannot be foreseen, and is a miss for everybody.
    - ``cold_items``: of an item with 1 to 4 earlier events.
    - ``rare_items``: of an item of the long tail of the whole stream, but not its first event.
    - ``short_histories``: of a user with 1 to 4 earlier events.
    - ``repeats``, ``new_to_user``: of an item that the user had before, or had not.
    """
    met, history, had = earlier(stream.items), earlier(stream.users), earlier(stream.pairs())
    return {
        "new_items": met == 0,
        "cold_items": (met > 0) & (met < FEW),
        "rare_items": (met > 0) & _rare(stream),
        "short_histories": (history > 0) & (history < FEW),
        "repeats": had > 0,
        "new_to_user": had == 0,
    }


def _rare(stream: Stream) -> Mask:
    counts = np.bincount(stream.items)
    order = np.argsort(-counts, kind="stable")
    before = np.cumsum(counts[order]) - counts[order]
    rare = np.zeros(len(counts), np.bool_)
    rare[order[before >= _HEAD * len(stream.items)]] = True
    return rare[stream.items]
