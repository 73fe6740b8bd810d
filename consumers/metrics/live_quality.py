"""How good the lists are while they go out: sums for any stretch of time, and the last events with an interval.

*Sums* are counters. They add up over processes and restarts, and a quotient of two increases is the mean over any
stretch of time::

    sum by (scorer) (increase(springtide_prequential_hits_total{user="known"}[1h]))
      / scalar(sum(increase(springtide_prequential_events_total{user="known"}[1h])))

*Windows* are gauges: means over the last `WINDOW` events of this process, by slice, with the number of events behind
each and the bounds within which the true value lies 19 times out of 20. Those are Wilson's, which are meant for hits
and misses; a figure between 0 and 1 never varies more than hits and misses of the same mean, so for NDCG and MRR they
are wider than need be. They take events as independent, so where a few users send most of them they are too narrow.

A slice is told by what was known just before the event: users met before or not; items `cold` with fewer events than
`models.measuring.slices.FEW` and `warm` with more. The first event of an item is a miss for everybody; it is in the
slice ``all`` only.

There is one relevant item an event, so at cut-off k the recall is the hit ratio, the precision is the hit ratio / k,
and F1 is 2 hit ratio / (k + 1).
"""

import threading
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry

from models.base import Mask, Rows
from models.measuring.slices import FEW
from models.metrics import MISS, hit, ndcg, reciprocal
from models.ranking.candidates import MOST
from stream.windows import Times

WINDOW = 10_000
K = 10

_USERS = ("new", "known")
_ITEMS = ("new", "cold", "warm")
_Z = 1.959964  # 95 %
_FIGURES = ("hit_ratio", "ndcg", "mrr")
_KINDS = [(user, item) for user in _USERS for item in _ITEMS]
_SLICES = {
    "all": range(len(_KINDS)),
    "known_users": [kind for kind, (user, _) in enumerate(_KINDS) if user == "known"],
    "new_users": [kind for kind, (user, _) in enumerate(_KINDS) if user == "new"],
    "warm_items": [kind for kind, (_, item) in enumerate(_KINDS) if item == "warm"],
    "cold_items": [kind for kind, (_, item) in enumerate(_KINDS) if item == "cold"],
}
_BOUNDED = ("list", "")  # in every slice; the others in all together, or there would be twice as many series

_MISSED = MOST  # an item is ranked among so many candidates at the most
_RANKS = np.append(np.arange(_MISSED, dtype=np.int32), MISS)
_VALUES = np.stack([hit(_RANKS, K), ndcg(_RANKS, K), reciprocal(_RANKS)], axis=1)  # (ranks, 3)

Values = npt.NDArray[np.float64]


