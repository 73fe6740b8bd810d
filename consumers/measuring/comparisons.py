"""Figures side by side: of several seeds, and of the list with and without something."""

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from models.base import Mask
from models.metrics import Ranks, summary

_METRICS = ("hr@10", "ndcg@10", "mrr")


def spread(runs: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, Any]:
    """Mean and standard deviation of each figure over two or more runs, by scorer and metric."""
    return {name: {metric: _over([run[name][metric] for run in runs]) for metric in _METRICS} for name in runs[0]}


def spread_of_changes(runs: Sequence[Mapping[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """Mean and standard deviation of what each run's list loses without something, by its name."""
    changes = {name: [run[name]["change"] for run in runs] for name in runs[0]}
    return {name: None if None in several else _over(several) for name, several in changes.items()}


def ablation(whole: Ranks, lesser: Ranks, events: Mask, slices: Mapping[str, Mask]) -> dict[str, Any]:
    """Say what a list is without something, and how its NDCG@10 changes as a share of what it was.

    All figures are over the marked `events` (n,); the slices say where the thing is missed.
    """

    def part(events: Mask) -> tuple[dict[str, float], float | None]:
        return summary(lesser[events]), change(summary(whole[events]), summary(lesser[events]))

    (figures, changed), parts = part(events), {name: part(events & mask) for name, mask in slices.items()}
    return {
        "with_history": figures,
        "change": changed,
        "slices": {name: {"list": of_part, "change": there} for name, (of_part, there) in parts.items()},
    }


def change(before: Mapping[str, float], after: Mapping[str, float]) -> float | None:
    """Change of NDCG@10 as a share of what it was; None where it was 0."""
    return after["ndcg@10"] / before["ndcg@10"] - 1 if before["ndcg@10"] else None


def _over(values: Sequence[float]) -> dict[str, float]:
    return {"mean": fmean(values), "spread": stdev(values)}
