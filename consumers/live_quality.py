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
`models.slices.FEW` and `warm` with more. The first event of an item is a miss for everybody; it is in the slice ``all``
only.

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
from models.metrics import hit, ndcg, reciprocal
from models.slices import FEW
from stream.windows import Times

WINDOW = 10_000
K = 10

_USERS = ("new", "known")
_ITEMS = ("new", "cold", "warm")
_Z = 1.959964  # 95 %
_FIGURES = ("hit_ratio", "ndcg", "mrr")
_SLICES = ("all", "known_users", "new_users", "warm_items", "cold_items")

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
        columns = max(len(scorers), 1)
        self._lock = threading.Lock()
        self._events = np.zeros(len(_USERS) * len(_ITEMS), np.int64)
        self._sums = np.zeros((len(_FIGURES), len(self._events), columns))
        self._ranks = np.zeros((WINDOW, columns), np.int32)
        self._kinds = np.zeros(WINDOW, np.int8)  # of user and item, as in the sums
        self._seen = 0
        registry.register(self)

    def observe(self, ranks: Rows, users_known: Mask, items_met: Times) -> None:
        """Take in n events: ranks (n, S), whether their users were met before, and how often their items were."""
        if not len(ranks):
            return
        items = np.where(items_met == 0, 0, np.where(items_met < FEW, 1, 2))
        kinds = users_known * len(_ITEMS) + items
        values = _values(ranks)
        newest = slice(max(len(ranks) - WINDOW, 0), None)
        with self._lock:
            self._events += np.bincount(kinds, minlength=len(self._events))
            for kind in np.unique(kinds):
                self._sums[:, kind] += values[:, kinds == kind].sum(axis=1)
            places = np.arange(self._seen, self._seen + len(ranks))[newest] % WINDOW
            self._ranks[places], self._kinds[places] = ranks[newest], kinds[newest]
            self._seen += len(ranks)

    def collect(self) -> Iterable[CounterMetricFamily | GaugeMetricFamily]:
        """Give what Prometheus reads."""
        with self._lock:
            events, sums, filled = self._events.copy(), self._sums.copy(), min(self._seen, WINDOW)
            ranks, kinds = self._ranks[:filled].copy(), self._kinds[:filled].copy()
        yield from self._totals(events, sums)
        yield from self._windows(_values(ranks), kinds)

    def _totals(self, events: npt.NDArray[np.int64], sums: Values) -> Iterator[CounterMetricFamily]:
        labels = [(user, item) for user in _USERS for item in _ITEMS]
        count = CounterMetricFamily(
            f"{self._name}_events",
            f"{self._tested}, by whether user and item were met before. The number behind every mean: "
            "distrust one over fewer than a thousand.",
            labels=["user", "item"],
        )
        for kind, values in enumerate(labels):
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
            for kind, values in enumerate(labels):
                for column, scorer in enumerate(self._scorers or ("",)):
                    family.add_metric([*([scorer] if scorer else []), *values], sums[place, kind, column])
            yield family

    def _windows(self, values: Values, kinds: npt.NDArray[np.int8]) -> Iterator[GaugeMetricFamily]:
        """Means of `values` (3, n, S) over each slice that has any, with bounds."""
        within = f"over the last {WINDOW} events of this process"
        named = ["scorer"] if self._scorers else []
        counts = GaugeMetricFamily(
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
            f"Bounds of a figure {within}: it lies between low and high 19 times out of 20. "
            "Two figures differ for sure only where their bounds do not overlap.",
            labels=[*named, "slice", "figure", "bound"],
        )
        for name, mask in _masks(kinds).items():
            n = int(mask.sum())
            counts.add_metric([name], n)
            if not n:
                continue
            mean = values[:, mask].mean(axis=1)
            low, high = wilson(mean, n)
            for column, scorer in enumerate(self._scorers or ("",)):
                said = [scorer] if scorer else []
                for place, figure in enumerate(_FIGURES):
                    means[place].add_metric([*said, name], mean[place, column])
                    bounds.add_metric([*said, name, figure, "low"], low[place, column])
                    bounds.add_metric([*said, name, figure, "high"], high[place, column])
        yield counts
        yield from means
        yield bounds
        yield from self._of_one_item(values[0].mean(axis=0) if len(kinds) else None, within)

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


def _values(ranks: Rows) -> Values:
    """Hit, NDCG and reciprocal rank (3, n, S) of ranks (n, S)."""
    return np.stack([hit(ranks, K), ndcg(ranks, K), reciprocal(ranks)])


def _masks(kinds: npt.NDArray[np.int8]) -> dict[str, Mask]:
    known, item = kinds >= len(_ITEMS), kinds % len(_ITEMS)
    several = (np.ones(len(kinds), np.bool_), known, ~known, item == 2, item == 1)
    return dict(zip(_SLICES, several, strict=True))
