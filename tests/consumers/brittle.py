"""The whole pipeline with an expert that raises on what is marked."""

from consumers.pipeline import Pipeline
from consumers.settings import Settings
from models.base import Events, Queries, Reading
from models.experts.popularity import Popularity
from models.families import experts
from models.recommender import Recommender
from tests.consumers.stream import MINUTE

BOOM_MS = 7  # within the minute: raises while it is read
_BOOM_WEIGHT = 99.0  # of the event type "boom": raises while it is learned


class Brittle(Popularity):
    """Raises on what is marked; in learning when it has changed its state already."""

    def read(self, queries: Queries) -> Reading:
        if (queries.windows.now_ms % MINUTE == BOOM_MS).any():
            message = "reading"
            raise ZeroDivisionError(message)
        return super().read(queries)

    def learn(self, events: Events) -> None:
        super().learn(events)
        if (events.weights == _BOOM_WEIGHT).any():
            message = "learning"
            raise FloatingPointError(message)


def brittle_settings(settings: Settings) -> Settings:
    """The same, without the network, which takes seconds to build, and with a mark."""
    return settings.model_copy(
        update={
            "events": settings.events.model_copy(update={"types": {"boom": _BOOM_WEIGHT}}),
            "network": settings.network.model_copy(update={"enabled": False}),
        }
    )


def brittle(settings: Settings, epoch: int = 0) -> Pipeline:
    """A pipeline under `brittle_settings`, in which `Brittle` takes the place of popularity."""
    family = [Brittle() if expert.name == "popularity" else expert for expert in experts(1, None)]
    return Pipeline(settings, epoch, Recommender(family))
