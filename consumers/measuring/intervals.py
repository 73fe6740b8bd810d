"""How sure a run's figures are: intervals of the list's quality, and of its ratios to its rivals."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from models.base import Rows
from models.measuring.bootstrap import LEVEL, RESAMPLES, resampled, widest
from models.metrics import Ranks, hit, ndcg


def intervals(users: Rows, of_list: Ranks, rivals: Mapping[str, Ranks], seed: int) -> dict[str, Any]:
    """Resample n events, and say between which bounds the figures mostly are; see `models.measuring.bootstrap`.

    Parameters
    ----------
    users
        Whose the events are (n,).
    of_list, rivals
        Ranks of the events by the list, and by others (n,). Who is a rival is taken as given.
    seed
        Of the resamplings.

    Returns
    -------
    dict
        ``hr@10`` and ``ndcg@10`` of the list, each with ``low``, ``high`` and ``block``; for each rival the same of the
        ``ratio`` of NDCG@10. What too few blocks say nothing about is left out, as is a ratio to what can be 0.
    """
    columns = [hit(of_list), *(ndcg(ranks) for ranks in (of_list, *rivals.values()))]
    means = resampled(users, np.column_stack(columns), seed)
    result: dict[str, Any] = {"level": LEVEL, "resamples": RESAMPLES}
    if not means:
        return result
    for place, metric in enumerate(("hr@10", "ndcg@10")):
        result[metric] = widest({kind: of_kind[:, place] for kind, of_kind in means.items()})._asdict()
    for place, name in enumerate(rivals, 2):
        if all(of_kind[:, place].min() > 0 for of_kind in means.values()):
            ratios = widest({kind: of_kind[:, 1] / of_kind[:, place] for kind, of_kind in means.items()})
            result[name] = {"ratio": float(columns[1].mean() / columns[place].mean()), **ratios._asdict()}
    return result
