"""Ways of running that no service has, to see what one thing is worth: learning at once, or a family of experts."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from consumers.durations import Duration
from consumers.settings import Settings
from models.base import Expert
from models.experts.recurrence import Recurrence
from models.families import CONTENT, FAMILIES, NETWORK, columns, experts
from models.measuring.ablation import AblatedRecommender, Lack
from models.measuring.lateness import DeferredRecommender, FrozenRecommender
from models.measuring.wrapped import Still
from models.network.checkpoint import Checkpoint
from models.ranking.reasons import source_groups
from models.ranking.silence import SITUATION, TIMES
from models.recommender import Recommender
from stream.errors import SettingsError
from stream.events import Decoded
from stream.windows import UserWindows

OWN_ITEMS = "repeats"
"""The family of the user's own items; left out together with how deep these lie, and what the ranker knows of them."""

_FEATURES_OF_OWN_ITEMS = "own_history"
_TOGETHER = {OWN_ITEMS: (OWN_ITEMS, Recurrence.name)}


@dataclass(frozen=True, slots=True)
class Variant:
    """How a run differs from the service; as it is made by default, not at all.

    Attributes
    ----------
    update_every
        Learn only when event time passes a multiple of this since 1970 (UTC): ``1d`` is at midnight. Windows are up to
        date all the time.
    freeze_after
        Learn nothing more after this share of the stream's events.
    ablate
        Measure with it the lists without each of `ablations`.
    without
        The same, but only for the named ones.
    freeze_network
        Let the network learn nothing, and all else go on.
    """

    update_every: Duration | None = None
    freeze_after: float | None = None
    ablate: bool = False
    without: tuple[str, ...] = ()
    freeze_network: bool = False

    @property
    def ablates(self) -> bool:
        """Whether lists are measured that lack something."""
        return self.ablate or bool(self.without)

    def __post_init__(self) -> None:
        if self.update_every is not None and self.freeze_after is not None:
            message = "--update-every and --freeze-after are two ways of learning late: give one of them."
            raise SettingsError(message)
        if self.ablates and (self.update_every is not None or self.freeze_after is not None):
            message = "--ablate and --without are for what learns at once: leave out --update-every and --freeze-after."
            raise SettingsError(message)
        if self.update_every == 0:
            message = "--update-every must be longer than nothing: leave it out to learn at once."
            raise SettingsError(message)

    def recommender(self, settings: Settings, events: int, start: Checkpoint | None = None) -> Recommender:
        """Make a new one, for a stream of so many events; `start` is what its network begins with."""
        models = settings.models
        members = experts(
            models.seed,
            settings.network.config(),
            start=start,
            vector_length=settings.items.told_length,
            optional=models.optional(),
        )
        if self.freeze_network:
            members = [Still(expert) if expert.name == NETWORK else expert for expert in members]
        if self.update_every is not None:
            windows = UserWindows(settings.windows.length, settings.windows.span.ms)
            return DeferredRecommender(members, windows)
        if self.freeze_after is not None:
            return FrozenRecommender(members, int(events * self.freeze_after))
        if self.ablates:
            names = self.left_out(settings)
            lacks = {name: Lack(_columns(name, members), _silent(name)) for name in names}
            return AblatedRecommender(members, lacks)
        return Recommender(members)

    def left_out(self, settings: Settings) -> tuple[str, ...]:
        """Name what lists are measured without; SettingsError where nothing has such a name."""
        there = ablations(settings)
        for name in self.without:
            if name not in there:
                message = f"--without {name}: nothing of that name is there; there are {', '.join(there)}."
                raise SettingsError(message)
        chosen = self.without or (there if self.ablate else ())
        return tuple(name for name in there if name in chosen)

    def periods(self, decoded: Iterable[Decoded]) -> Iterator[Iterator[Decoded]]:
        """Cut a stream where learning catches up; it is one piece where learning is never late."""
        if self.update_every is None:
            yield iter(decoded)
            return
        length_ms, newest = self.update_every.ms, -1

        def period(one: Decoded) -> int:
            nonlocal newest
            newest = max(newest, one.time_ms // length_ms)  # what cannot be read has no time
            return newest

        for _, part in groupby(decoded, period):
            yield part


def update_period(text: str) -> Duration:
    """Read the length of a period; SettingsError where it is none."""
    try:
        return Duration.parse(text)
    except ValueError as error:
        message = f"--update-every is {text!r}, but {error}."
        raise SettingsError(message) from error


def _columns(name: str, members: Sequence[Expert]) -> list[str]:
    """Name the columns that nobody hears where something is left out."""
    return [column for family in _TOGETHER.get(name, (name,)) for column in columns(family, members)]


def _silent(name: str) -> Collection[str]:
    """Name what mixture and ranker are not told of where something is left out."""
    return [_FEATURES_OF_OWN_ITEMS] if name == OWN_ITEMS else [name]


def ablations(settings: Settings) -> tuple[str, ...]:
    """Name all that can be left out one by one: families of experts, and what the ranker is told."""
    there = {NETWORK: settings.network.enabled, CONTENT: settings.items.topic is not None}
    return (
        *(name for name in FAMILIES if there.get(name, True)),
        *settings.models.optional(),
        *(group for group in source_groups() if group != _FEATURES_OF_OWN_ITEMS),
        TIMES,
        SITUATION,
    )
