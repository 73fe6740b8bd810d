"""The plots of a report: each one function from figures to SVG text that stands in a page by itself."""

import io
from collections.abc import Callable

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from consumers.backtest import WARM_UP
from consumers.measuring.pictures import LOOK, STYLES, slices_on
from consumers.measuring.quality import Figures

_NAMED = 5  # experts, and floors, that have a colour; the others are grey
_PALETTE = ("#d98324", "#3a86c8", "#8e5aa8", "#c0392b", "#16a085")
_FEW = 10  # events of an hour, below which a mean says nothing
_GREY = "#c8ccd0"
_LIST = STYLES["list"][1]

Draw = Callable[[Axes, Figures], None]


def over_time(figures: Figures) -> str:
    """Draw the list and each expert while the stream ran; only the best experts are named."""
    return _svg("time", (9, 3.6), lambda axes, found: _lines(axes, found, "experts", "solid"), figures)


def floors_over_time(figures: Figures) -> str:
    """Draw the list and the counting baselines while the stream ran."""
    return _svg("floors", (9, 3.0), lambda axes, found: _lines(axes, found, "floors", "dashed"), figures)


def by_slice(figures: Figures) -> str:
    """Draw NDCG@10 by slice, of the list and its best rivals there."""
    return _svg("slices", (9, 3.6), slices_on, figures)


def by_hour(figures: Figures) -> str:
    """Draw NDCG@10 by the hour of the day, and how many events each hour has."""
    return _svg("hours", (9, 2.8), _hours, figures)


def reliability(figures: Figures) -> str:
    """Draw what probabilities promised, and what they kept."""
    return _svg("calibration", (4.4, 4.0), _reliability, figures)


def without_each(figures: Figures) -> str:
    """Draw how NDCG@10 changes when one thing is left out."""
    return _svg("ablation", (9, 3.2), _ablation, figures)


def _svg(name: str, size: tuple[float, float], draw: Draw, figures: Figures) -> str:
    """Draw one plot. Ids within it begin with its name, as several stand in one page."""
    text = io.StringIO()
    with mpl.rc_context(LOOK | {"svg.fonttype": "none"}):
        figure = Figure(figsize=size, layout="constrained")
        figure.patch.set_alpha(0)
        draw(figure.subplots(), figures)
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Type": None, "Format": None})
    whole = text.getvalue()
    return whole[whole.index("<svg") :].replace('id="', f'id="{name}-').replace("url(#", f"url(#{name}-").replace(
        'xlink:href="#', f'xlink:href="#{name}-'
    )  # fmt: skip


def _lines(axes: Axes, figures: Figures, group: str, style: str) -> None:
    curves = figures["curves"]
    order = sorted(curves[group], key=lambda name: -figures[group][name]["with_history"]["ndcg@10"])
    for name in order[_NAMED:]:
        axes.plot(curves["events"], curves[group][name], color=_GREY, linewidth=0.7)
    for name, colour in zip(order[:_NAMED], _PALETTE, strict=False):
        axes.plot(curves["events"], curves[group][name], color=colour, linewidth=1.2, linestyle=style, label=name)
    axes.plot(curves["events"], curves["ndcg@10"]["list"], color=_LIST, linewidth=2.2, label="list")
    axes.axvspan(0, WARM_UP * figures["events"], color="#f0f0f0", label="warm-up, not in the means")
    axes.set(xlabel="events so far", ylabel="NDCG@10", ylim=(0, None), xlim=(0, figures["events"]))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))


def _hours(axes: Axes, figures: Figures) -> None:
    hours, events = range(24), [part["events"] for part in figures["hours"]]
    crowd = axes.twinx()
    crowd.bar(hours, events, color="#eceff1", width=0.9)
    crowd.set_ylabel("events", color="#90a4ae")
    crowd.spines["right"].set_visible(False)
    axes.set_zorder(crowd.get_zorder() + 1)
    axes.patch.set_visible(False)
    for key in ("list", "best_expert", "best_floor"):
        if key in figures["hours"][0]:
            label, colour, width = STYLES[key]
            busy = [hour for hour in hours if events[hour] >= _FEW]
            values = [figures["hours"][hour][key]["ndcg@10"] for hour in busy]
            axes.plot(busy, values, color=colour, linewidth=width, marker="o", markersize=3, label=label)
    axes.set(xlabel="hour of the day (UTC)", ylabel="NDCG@10", ylim=(0, None), xticks=range(0, 24, 3))
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.12, 0.5))


def _reliability(axes: Axes, figures: Figures) -> None:
    bins = [one for one in figures["calibration"]["bins"] if one["kept"] > 0 and one["promised"] > 0]
    ends = [one[key] for one in bins for key in ("promised", "kept")] or [0.01, 1.0]
    line = [min(ends) / 1.5, min(max(ends) * 1.5, 1.0)]
    axes.plot(line, line, color=_GREY, linewidth=1, label="kept as promised")
    axes.plot([one["promised"] for one in bins], [one["kept"] for one in bins], color=_LIST, marker="o", markersize=4)
    axes.set(xscale="log", yscale="log", xlabel="promised (mean score)", ylabel="kept (share that came true)")
    axes.legend(frameon=False, fontsize=8, loc="upper left")


def _ablation(axes: Axes, figures: Figures) -> None:
    changes = {name: one["change"] for name, one in figures["ablation"].items() if one["change"] is not None}
    order = sorted(changes, key=lambda name: changes[name])
    axes.barh(range(len(order)), [100 * changes[name] for name in order], color=_LIST, height=0.6)
    axes.set_yticks(range(len(order)), [name.replace("_", " ") for name in order])
    axes.axvline(0, color="#555555", linewidth=0.8)
    axes.invert_yaxis()
    axes.set(xlabel="change of the list's NDCG@10 without it, %")
