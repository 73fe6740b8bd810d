"""What will be asked for: online ARIMA over each active item's counts, by River, as popularity that looks ahead.

Popularity is what was asked for lately, and lags behind what rises, falls or has its hour. `river.time_series.SNARIMAX`
learns how a period's count follows from those before it: from the last three (autoregression), the one a day before
(season) and the last error of its own forecast (moving average). Counts enter as logarithms of one plus the count, and
the forecast for the period that has begun is the item's score.

Every item followed has a SNARIMAX of its own, with its own past. The regression inside is the same for all of them:
a period of the stream then teaches it as many times as there are items, and an item that is new to the 200 is
forecast by what was learned from the others.

River keeps all this in deques and dictionaries, which go to arrays and back; the order of a dictionary counts, because
it is the order in which a sum is taken.

Bytes: 216 for each item followed, beside what `forecasts` says. Time: 0.1 ms an item when a period ends.
"""

from collections.abc import Iterable, Mapping

import numpy as np
from river import linear_model, optim, preprocessing, time_series
from river.utils import VectorDict

from models.base import Column, Floats, Mask, Rows
from models.experts.forecasts import Forecaster
from models.series import Counts
from stream.snapshots import State

_FOLLOWED = 200
_LAGS, _ERRORS = 3, 1
_RATE = 0.003
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
        self._scaler = preprocessing.StandardScaler()
        self._models: dict[int, time_series.SNARIMAX] = {}

    def _restart(self) -> None:
        self._begin()

    def _learn(self, items: Rows, history: Counts, ended: int, season: int) -> None:
        self._season = season
        for item, logs in zip(items.tolist(), np.log1p(history[:, :ended].astype(np.float64)).tolist(), strict=True):
            _teach(self._models[item], reversed(logs))

    def _forecast(self, items: Rows, history: Counts, season: int) -> Floats:
        self._season = season
        self._models = {item: self._models[item] for item in items.tolist() if item in self._models}
        expected = np.zeros(len(items), np.float32)
        for n, (item, logs) in enumerate(
            zip(items.tolist(), np.log1p(history.astype(np.float64)).tolist(), strict=True)
        ):
            if item not in self._models:
                self._models[item] = self._model()
                born = max(place for place, log in enumerate(logs) if log > 0)
                _teach(self._models[item], reversed(logs[: born + 1]))
            forecast = self._models[item].forecast(horizon=1)[0]  # type: ignore[no-untyped-call]  # River leaves it so
            expected[n] = np.expm1(min(max(forecast, 0.0), _LARGEST))
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
        scaler = self._scaler
        return super().state() | {
            "pasts": pasts,  # newest first; not a number where there is nothing yet
            "season": np.array([self._season], np.int64),
            "intercept": np.array([self._regression.intercept]),
            "steps": np.array([self._regression.optimizer.n_iterations], np.int64),
            **_entries("weights", self._regression.weights, names),
            **_entries("counts", scaler.counts, names),
            **_entries("means", scaler.means, names),
            **_entries("variances", scaler.vars, names),
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
        self._regression._weights = VectorDict(_dictionary("weights", state, names))
        self._scaler.counts.update({name: int(count) for name, count in _dictionary("counts", state, names).items()})
        self._scaler.means.update(_dictionary("means", state, names))
        self._scaler.vars.update(_dictionary("variances", state, names))

    def _model(self) -> time_series.SNARIMAX:
        return time_series.SNARIMAX(
            p=_LAGS,
            d=0,
            q=_ERRORS,
            m=self._season,
            sp=int(self._season > 1),
            regressor=self._scaler | self._regression,
        )

    def _names(self) -> list[str]:
        """Name what the regression sees, as River does."""
        lags = [f"y-{lag}" for lag in range(1, _LAGS + 1)]
        return [*lags, f"sy-{self._season}", *(f"e-{lag}" for lag in range(1, _ERRORS + 1))]

    def _width(self) -> int:
        return max(_LAGS, self._season)


def _teach(model: time_series.SNARIMAX, logs: Iterable[float]) -> None:
    for log in logs:
        model.learn_one(log)  # type: ignore[no-untyped-call]


def _entries(table: str, values: Mapping[str, float], names: list[str]) -> State:
    """Turn a dictionary into two arrays: which of the names it has, in its order, and their values."""
    return {
        f"{table}.names": np.array([names.index(name) for name in values], np.int64),
        f"{table}.values": np.array([*values.values()], np.float64),
    }


def _dictionary(table: str, state: State, names: list[str]) -> dict[str, float]:
    places, values = state[f"{table}.names"].tolist(), state[f"{table}.values"].tolist()
    return {names[place]: value for place, value in zip(places, values, strict=True)}
