"""``python -m benchmarks.tides``: forecasts of demand that has trends and daily cycles, by how well they foresee it.

A synthetic stream whose true rates are known. Each item has an hour of the day at which it is asked for most, eleven
times as often as half a day later; it comes up within hours or two days of its first appearance, and goes down over
days; some are asked for far more often than others. The counts of an hour are Poisson's.

At the start of every hour each forecast says how that hour's events will be shared out, knowing the events before and
the first of the hour itself. Its figure is the mean logarithmic loss of these events, in nats; what is lost against
the true rates is its regret. Decayed counts are those of the expert `popularity`.
"""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer
from rich.console import Console
from rich.table import Table

from models.base import Events, Expert, Queries
from models.experts.demand import Demand
from models.experts.dynamics import Dynamics
from models.experts.popularity import Popularity
from models.network.counts import ItemTransformer
from stream.windows import UserWindows

HOUR_MS = 3_600_000
START_MS = 1_704_067_200_000  # 2024-01-01T00:00Z
ITEMS = 60
_WARM_UP = 4 * 24  # hours that are not measured
_SWING = 1.2  # of the logarithm of a rate, over the day
_LEAST = 1e-6  # share that is foreseen at least

Doubles = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


def tides(days: int, seed: int) -> tuple[Doubles, Counts]:
    """Rates and counts (hours, ITEMS) of a stream."""
    random = np.random.default_rng(seed)
    hours = np.arange(24 * days)[:, None]
    size = 60 * np.arange(1, ITEMS + 1) ** -0.8  # events an hour at its best
    peak = random.uniform(0, 24, ITEMS)
    age = np.maximum(hours - 24 * random.uniform(-10, 0.9 * days, ITEMS), 0)
    trend = (1 - np.exp(-age / random.uniform(6, 48, ITEMS))) * np.exp(-age / random.uniform(48, 240, ITEMS))
    rates = size * trend * np.exp(_SWING * np.cos(2 * np.pi * (hours - peak) / 24))
    return rates, random.poisson(rates)


def hourly(counts: Counts, seed: int) -> Iterator[Events]:
    """Yield the events of each hour, by one user, in random order and evenly spread."""
    random = np.random.default_rng(seed)
    windows = UserWindows(2, 24 * HOUR_MS)
    for hour, row in enumerate(counts):
        items = random.permutation(np.repeat(np.arange(ITEMS, dtype=np.int32), row))
        times_ms = START_MS + hour * HOUR_MS + np.arange(len(items)) * HOUR_MS // max(len(items), 1)
        users = np.zeros(len(items), np.int32)
        before, _ = windows.extend(users, items, times_ms.astype(np.int64))
        yield Events(before, items, np.ones(len(items), np.float32))


def foreseen(expert: Expert, floor: float, counts: Counts, seed: int) -> Doubles:
    """Shares (hours, ITEMS, columns) that an expert foresees, whose log features are those of a share and a floor."""
    shares = np.zeros((*counts.shape, len(expert.columns)))
    everything = np.arange(ITEMS, dtype=np.int32)[None]
    for hour, events in enumerate(hourly(counts, seed)):
        if len(events):
            expert.learn(_part(events, slice(0, 1)))  # so that it knows that the hour has begun
            now = Queries(events.before.part(0, 1), np.zeros(2, np.int64), np.zeros(0, np.int32))
            shares[hour] = np.expm1(expert.read(now).score(everything)[0]) * floor
            expert.learn(_part(events, slice(1, None)))
    return shares


def loss(shares: Doubles, counts: Counts) -> float:
    """Mean logarithmic loss of the measured events, in nats."""
    shares = np.maximum(shares / np.maximum(shares.sum(axis=1, keepdims=True), _LEAST), _LEAST)
    measured = slice(_WARM_UP, None)
    return float(-(counts * np.log(shares))[measured].sum() / counts[measured].sum())


def _part(events: Events, part: slice) -> Events:
    start, stop, _ = part.indices(len(events))
    return Events(events.before.part(start, stop), events.items[part], events.weights[part])


def losses(days: int, seed: int) -> dict[str, float]:
    """Losses of all forecasts, by name; `rates` is that of the true ones."""
    rates, counts = tides(days, seed)
    found = {"rates": loss(rates, counts)}
    experts: list[tuple[Expert, float]] = [
        (Popularity(), 1e-6), (Dynamics(), 1.0), (Demand(), 1e-4), (ItemTransformer(seed=seed), 1e-4),
    ]  # fmt: skip
    for expert, floor in experts:
        shares = foreseen(expert, floor, counts, seed)
        found |= {column.name: loss(shares[:, :, e], counts) for e, column in enumerate(expert.columns)}
    return found


def main(
    days: Annotated[int, typer.Option(min=6, help="Length of the stream; four days are not measured.")] = 21,
    seeds: Annotated[int, typer.Option(min=1, help="So many streams.")] = 3,
) -> None:
    """Measure forecasts of demand on streams whose rates are known."""
    runs = [losses(days, seed) for seed in range(1, seeds + 1)]
    table = Table("forecast", "loss", "regret", "of each seed")
    means = {name: float(np.mean([run[name] for run in runs])) for name in runs[0]}
    for name in sorted(means, key=means.__getitem__):
        each = "  ".join(f"{run[name]:.3f}" for run in runs)
        table.add_row(name, f"{means[name]:.4f}", f"{means[name] - means['rates']:.4f}", each)
    Console(soft_wrap=True).print(table)


if __name__ == "__main__":
    typer.run(main)
