"""What a run was worth: every figure that a backtest shows, computed from the ranks of its events.

`all` is over all events after the warm-up; everything else is over those of users met before, *with history*: published
too, as nobody else can have a list. The best expert and the best floor are found afterwards, so they are a little
better than any that one could have chosen before; the best of a part of the events is the best in that part.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from consumers.backtest import Trial
from consumers.measuring.calibration import calibration
from consumers.measuring.comparisons import ablation
from consumers.measuring.coverage import coverage
from consumers.measuring.curves import curves
from consumers.measuring.intervals import intervals
from models.base import Mask
from models.families import NETWORK
from models.measuring.slices import slices
from models.metrics import Ranks, ndcg, summary

Figures = dict[str, Any]

_PARTS = 5
_HOUR_MS = 3_600_000


def figures(trial: Trial, floors: Mapping[str, Ranks], seed: int) -> Figures:
    """All figures of a run, ready for JSON.

    Parameters
    ----------
    trial
        The run.
    floors
        Ranks (n,) of its events by the counting baselines; empty where they were not asked for.
    seed
        Of the resamplings.
    """
    measured, with_history = trial.measured(), trial.stream.with_history()
    known = measured & with_history
    contest = _Contest.of(trial, floors)
    rivals = contest.rivals(known)
    columns = {key: column for key, (_, column) in rivals.items()}
    lines = {"list": contest.list, "mixture": contest.mixture, **columns}
    places, there = np.flatnonzero(with_history), slices(trial.stream)

    def lines_of(several: Mapping[str, Ranks]) -> Figures:
        return curves(places, {name: column[places] for name, column in several.items()})

    def both(column: Ranks) -> Figures:
        return {"all": summary(column[measured]), "with_history": summary(column[known])}

    result: Figures = {
        "events": len(trial),
        "users": int((~with_history).sum()),
        "items": int(trial.stream.items.max()) + 1,
        **both(contest.list),
        "published": summary(trial.published[known]),
        "mixture": both(contest.mixture),
        "experts": {name: both(column) for name, column in contest.experts.items()},
    }
    if floors:
        result["floors"] = {name: both(column) for name, column in floors.items()}
    if lesser := trial.lesser():
        result["ablation"] = {name: ablation(contest.list, column, known, there) for name, column in lesser.items()}
    return result | {
        **{key: {"name": name, **both(column)} for key, (name, column) in rivals.items()},
        "intervals": intervals(
            trial.stream.users[known],
            contest.list[known],
            {key: column[known] for key, column in columns.items()},
            seed,
        ),
        "slices": {name: contest.part(known & mask) for name, mask in there.items()},
        "fifths": [contest.part(known & mask) for mask in _fifths(measured)],
        "hours": [contest.part(known & mask) for mask in _hours(trial)],
        "curves": lines_of(lines)
        | {"experts": lines_of(contest.experts)["ndcg@10"], "floors": lines_of(floors)["ndcg@10"]},
        "calibration": calibration(trial.promised[known], trial.published[known]),
        "coverage": coverage(trial.shown, trial.stream.items, trial.ids),
        "rejected": trial.rejected,
        "events_per_second": len(trial) / trial.seconds,
    }


def scorers(figures: Figures) -> Iterator[tuple[str, dict[str, float]]]:
    """All who were measured, with their figures over events with history: list, mixture, experts, floors, published.

    Experts and floors begin with the best by NDCG@10.
    """
    yield "list", figures["with_history"]
    yield "mixture", figures["mixture"]["with_history"]
    for group in ("experts", "floors"):
        several = {name: both["with_history"] for name, both in figures.get(group, {}).items()}
        yield from sorted(several.items(), key=lambda one: -one[1]["ndcg@10"])
    yield "published", figures["published"]


@dataclass(frozen=True, slots=True)
class _Contest:
    """Ranks (n,) of all who take part."""

    list: Ranks
    mixture: Ranks
    experts: Mapping[str, Ranks]
    floors: Mapping[str, Ranks]

    @classmethod
    def of(cls, trial: Trial, floors: Mapping[str, Ranks]) -> "_Contest":
        experts = {name: trial.of(name) for name in trial.scorers[: trial.scorers.index("mixture")]}
        return cls(trial.of("list"), trial.of("mixture"), experts, floors)

    def rivals(self, events: Mask) -> dict[str, tuple[str, Ranks]]:
        """Find the best expert and the best floor by NDCG@10 over the marked events: names and ranks."""
        found = {}
        for key, several in (("best_expert", self.experts), ("best_floor", self.floors)):
            if several:
                name = max(several, key=lambda name: ndcg(several[name][events]).sum())
                found[key] = (name, several[name])
        return found

    def part(self, events: Mask) -> Figures:
        """Figures over some events, of those whom one wants to see side by side."""
        figures: Figures = {"events": int(events.sum())}
        figures["list"], figures["mixture"] = summary(self.list[events]), summary(self.mixture[events])
        if NETWORK in self.experts:
            figures[NETWORK] = summary(self.experts[NETWORK][events])
        for key, (name, column) in self.rivals(events).items():
            figures[key] = {"name": name, **summary(column[events])}
        return figures


def _hours(trial: Trial) -> list[Mask]:
    """Events (n,) by the hour of the day, in UTC."""
    hours = trial.stream.times_ms // _HOUR_MS % 24
    return [hours == hour for hour in range(24)]


def _fifths(measured: Mask) -> list[Mask]:
    """Cut the measured events into consecutive parts."""
    masks = []
    for places in np.array_split(np.flatnonzero(measured), _PARTS):
        mask = np.zeros(len(measured), np.bool_)
        mask[places] = True
        masks.append(mask)
    return masks
