"""What came next: directed counts from an item to those that followed it.

Three readouts of the co-occurrence table (`cooccurrence`), j being an item's position in the window, newest 0:

- last transition: how often i came right after the newest item, ``c[h0, i]``. A first-order Markov chain;
- transitions: followers of the last five items, nearer ones counting more, popular origins discounted,
  ``sum_{j<5} .8^j f[h_j, i] / (norm[h_j]^.7 + 5)``;
- recent transitions: the same over twenty items with counts that fade with a half-life of two days,
  ``sum_{j<20} .9^j ft[h_j, i] / (norm[h_j]^.7 + 2)``.

An event counts ``.85^j`` in the row of h_j, for j < 20.
"""

import numpy as np

from models.base import Column, Floats
from models.experts.cooccurrence import Readout

DAY_S = 86_400.0


def near(positions: Floats, base: float, depth: int) -> Floats:
    """``base^j`` for the newest `depth` positions, 0 beyond."""
    weights: Floats = np.where(positions < depth, np.float32(base) ** positions, np.float32(0))
    return weights


class LastTransition(Readout):
    """Followers of the newest item."""

    column = Column("last_transition", 20)
    prior = 2.0

    def meeting(self, positions: Floats, ages_s: Floats) -> tuple[Floats, Floats, Floats]:
        """See Readout."""
        follows = near(positions, 1.0, 1)
        return follows, np.zeros_like(follows), np.zeros_like(follows)

    def weight(self, positions: Floats, ages_s: Floats, norms: Floats) -> Floats:
        """See Readout."""
        return near(positions, 1.0, 1)


class Transitions(Readout):
    """Followers of the last items, near ones first.

    Parameters
    ----------
    column
        Name and number of proposals.
    base, depth, discount
        Of the sum above: ``sum_{j<depth} base^j ... / (norm^.7 + discount)``.
    half_life_s
        Of the counts, None when they never fade.
    """

    def __init__(
        self, column: Column, base: float, depth: int, discount: float, half_life_s: float | None = None
    ) -> None:
        self.column = column
        self._base, self._depth, self._discount = base, depth, discount
        self.half_life_s = half_life_s

    def meeting(self, positions: Floats, ages_s: Floats) -> tuple[Floats, Floats, Floats]:
        """See Readout."""
        follows = near(positions, 0.85, 20)
        return follows, np.zeros_like(follows), follows

    def weight(self, positions: Floats, ages_s: Floats, norms: Floats) -> Floats:
        """See Readout."""
        weights: Floats = near(positions, self._base, self._depth) / (norms**0.7 + self._discount)
        return weights


READOUTS: tuple[Readout, ...] = (
    LastTransition(),
    Transitions(Column("transitions", 15), base=0.8, depth=5, discount=5.0),
    Transitions(Column("recent_transitions", 20), base=0.9, depth=20, discount=2.0, half_life_s=2 * DAY_S),
)
