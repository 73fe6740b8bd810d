"""A backtest's figures as tables for a terminal."""

from collections.abc import Iterator

from rich.table import Table

from consumers.measuring.quality import Figures, scorers
from models.families import NETWORK

_METRICS = {"HR@10": "hr@10", "NDCG@10": "ndcg@10", "MRR": "mrr"}
_OF_HITS = {"P@10": "precision@10", "F1@10": "f1@10"}
_SIDE_BY_SIDE = ("list", "mixture", NETWORK, "best_expert", "best_floor")


def scorer_table(figures: Figures) -> Table:
    """Who foresaw how well; with several seeds their mean and spread."""
    caption = "prequential, and published, over events of users with history"
    if "seeds" not in figures:
        shown = _METRICS | _OF_HITS
        rows = [(name, [f"{of_one[key]:.4f}" for key in shown.values()]) for name, of_one in scorers(figures)]
        return _table(f"{caption}; P is the precision, HR the recall too", ["scorer", *shown], rows)
    runs = figures["seeds"]
    rows = [
        (
            name,
            [f"{of_one[key]['mean']:.4f} ±{of_one[key]['spread']:.4f}".replace("±0", "±") for key in _METRICS.values()],
        )
        for name, of_one in runs["scorers"].items()
    ]
    caption += f"; mean and standard deviation over the seeds {', '.join(map(str, runs['seeds']))}"
    return _table(caption, ["scorer", *_METRICS], rows)


def part_table(figures: Figures) -> Table:
    """How well on which events: slices, and fifths of the stream."""
    parts = {_words(name): part for name, part in figures["slices"].items()}
    parts |= {f"fifth {number} of 5": part for number, part in enumerate(figures["fifths"], 1)}
    keys = [key for key in _SIDE_BY_SIDE if key in figures["fifths"][0]]
    rows = [
        (name, [f"{part['events']:,}", *(f"{part[key]['ndcg@10']:.4f}" for key in keys)])
        for name, part in parts.items()
    ]
    caption = "NDCG@10 over events of users with history; expert and floor are the best ones of each part"
    return _table(caption, ["part", "events", *(key.removeprefix("best_") for key in keys)], rows)


def ablation_table(figures: Figures) -> Table:
    """Show what each thing is worth; with several seeds, the mean of what they say, and its standard deviation."""
    over_seeds = figures.get("seeds", {}).get("changes", {})
    rows = [
        (name, [f"{of_one['with_history']['ndcg@10']:.4f}", _changed(of_one["change"], over_seeds.get(name))])
        for name, of_one in figures["ablation"].items()
    ]
    return _table("the list without it, over events of users with history", ["without", "NDCG@10", "change"], rows)


def sentences(figures: Figures) -> Iterator[str]:
    """Say how sure the list's figures are, and how large the run was."""
    intervals = figures["intervals"]
    for key in ("best_expert", "best_floor"):
        if key in intervals:
            found = intervals[key]
            yield f"list / {_words(key)} ({figures[key]['name']}): {found['ratio']:.3f} {_brackets(found, 3)}"
    if "ndcg@10" in intervals:
        for name, key in (("HR@10", "hr@10"), ("NDCG@10", "ndcg@10")):
            yield f"list, {name}: {figures['with_history'][key]:.4f} {_brackets(intervals[key], 4)}"
        share, times = intervals["level"], intervals["resamples"]
        yield f"[low, high]: {share:.0%} of {times:,} resamplings of users, or of stretches of the stream"
    yield (
        f"{figures['events']:,} events, {figures['users']:,} users, {figures['items']:,} items, "
        f"{figures['events_per_second']:,.0f} events/s"
    )


def _words(name: str) -> str:
    return name.replace("_", " ")


def _brackets(interval: dict[str, float], digits: int) -> str:
    return f"[{interval['low']:.{digits}f}, {interval['high']:.{digits}f}]"


def _changed(change: float | None, over_seeds: dict[str, float] | None) -> str:
    if over_seeds is not None:
        return f"{over_seeds['mean']:+.1%} ±{over_seeds['spread']:.1%}"
    return "" if change is None else f"{change:+.1%}"


def _table(caption: str, headings: list[str], rows: list[tuple[str, list[str]]]) -> Table:
    grid = Table(caption=caption, caption_justify="left", show_edge=False)
    for heading in headings:
        grid.add_column(heading, justify="left" if heading == headings[0] else "right", no_wrap=True)
    for name, cells in rows:
        grid.add_row(name, *cells)
    return grid
