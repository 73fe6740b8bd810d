"""What will be asked for: online ARIMA over each active item's counts, by River, as popularity that looks ahead.

Popularity is what was asked for lately, and lags behind what rises, falls or has its hour. `river.time_series.SNARIMAX`
learns how a period's count follows from those before it: from the last twelve (autoregression), the one a day before
(season) and the last error of its own forecast (moving average). The series it sees is how far the logarithm of one
plus the count is from that of the item's level, the mean of the counts before, fading with a half-life of twelve
periods. So one that has learned nothing yet forecasts the level. The forecast for the period that has begun is the
item's score.

Every item followed has a SNARIMAX of its own, with its own past. The regression inside is the same for all of them:
a period of the stream then teaches it as many times as there are items, and an item that is new to the 200 is
forecast by what was learned from the others.

River keeps all this in deques and dictionaries, which go to arrays and back; the order of a dictionary counts, because
it is the order in which a sum is taken.

Bytes: 208 for each item followed, beside what `forecasts` says. Time: 0.1 ms an item when a period ends.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from river import linear_model, optim, time_series
from river.utils import VectorDict

from models.base import Column, Floats, Mask, Rows
from models.experts.forecasts import Forecaster
from models.series import LENGTH, Counts
from stream.snapshots import State

Doubles = npt.NDArray[np.float64]

_FOLLOWED = 200
_LAGS, _ERRORS = 12, 1
_RATE = 0.003
_FADING = np.exp2(-np.arange(LENGTH - 1) / 12.0)
_LARGEST = 12.0  # log count that is forecast at most


class Demand(Forecaster):
    """One column over SNARIMAX forecasts.

    Parameters
    ----------
    followed
        How many items are followed at most.
    """

    def __init__(self, followed: int = _FOLLOWED) -> None:
        super().__init__(Column("demand", 20), followed)
        self._season = 1
        self._begin()

    def _begin(self) -> None:
        self._regression = linear_model.LinearRegression(optimizer=optim.SGD(_RATE), intercept_lr=_RATE)
        self._models: dict[int, time_series.SNARIMAX] = {}

    def _restart(self) -> None:
        self._begin()

    def _learn(self, items: Rows, history: Counts, ended: int, season: int) -> None:
        self._season = season
        _, moves = _levels(history)
        for item, own in zip(items.tolist(), moves[:, :ended].tolist(), strict=True):
            _teach(self._models[item], reversed(own))

    def _forecast(self, items: Rows, history: Counts, season: int) -> Floats:
        self._season = season
        self._models = {item: self._models[item] for item in items.tolist() if item in self._models}
        expected = np.zeros(len(items), np.float32)
        levels, moves = _levels(history)
        for n, item in enumerate(items.tolist()):
            if item not in self._models:
                self._models[item] = self._model()
                born = int(np.flatnonzero(history[n])[-1])
                _teach(self._models[item], reversed(moves[n, :born].tolist()))
            forecast = self._models[item].forecast(horizon=1)[0]  # type: ignore[no-untyped-call]  # River leaves it so
            expected[n] = np.expm1(min(max(levels[n] + forecast, 0.0), _LARGEST))
        return expected

    def forget_items(self, dead: Mask) -> None:
        """See Expert."""
        super().forget_items(dead)
        self._models = {item: self._models[item] for item in self._items.tolist()}

    def state(self) -> State:
        """See Expert."""
        names, width = self._names(), self._width()
        pasts = np.full((len(self._items), width + _ERRORS), np.nan)
        for n, item in enumerate(self._items.tolist()):
            model = self._models[item]
            pasts[n, : len(model.y_diff)] = model.y_diff
            pasts[n, width : width + len(model.errors)] = model.errors
        weights = self._regression.weights
        missing = [-1] * (len(names) - len(weights))  # of what has not been seen yet
        return super().state() | {
            "pasts": pasts,  # newest first; not a number where there is nothing yet
            "season": np.array([self._season], np.int64),
            "intercept": np.array([self._regression.intercept]),
            "steps": np.array([self._regression.optimizer.n_iterations], np.int64),
            "weights.names": np.array([*map(names.index, weights), *missing], np.int64),  # in its own order
            "weights.values": np.array([*weights.values(), *missing], np.float64),
        }

    def restore(self, state: State) -> None:
        """See Expert."""
        super().restore(state)
        self._begin()
        self._season = int(state["season"][0])
        names, width = self._names(), self._width()
        for item, past in zip(self._items.tolist(), state["pasts"], strict=True):
            model = self._models[item] = self._model()
            model.y_diff.extend(past[:width][~np.isnan(past[:width])].tolist())
            model.errors.extend(past[width:][~np.isnan(past[width:])].tolist())
        self._regression.intercept = float(state["intercept"][0])
        self._regression.optimizer.n_iterations = int(state["steps"][0])
        # River has no public way to set weights.
        places, values = state["weights.names"].tolist(), state["weights.values"].tolist()
        entries = zip(places, values, strict=True)
        self._regression._weights = VectorDict({names[place]: value for place, value in entries if place >= 0})

    def _model(self) -> time_series.SNARIMAX:
        return time_series.SNARIMAX(
            p=_LAGS,
            d=0,
            q=_ERRORS,
            m=self._season,
            sp=int(self._season > 1),
            regressor=self._regression,
        )

    def _names(self) -> list[str]:
        """Name what the regression sees, as River does."""
        lags = [f"y-{lag}" for lag in range(1, _LAGS + 1)]
        return [*lags, f"sy-{self._season}", *(f"e-{lag}" for lag in range(1, _ERRORS + 1))]

    def _width(self) -> int:
        return max(_LAGS, self._season)


def _levels(history: Counts) -> tuple[Doubles, Doubles]:
    """Logarithms of each item's level now (n,), and how far its counts' were from those before (n, LENGTH - 1)."""
    counts = history.astype(np.float64)
    before = np.zeros((len(counts), counts.shape[1] + 1))  # column c: without the c newest
    for newest in range(counts.shape[1]):
        left = counts.shape[1] - newest
        before[:, newest] = counts[:, newest:] @ _FADING[:left] / _FADING[:left].sum()
    logs = np.log1p(before)
    return logs[:, 0], np.log1p(counts) - logs[:, 1:]


def _teach(model: time_series.SNARIMAX, moves: Iterable[float]) -> None:
    for move in moves:
        model.learn_one(move)  # type: ignore[no-untyped-call]
