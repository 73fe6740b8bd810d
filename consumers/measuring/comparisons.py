"""Several runs side by side: the same under other seeds, and the same without one thing."""

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev

from consumers.measuring.quality import Figures, scorers

_METRICS = ("hr@10", "ndcg@10", "mrr")


def spread(runs: Sequence[Figures]) -> Figures:
    """Mean and standard deviation of each figure with history over two or more runs, by scorer and metric."""
    names = [name for name, _ in scorers(runs[0])]
    by_run = [dict(scorers(run)) for run in runs]
    return {
        name: {
            metric: {"mean": fmean(values), "spread": stdev(values)}
            for metric in _METRICS
            for values in [[run[name][metric] for run in by_run]]
        }
        for name in names
    }


def ablation(whole: Figures, without: Mapping[str, Figures]) -> Figures:
    """Say what the list is worth without each thing, by its name, and how NDCG@10 changes as a share of what it was.

    The slices say where the thing is missed.
    """
    return {
        name: {
            "with_history": lacking["with_history"],
            "change": change(whole["with_history"], lacking["with_history"]),
            "slices": {
                part: {"list": figures["list"], "change": change(whole["slices"][part]["list"], figures["list"])}
                for part, figures in lacking["slices"].items()
            },
        }
        for name, lacking in without.items()
    }


def change(before: Mapping[str, float], after: Mapping[str, float]) -> float | None:
    """Change of NDCG@10 as a share of what it was; None where it was 0."""
    return after["ndcg@10"] / before["ndcg@10"] - 1 if before["ndcg@10"] else None
