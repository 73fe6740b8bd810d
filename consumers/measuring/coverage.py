"""How much of the catalogue the lists show, and how evenly.

A list can be right and still show everybody the same ten items. Coverage is the share of all items of the stream that
stood on some list; how few items hold half of all places says how crowded the top is.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from models.base import Rows

_TOP = 10


def coverage(shown: npt.NDArray[np.int64], items: Rows, ids: Sequence[str]) -> dict[str, Any]:
    """Compute coverage.

    Parameters
    ----------
    shown
        Places (I,) that each item had on all lists together.
    items
        Items (n,) of the events, as numbers below I.
    ids
        Their names (I,).

    Returns
    -------
    dict
        Number of ``items_shown`` and their ``share`` of all; all ``places``, and how many items hold ``half`` of them;
        the ``top`` items by places, with their shares of the places and of the events.
    """
    events, places = np.bincount(items, minlength=len(shown)), int(shown.sum())
    order = np.argsort(-shown, kind="stable")
    held = np.cumsum(shown[order])
    return {
        "items_shown": int((shown > 0).sum()),
        "share": float((shown > 0).mean()) if len(shown) else 0.0,
        "places": places,
        "half": int(np.searchsorted(held, places / 2)) + 1 if places else 0,
        "top": [
            {
                "item_id": ids[item],
                "share_of_places": float(shown[item] / places),
                "share_of_events": float(events[item] / len(items)),
            }
            for item in order[:_TOP].tolist()
            if shown[item]
        ],
    }