class LiveQuality(Collector):
    """Quality of S scorers by the ranks that they gave to what came.

    Parameters
    ----------
    kind
        ``prequential`` or ``published``: begins the names of the metrics, and says in their help what was ranked.
    scorers
        Names of the columns; empty where there is only one, without a name.
    tested
        What each event went through, for the help.
    """

    def __init__(self, kind: str, scorers: Sequence[str], tested: str, registry: CollectorRegistry) -> None:
        self._name = f"springtide_{kind}"
        self._tested = tested
        self._scorers = tuple(scorers)
        self._columns = np.arange(max(len(scorers), 1))
        self._lock = threading.Lock()
        # How often each rank was given, by user and item, scorer and rank; the last rank is a miss.
        shape = (len(_USERS) * len(_ITEMS), len(self._columns), _MISSED + 1)
        self._ever = np.zeros(shape, np.int64)
        self._lately = np.zeros(shape, np.int64)
        self._newest = np.zeros((WINDOW, len(self._columns)), np.int32)  # a ring of flat places in these
        self._seen = 0
        registry.register(self)

    def observe(self, ranks: Rows, users_known: Mask, items_met: Times) -> None:
        """Take in n events: ranks (n, S), whether their users were met before, and how often their items were."""
        kinds = users_known * len(_ITEMS) + (items_met > 0) + (items_met >= FEW)
        rows = kinds[:, None] * len(self._columns) + self._columns  # (n, S)
        flat = (rows * (_MISSED + 1) + np.minimum(ranks, _MISSED)).astype(np.int32)
        for start in range(0, len(flat), WINDOW):
            self._take(flat[start : start + WINDOW])

    def _take(self, flat: Rows) -> None:
        """Count at most `WINDOW` events, and let as many of the oldest leave the window."""
        places = np.arange(self._seen, self._seen + len(flat)) % WINDOW
        with self._lock:
            gone = self._newest[places[max(WINDOW - self._seen, 0) :]]
            np.subtract.at(self._lately.reshape(-1), gone.reshape(-1), 1)
            np.add.at(self._lately.reshape(-1), flat.reshape(-1), 1)
            np.add.at(self._ever.reshape(-1), flat.reshape(-1), 1)
            self._newest[places] = flat
            self._seen += len(flat)

    def collect(self) -> Iterable[CounterMetricFamily | GaugeMetricFamily]:
        """Give what Prometheus reads."""
        with self._lock:
            ever, lately = self._ever.copy(), self._lately.copy()
        yield from self._totals(ever)
        yield from self._windows(lately)

    def _totals(self, counts: Times) -> Iterator[CounterMetricFamily]:
        events, sums = counts[:, 0].sum(axis=-1), counts @ _VALUES
        count = CounterMetricFamily(
            f"{self._name}_events",
            f"{self._tested}, by whether user and item were met before. The number behind every mean: "
            "distrust one over fewer than a thousand.",
            labels=["user", "item"],
        )
        for kind, values in enumerate(_KINDS):
            count.add_metric(values, events[kind])
        yield count
        named = ["scorer", "user", "item"] if self._scorers else ["user", "item"]
        for place, (name, text) in enumerate(
            (
                (
                    "hits",
                    f"Of these events, those whose item was in the first {K}. Divide by the events: the hit ratio.",
                ),
                ("ndcg", f"Sum of NDCG at {K} over these events. Divide by the events; compare scorers by it."),
                ("reciprocal_ranks", "Sum of 1 / rank over these events. Divide by the events: the MRR."),
            )
        ):
            family = CounterMetricFamily(f"{self._name}_{name}", text, labels=named)
            for kind, values in enumerate(_KINDS):
                for column, scorer in enumerate(self._scorers or ("",)):
                    family.add_metric([*([scorer] if scorer else []), *values], sums[kind, column, place])
            yield family

    def _windows(self, counts: Times) -> Iterator[GaugeMetricFamily]:
        """Means over each slice that has any events, with bounds."""
        within = f"over the last {WINDOW} events of this process"
        named = ["scorer"] if self._scorers else []
        number = GaugeMetricFamily(
            f"{self._name}_window_events",
            f"{self._tested}: how many the window means are over, by slice. Wait for a thousand before you act on one.",
            labels=["slice"],
        )
        texts = ("hit ratio", "NDCG", "MRR, over the whole ranking,")
        means = [
            GaugeMetricFamily(
                f"{self._name}_window_{name}",
                f"The {text} {'' if name == 'mrr' else f'at {K} '}{within}, by slice. "
                "Where it falls, see which scorers and slices fell with it.",
                labels=[*named, "slice"],
            )
            for name, text in zip(_FIGURES, texts, strict=True)
        ]
        bounds = GaugeMetricFamily(
            f"{self._name}_window_bound",
            f"Bounds of a figure {within}: it is between low and high 19 times out of 20; by slice for the list only. "
            "Two figures differ for sure where their bounds do not overlap.",
            labels=[*named, "slice", "figure", "bound"],
        )
        for name, kinds in _SLICES.items():
            of_slice = counts[list(kinds)].sum(axis=0)  # (S, ranks)
            n = int(of_slice[0].sum())
            number.add_metric([name], n)
            if not n:
                continue
            mean = of_slice @ _VALUES / n
            low, high = wilson(mean, n)
            for column, scorer in enumerate(self._scorers or ("",)):
                said = [scorer] if scorer else []
                for place, figure in enumerate(_FIGURES):
                    means[place].add_metric([*said, name], mean[column, place])
                    if name == "all" or scorer in _BOUNDED:
                        bounds.add_metric([*said, name, figure, "low"], low[column, place])
                        bounds.add_metric([*said, name, figure, "high"], high[column, place])
        yield number
        yield from means
        yield bounds
        everything = counts.sum(axis=0)
        events = everything[0].sum()
        yield from self._of_one_item((everything @ _VALUES)[:, 0] / events if events else None, within)

    def _of_one_item(self, ratios: Values | None, within: str) -> Iterator[GaugeMetricFamily]:
        """Give what follows from hit ratios (S,) alone, where there is one relevant item an event."""
        for name, text, factor in (
            ("precision", f"hit ratio / {K}", 1 / K),
            ("recall", "hit ratio", 1.0),
            ("f1", f"2 hit ratio / {K + 1}", 2 / (K + 1)),
        ):
            family = GaugeMetricFamily(
                f"{self._name}_window_{name}",
                f"{name.capitalize()} at {K} {within}. With one relevant item an event it is {text}: watch that one.",
                labels=["scorer"] if self._scorers else [],
            )
            for column, scorer in enumerate((self._scorers or ("",)) if ratios is not None else ()):
                assert ratios is not None
                family.add_metric([scorer] if scorer else [], factor * ratios[column])
            yield family


def wilson(means: Values, n: int) -> tuple[Values, Values]:
    """Bounds of means (any shape) of `n` values in [0, 1] each, at 95 %; E. B. Wilson, 1927."""
    shrunk = n + _Z**2
    middle = (means * n + _Z**2 / 2) / shrunk
    half = _Z / shrunk * np.sqrt(means * (1 - means) * n + _Z**2 / 4)
    return np.maximum(middle - half, 0), np.minimum(middle + half, 1)
