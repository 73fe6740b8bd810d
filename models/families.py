"""Which experts springtide has: the one place where they are listed.

To add one: write it in a file of its own against the contract in `base`, list it here, and let its
test run the contract checks. Its columns then take part in candidates, mixture, ranker, reasons and metrics.

A *family* is what can be left out, to measure what it is worth: an expert, or the readouts of one kind in the
co-occurrence table that several kinds share. Walks read that table too, as paths read the moments of sessions. Some
families are there only where they are asked for.
"""

from collections.abc import Callable, Collection, Sequence

from models.base import Expert
from models.experts import bursts, covisitation, transitions
from models.experts.ages import Ages
from models.experts.circle import Circle
from models.experts.content import Content
from models.experts.cooccurrence import Cooccurrence
from models.experts.dynamics import Dynamics
from models.experts.factorization import FactorizationExpert
from models.experts.paths import Paths
from models.experts.popularity import Popularity
from models.experts.recurrence import Recurrence
from models.experts.repeats import Repeats
from models.experts.replies import Replies
from models.experts.sessions import SimilarSessions
from models.experts.walks import Walks
from models.network.checkpoint import Checkpoint
from models.network.config import NetworkConfig
from models.network.counts import ItemTransformer
from models.network.training import SequenceExpert


def _demand(_seed: int) -> Expert:
    from models.experts.demand import Demand  # noqa: PLC0415  # with it comes River's time series: half a second

    return Demand()


_READOUTS = {
    "transitions": transitions.READOUTS,
    "covisitation": covisitation.READOUTS,
    "bursts": bursts.READOUTS,
}
_TOLD_BY = "transitions", "covisitation", "page_burst"
_EXPERTS: dict[str, Callable[[int], Expert]] = {  # from a seed
    "repeats": lambda _: Repeats(),
    "recurrence": lambda _: Recurrence(),
    "replies": lambda _: Replies(),
    "circle": lambda _: Circle(),
    "popularity": lambda _: Popularity(),
    "ages": lambda _: Ages(),
    "factorization": lambda seed: FactorizationExpert(seed=seed),
}
_OPTIONAL: dict[str, Callable[[int], Expert]] = {
    "dynamics": lambda _: Dynamics(),
    "demand": _demand,
    "item_transformer": lambda seed: ItemTransformer(seed=seed),
}
OPTIONAL = tuple(_OPTIONAL)
"""Families that are there only where they are asked for."""

NETWORK = "sequence"
"""The family, and the column, of the network: by far the slowest to learn."""

CONTENT = "content"
"""The family that is there only where something is told of items."""

FAMILIES = (*_READOUTS, Walks.name, SimilarSessions.name, Paths.name, *_EXPERTS, CONTENT, NETWORK)


def columns(family: str, experts: Sequence[Expert]) -> list[str]:
    """Name the columns of a family, as far as they are among those of `experts`."""
    own = [readout.column.name for readout in _READOUTS.get(family, ())]
    return [
        column.name for expert in experts for column in expert.columns if expert.name == family or column.name in own
    ]


def experts(
    seed: int,
    network: NetworkConfig | None,
    start: Checkpoint | None = None,
    vector_length: int | None = None,
    optional: Collection[str] = (),
) -> list[Expert]:
    """Return new experts, in the order of their columns; without the network where that is None.

    `start` is what the network begins with; see `SequenceExpert`. `vector_length` is that of what is told of items,
    see `Catalogue`; None where nothing is told of them. `optional` names families of `OPTIONAL` to have too.
    """
    readouts = [readout for some in _READOUTS.values() for readout in some]
    chosen = _EXPERTS | {family: make for family, make in _OPTIONAL.items() if family in optional}
    together = Cooccurrence(readouts, seed=seed, told_by=_TOLD_BY)
    sessions = SimilarSessions()
    counting: list[Expert] = [together, Walks(together), sessions, Paths(sessions)]
    counting += [make(seed) for make in chosen.values()]
    if vector_length is not None:
        counting.append(Content(vector_length, seed))
    if network is None:
        return counting
    return [*counting, SequenceExpert(network, seed=seed, start=start)]
