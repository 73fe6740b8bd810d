"""What prometheus-client lacks: a histogram of many values at once, counters and gauges that are told their values.

A batch has hundreds of values for one histogram. Counted one by one they would cost as much as decoding the records;
NumPy counts them together.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry

_PREFIX = "springtide_"


class ManyHistogram(Collector):
    """A histogram without labels.

    Parameters
    ----------
    name, text
        Its name without the prefix, and its help.
    bounds
        Upper bounds of the buckets, in order; one without a bound is added.
    """

    def __init__(self, name: str, text: str, bounds: Sequence[float], registry: CollectorRegistry) -> None:
        self._name, self._text = _PREFIX + name, text
        self._bounds = np.array(bounds)
        self._labels = [*map(str, map(float, bounds)), "+Inf"]
        self._counts = np.zeros(len(bounds) + 1, np.int64)
        self._sum = 0.0
        self._lock = threading.Lock()
        registry.register(self)

    def observe(self, values: npt.NDArray[np.float64]) -> None:
        """Count `values` (n,)."""
        if not len(values):
            return
        counts = np.bincount(np.searchsorted(self._bounds, values), minlength=len(self._counts))
        with self._lock:
            self._counts += counts
            self._sum += float(values.sum())

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """Give what Prometheus reads."""
        with self._lock:
            upto, total = np.cumsum(self._counts).tolist(), self._sum
        family = HistogramMetricFamily(self._name, self._text)
        family.add_metric([], list(zip(self._labels, upto, strict=True)), total)
        yield family


class ToldGauges(Collector):
    """Several gauges that change together, so that nobody ever sees one from before and one from after.

    Parameters
    ----------
    texts
        The help of each, by its name without the prefix.
    label, value
        A label that all have.
    """

    def __init__(self, texts: Mapping[str, str], label: str, value: str, registry: CollectorRegistry) -> None:
        self._texts = texts
        self._label, self._value = label, value
        self._told: tuple[float, ...] = ()
        registry.register(self)

    def set(self, *values: float) -> None:
        """Take down all values, in the order of the names."""
        self._told = values

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Give what Prometheus reads; no value before there are any."""
        told = self._told or (None,) * len(self._texts)
        for (name, text), value in zip(self._texts.items(), told, strict=True):
            family = GaugeMetricFamily(_PREFIX + name, text, labels=[self._label])
            if value is not None:
                family.add_metric([self._value], value)
            yield family


class ToldCounter(Collector):
    """A counter that somebody else counts, by one label.

    Parameters
    ----------
    name, text, label
        Its name without the prefix, its help and its label.
    """

    def __init__(self, name: str, text: str, label: str, registry: CollectorRegistry) -> None:
        self._name, self._text, self._label = _PREFIX + name, text, label
        self._values: dict[str, int] = {}
        registry.register(self)

    def set(self, value: str, count: int) -> None:
        """Take down how far the count of one label value has come."""
        self._values[value] = count

    def collect(self) -> Iterable[CounterMetricFamily]:
        """Give what Prometheus reads."""
        family = CounterMetricFamily(self._name, self._text, labels=[self._label])
        for value, count in list(self._values.items()):
            family.add_metric([value], count)
        yield family
