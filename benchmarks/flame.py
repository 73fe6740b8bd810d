"""Where the time of an event goes, as a picture: sampled stacks of a running service, drawn from the loop outwards.

``python -m benchmarks.flame STACKS PICTURE`` reads the folded stacks that a sampling profiler writes, such as ``py-spy
record --format raw --pid PID --output STACKS``. A stack counts from the first function of `_ROOTS` in it: the loop's
stages and the commit, which runs in a thread of its own. What libraries do is theirs as a whole.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, NamedTuple

import matplotlib as mpl
import typer
from matplotlib.figure import Figure

_ROOTS = {"Intake.next_batch", "Pipeline.recommend", "Pipeline.learn", "Service._commit"}
_OWN = ("consumers/", "models/", "stream/")
_DEEPEST = 6
_NARROWEST = 0.004
_COLOURS = {"consumers": "#7fb8a0", "models": "#8fb4d9", "stream": "#e0b27a"}
_LIBRARY = "#cccccc"


class Frame(NamedTuple):
    """One function, and whose it is: one of our packages or a library."""

    name: str
    owner: str


class Box(NamedTuple):
    """One place of the picture: a share of all samples, at a depth from 0."""

    frame: Frame
    depth: int
    start: float
    share: float


def stacks(lines: Iterable[str]) -> Counter[tuple[Frame, ...]]:
    """Count samples by stack, each from its root on, at most `_DEEPEST` frames; those without a root are left out."""
    found: Counter[tuple[Frame, ...]] = Counter()
    for line in lines:
        text, _, count = line.rstrip().rpartition(" ")
        frames = [_frame(part) for part in text.split(";")]
        starts = [place for place, frame in enumerate(frames) if frame.name in _ROOTS]
        if not starts:
            continue
        kept = list[Frame]()
        for frame in frames[starts[0] :]:
            if not kept or frame != kept[-1]:
                kept.append(frame)
            if frame.owner not in _COLOURS or len(kept) == _DEEPEST:
                break
        found[tuple(kept)] += int(count)
    return found


def boxes(counted: Counter[tuple[Frame, ...]]) -> list[Box]:
    """Lay out the stacks side by side, those with the same beginning together, the largest first."""
    total = counted.total()
    found = list[Box]()

    def lay(prefix: tuple[Frame, ...], start: float) -> None:
        sizes: Counter[Frame] = Counter()
        for stack, count in counted.items():
            if len(stack) > len(prefix) and stack[: len(prefix)] == prefix:
                sizes[stack[len(prefix)]] += count
        for frame, count in sizes.most_common():
            found.append(Box(frame, len(prefix), start, count / total))
            lay((*prefix, frame), start)
            start += count / total

    lay((), 0.0)
    return found


def _frame(text: str) -> Frame:
    name, _, place = text.partition(" (")
    package = place.partition("/")[0]
    return Frame(name, package) if place.startswith(_OWN) else Frame(package.removesuffix(")"), "library")


def main(
    source: Annotated[Path, typer.Argument(metavar="STACKS", help="Folded stacks.")],
    picture: Annotated[Path, typer.Argument(help="Where the picture goes.")],
) -> None:
    """Draw sampled stacks."""
    with source.open(encoding="utf-8") as lines:
        laid = boxes(stacks(lines))
    with mpl.rc_context({"font.size": 7, "svg.hashsalt": "springtide", "svg.fonttype": "none"}):
        figure = Figure(figsize=(12, 3.6), layout="constrained")
        axes = figure.subplots()
        for box in laid:
            if box.share < _NARROWEST:
                continue
            colour = _COLOURS.get(box.frame.owner, _LIBRARY)
            axes.barh(box.depth, box.share, 0.95, box.start, color=colour, edgecolor="white", linewidth=0.5)
            room = int(box.share * 230)
            if room >= 4:
                label = f"{box.frame.name.rpartition('.')[2] if room < len(box.frame.name) else box.frame.name}"
                axes.text(box.start + box.share / 2, box.depth, label[:room], ha="center", va="center", clip_on=True)
        axes.set(xlim=(0, 1), xlabel="share of the samples", yticks=[])
        axes.spines[["top", "right", "left"]].set_visible(False)
        figure.savefig(picture, metadata={"Date": None} if picture.suffix == ".svg" else None)


if __name__ == "__main__":
    typer.run(main)
