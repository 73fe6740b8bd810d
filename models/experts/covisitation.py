"""What goes together: symmetric counts over the window, near or far.

Two readouts of the co-occurrence table (`cooccurrence`):

- covisitation: both directions, near positions first, popular items on both sides discounted,
  ``sum_{j<20} .9^j s[h_j, i] / ((sqrt norm[h_j] + 2)(sqrt norm[i] + 2))``, an event counting ``.85^j`` each way;
- cosine: the whole window with equal weights, the item-based cosine of collaborative filtering (Sarwar et al. 2001)
  with shrinkage, ``sum_{j<100} n[h_j, i] / sqrt((norm[h_j] + 10)(norm[i] + 10))``, an event counting 1 each way.
"""

import numpy as np

from models.base import Column, Floats
from models.experts.cooccurrence import Readout
from models.experts.transitions import near

SHRINK = 2
"""Added to the root of each norm, so that what is hardly known is not like everything."""


class Covisitation(Readout):
    """Near companions in both directions."""

    column = Column("covisitation", 20)

    def meeting(self, positions: Floats, ages_s: Floats) -> tuple[Floats, Floats, Floats]:
        """See Readout."""
        together = near(positions, 0.85, 20)
        return together, together, together

    def weight(self, positions: Floats, ages_s: Floats, norms: Floats) -> Floats:
        """See Readout."""
        weights: Floats = near(positions, 0.9, 20) / (norms**0.5 + SHRINK)
        return weights

    def factor(self, norms: Floats) -> Floats:
        """See Readout."""
        factors: Floats = np.reciprocal(norms**0.5 + SHRINK)
        return factors


class Cosine(Readout):
    """Companions anywhere in the window."""

    column = Column("cosine", 25)

    def meeting(self, positions: Floats, ages_s: Floats) -> tuple[Floats, Floats, Floats]:
        """See Readout."""
        together = np.ones_like(positions)
        return together, together, together

    def weight(self, positions: Floats, ages_s: Floats, norms: Floats) -> Floats:
        """See Readout."""
        weights: Floats = np.reciprocal((norms + 10) ** 0.5)
        return weights

    def factor(self, norms: Floats) -> Floats:
        """See Readout."""
        factors: Floats = np.reciprocal((norms + 10) ** 0.5)
        return factors


READOUTS: tuple[Readout, ...] = (Covisitation(), Cosine())
