"""Whether probabilities mean what they say: of the items that were given one in five, one in five should be the next.

Each item of a list that was out when its user came again is one forecast: its score, and whether it was the item of the
event. Forecasts are sorted by score and cut into bins of equally many. In a bin the mean score is what was promised,
and the share that came true is what was kept; the expected calibration error is the mean distance of the two, bins
weighted by their forecasts (Naeini et al. 2015, with bins of equal size instead of equal width, as most scores are
small).

A list is made for the moment when its user usually comes again (`models.absence`), by the models of its own time; it is
measured when the user does come, by whatever was true then.
"""

from typing import Any

import numpy as np

from models.base import Floats
from models.metrics import Ranks

_BINS = 15


def calibration(promised: Floats, ranks: Ranks) -> dict[str, Any]:
    """Compute the reliability of n lists of up to k items.

    Parameters
    ----------
    promised
        Scores (n, k) of the lists, best first, 0 behind the last item.
    ranks
        Place (n,) of the event's item on the list; anything from k on where it was not there.

    Returns
    -------
    dict
        Number of ``lists`` with an item on them; what the whole list ``promised`` and ``kept`` on average, as a
        probability; the calibration ``error``; and the ``bins``, lowest first, with their number of ``forecasts``.
    """
    there = promised > 0
    came = np.arange(promised.shape[1]) == ranks[:, None]
    scores, true = promised[there].astype(np.float64), came[there].astype(np.float64)
    lists = int(there.any(axis=1).sum())
    order = np.argsort(scores, kind="stable")
    bins = [
        {"promised": float(scores[part].mean()), "kept": float(true[part].mean()), "forecasts": len(part)}
        for part in np.array_split(order, _BINS)
        if len(part)
    ]
    return {
        "lists": lists,
        "promised": float(scores.sum() / lists) if lists else 0.0,
        "kept": float(true.sum() / lists) if lists else 0.0,
        "error": sum(abs(one["promised"] - one["kept"]) * one["forecasts"] for one in bins) / max(len(scores), 1),
        "bins": bins,
    }
