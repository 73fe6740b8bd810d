"""A backtest as one page of HTML that needs nothing else: no script, no font, no picture from anywhere.

The page is a Jinja template with automatic escaping: whatever users, items and files are called is text. Only the
plots, which hold no names from the stream, are put in as they are.
"""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from consumers.measuring import plots
from consumers.measuring.quality import Figures, scorers

_TEMPLATES = Path(__file__).parent / "templates"

OF_TIME = {
    "transitions": "order: what came right after what, also with counts that fade",
    "covisitation": "nearness: how many events lie between two items of a window",
    "bursts": "moments: what is met within two minutes, or an hour, of each other",
    "walks": "order: only which two items are the newest",
    "repeats": "habits: how long ago, at which hour and day the user had an item, and how soon others come back to it",
    "recurrence": "order: how many other items the user met since, and how many before the last ones",
    "replies": "recency: how long ago others came to the user, and whether he has turned to them since",
    "circle": "recency: how long ago the user met others, and how long ago these met whom they met",
    "paths": "recency: the newest moments of those who came the same way",
    "sessions": "recency: what others did who were where the user is now, the newest of them",
    "popularity": "trends: popularity with five half-lives, and after a pause as long as the user's",
    "ages": "freshness: of which age the items are that are met",
    "factorization": "none: the baseline without time",
    "sequence": "gaps: the Transformer reads the time between events, and from each to now",
    "lift": "moments: what is met more often than by chance, ever and within two minutes",
    "precedence": "order: what is met before and after what",
    "item_statistics": "age: since when an item is known, when it was last met, and after how long a gap it is met",
    "times": "time itself: all that gate and ranker are told of spans of time; the experts keep theirs",
    "situation": "absence, among other things: the same weights in every situation",
}
"""What of time there is in each thing that can be left out."""


def write(figures: Figures, title: str, path: Path) -> None:
    """Write the report of a run to `path`; OSError where it cannot be written."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["words"] = lambda name: name.replace("_", " ")
    environment.filters["percent"] = lambda share: "" if share is None else f"{share:+.1%}"
    drawn = {
        "over_time": plots.over_time(figures),
        "by_slice": plots.by_slice(figures),
        "by_hour": plots.by_hour(figures),
        "reliability": plots.reliability(figures),
    }
    if "floors" in figures:
        drawn["floors"] = plots.floors_over_time(figures)
    if "ablation" in figures:
        drawn["ablation"] = plots.without_each(figures)
    page = environment.get_template("report.html").render(
        title=title,
        figures=figures,
        scorers=list(scorers(figures)),
        metrics=("hr@10", "ndcg@10", "mrr", "precision@10", "recall@10", "f1@10"),
        plots=drawn,
        of_time=OF_TIME,
    )
    path.write_text(page, encoding="utf-8")
