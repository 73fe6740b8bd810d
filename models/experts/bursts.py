"""What is met within the same moment: counts weighed by the time between two events.

A page of ratings, a shopping session, an evening of music: events of one burst belong together more than their order
says. Two readouts of the co-occurrence table (`cooccurrence`), D_j being the time since window item h_j:

``sum_{j<40} exp(-D_j / tau) n[h_j, i] / sqrt((norm[h_j] + 5)(norm[i] + 5))``, an event counting ``exp(-D_j / tau)``
both ways, with tau = 120 s (page) and tau = 3600 s (session).
"""

import numpy as np

from models.base import Column, Floats
from models.experts.cooccurrence import Readout
from models.experts.transitions import near


class Burst(Readout):
    """Companions within about `tau_s` seconds."""

    def __init__(self, column: Column, tau_s: float) -> None:
        self.column = column
        self._tau_s = tau_s

    def meeting(self, positions: Floats, ages_s: Floats) -> tuple[Floats, Floats, Floats]:
        """See Readout."""
        together = self._nearness(ages_s)
        return together, together, together

    def weight(self, positions: Floats, ages_s: Floats, norms: Floats) -> Floats:
        """See Readout."""
        weights: Floats = near(positions, 1.0, 40) * self._nearness(ages_s) / (norms + 5) ** 0.5
        return weights

    def factor(self, norms: Floats) -> Floats:
        """See Readout."""
        factors: Floats = np.reciprocal((norms + 5) ** 0.5)
        return factors

    def _nearness(self, ages_s: Floats) -> Floats:
        nearness: Floats = np.exp(-ages_s / np.float32(self._tau_s))
        return nearness


READOUTS: tuple[Readout, ...] = (Burst(Column("page_burst", 15), 120.0), Burst(Column("session_burst", 15), 3600.0))
