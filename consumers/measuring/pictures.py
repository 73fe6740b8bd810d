"""A backtest as a picture: how quality went while the stream ran, and on which events it is good."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from consumers.backtest import WARM_UP
from consumers.measuring.quality import Figures
from models.families import NETWORK

SUFFIXES = (".svg", ".png")

LOOK: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "springtide",  # the same figures give the same bytes
}

STYLES = {  # label, colour, width of the line
    "list": ("list", "#0b6e4f", 2.2),
    "mixture": ("mixture", "#3a86c8", 1.2),
    NETWORK: (NETWORK, "#8e5aa8", 1.2),
    "best_expert": ("best expert", "#d98324", 1.2),
    "best_floor": ("best floor", "#7a7a7a", 1.2),
}


def draw(figures: Figures, title: str, path: Path) -> None:
    """Write the curves and the slices of a run to `path`, in the format that its name says; OSError where it cannot."""
    with mpl.rc_context(LOOK):
        figure = Figure(figsize=(10, 4.2), layout="constrained")
        over_time, by_slice = figure.subplots(1, 2, width_ratios=(3, 2))
        _curves(over_time, figures)
        slices_on(by_slice, figures)
        figure.suptitle(f"{title}: NDCG@10 over events of users with history")
        figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix.lower() == ".svg" else None)


def _curves(axes: Axes, figures: Figures) -> None:
    curves = figures["curves"]
    for key, values in curves["ndcg@10"].items():
        label, colour, width = STYLES[key]
        name = f" ({figures[key]['name']})" if key in {"best_expert", "best_floor"} else ""
        axes.plot(curves["events"], values, color=colour, linewidth=width, label=label + name)
    axes.axvspan(0, WARM_UP * figures["events"], color="#f0f0f0", label="warm-up, not in the means")
    axes.set(xlabel=f"events so far (means of {curves['window']:,} with history)", ylim=(0, None))
    axes.set_xlim(0, figures["events"])
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.legend(frameon=False, fontsize=8)


def slices_on(axes: Axes, figures: Figures) -> None:
    """Draw NDCG@10 by slice; those without events or hits are left out."""
    parts = {name: part for name, part in figures["slices"].items() if part["events"] and part["list"]["hr@10"]}
    keys = [key for key in STYLES if key in figures["fifths"][0]]
    height = 0.8 / len(keys)
    for place, key in enumerate(keys):
        label, colour, _ = STYLES[key]
        rows = [row + place * height for row in range(len(parts))]
        axes.barh(rows, [part[key]["ndcg@10"] for part in parts.values()], height, color=colour, label=label)
    names = [f"{name.replace('_', ' ')}\n{part['events']:,}" for name, part in parts.items()]
    axes.set_yticks([row + 0.4 - height / 2 for row in range(len(parts))], names)
    axes.invert_yaxis()
    axes.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.06), ncols=3)
