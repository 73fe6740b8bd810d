"""Which experts springtide has: the one place where they are listed.

To add one: write it in a file of its own against the contract in `base`, list it here, and let its
test run the contract checks. Its columns then take part in candidates, mixture, ranker, reasons and metrics.
"""

from models import bursts, covisitation, transitions
from models.base import Expert
from models.cooccurrence import Cooccurrence
from models.factorization import FactorizationExpert
from models.popularity import Popularity
from models.repeats import Repeats
from models.training import SequenceExpert


def experts(seed: int, *, network: bool = True) -> list[Expert]:
    """Return new experts, in the order of their columns; the `network` is by far the slowest to learn."""
    counting: list[Expert] = [
        Cooccurrence([*transitions.READOUTS, *covisitation.READOUTS, *bursts.READOUTS], seed=seed),
        Repeats(),
        Popularity(),
        FactorizationExpert(seed=seed),
    ]
    return [*counting, SequenceExpert(seed=seed)] if network else counting
