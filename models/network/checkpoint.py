"""What a network has learned before the stream: what `pretraining` gives, and what `SequenceExpert` may begin with.

It names items by their ids, since rows are a matter of one state, and holds nothing of any user.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy.typing as npt

from models.base import Floats
from models.network.config import NetworkConfig

Weights = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A network that has read history.

    Attributes
    ----------
    network
        Its shape.
    weights
        What the encoder has learned, by the names of its parameters.
    ids
        The I items it knows, the one met last at the end.
    vectors
        Their vectors (I, D).
    weight_squares, vector_squares
        The mean squares of their gradients, by which Adam knows how far a step may go: without them its first steps
        would be as long for what was learned well as for what was never learned.
    digest
        SHA-256 (hex) of all of this; empty before it is written.
    """

    network: NetworkConfig
    weights: Weights
    ids: tuple[str, ...]
    vectors: Floats
    weight_squares: Weights
    vector_squares: Floats
    digest: str = ""

    def newest(self, items: int) -> "Checkpoint":
        """Return the same with so many items at most, those met last."""
        return replace(
            self,
            ids=self.ids[-items:],
            vectors=self.vectors[-items:],
            vector_squares=self.vector_squares[-items:],
        )
