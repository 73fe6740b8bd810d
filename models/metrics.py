"""How good a ranking was, from the rank of the one relevant item.

With one relevant item an event, of rank r (0 the best), at cut-off k: HR = recall = [r < k]; precision = HR / k;
F1 = 2 HR / (k + 1); NDCG = [r < k] / log2(r + 2); MRR = 1 / (r + 1), not cut off. A miss counts 0 in all of them.

So precision, recall and F1 order any two rankings as HR does, and precision is at most 1 / k. They are there for those
who compare with figures of their own.
"""

import numpy as np
import numpy.typing as npt

MISS = np.int32(1 << 30)
"""Rank of an item that was not in the ranking."""

Ranks = npt.NDArray[np.int32]


def hit(ranks: Ranks, k: int = 10) -> npt.NDArray[np.float64]:
    """HR@k of each event: 1 within the first `k`, else 0. Shape of `ranks`."""
    return (ranks < k).astype(np.float64)


def ndcg(ranks: Ranks, k: int = 10) -> npt.NDArray[np.float64]:
    """NDCG@k of each event. Shape of `ranks`."""
    return np.where(ranks < k, 1 / np.log2(np.minimum(ranks, k) + 2.0), 0.0)


def reciprocal(ranks: Ranks) -> npt.NDArray[np.float64]:
    """Reciprocal rank of each event, 0 for a miss. Shape of `ranks`."""
    return np.where(ranks < MISS, 1 / (ranks + 1.0), 0.0)


def summary(ranks: Ranks, k: int = 10) -> dict[str, float]:
    """Means over `ranks` (n,), zeros when there are none, and how many they are.

    The keys are ``hr@k``, ``ndcg@k``, ``mrr``, ``precision@k``, ``recall@k``, ``f1@k`` and ``events``.
    """
    some = len(ranks) > 0
    hits = float(hit(ranks, k).mean()) if some else 0.0
    return {
        f"hr@{k}": hits,
        f"ndcg@{k}": float(ndcg(ranks, k).mean()) if some else 0.0,
        "mrr": float(reciprocal(ranks).mean()) if some else 0.0,
        f"precision@{k}": hits / k,
        f"recall@{k}": hits,
        f"f1@{k}": 2 * hits / (k + 1),
        "events": len(ranks),
    }
