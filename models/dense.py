"""Dense evidence: the reading of an expert that has a score for every item that it knows.

Scores are logits. Each query's softmax runs over the known items that may be offered to it, and the log feature of
probability p is ``log(p + 1e-6) - log(1e-6)``: zero where there is no evidence.
"""

import numpy as np
import torch
from torch import Tensor

from models.base import Column, Floats, Mask, Queries, Reading, Rows

_SHARE_FLOOR = 1e-6


class Probabilities(Reading):
    """One column of probabilities.

    Parameters
    ----------
    column
        Whose reading this is.
    queries
        B queries, for the items that must not be offered.
    logits
        Score of each item row (B, rows).
    known
        Which item rows have been learned from (rows,); the logits of others are not looked at.
    """

    def __init__(self, column: Column, queries: Queries, logits: Tensor, known: Mask) -> None:
        self._proposals = column.proposals
        allowed = np.broadcast_to(known, logits.shape).copy()
        places = np.repeat(np.arange(len(queries)), np.diff(queries.starts))
        inside = queries.excluded < len(known)
        allowed[places[inside], queries.excluded[inside]] = False
        lowest = torch.finfo(logits.dtype).min
        offered = torch.from_numpy(allowed)
        self._shares = torch.softmax(logits.masked_fill(~offered, lowest), dim=1) * offered

    def propose(self) -> Rows:
        """See Reading."""
        queries, rows = self._shares.shape
        best = np.full((queries, 1, self._proposals), -1, np.int32)
        found = torch.topk(self._shares, min(self._proposals, rows))
        best[:, 0, : found.indices.shape[1]] = np.where(found.values.numpy() > 0, found.indices.numpy(), -1)
        return best

    def score(self, candidates: Rows) -> Floats:
        """See Reading."""
        inside = (candidates >= 0) & (candidates < self._shares.shape[1])
        index = torch.from_numpy(np.where(inside, candidates, 0).astype(np.int64))
        shares = self._shares.gather(1, index).numpy() * inside
        features: Floats = np.log1p(shares / np.float32(_SHARE_FLOOR))[:, :, None]
        return features
