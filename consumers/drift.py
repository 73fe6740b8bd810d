"""Whether the stream has changed: ADWIN on the hits of the final list and on the loss of what is trained.

ADWIN (Bifet and Gavaldà, 2007; River's) keeps a window of a signal that it widens as long as nothing changes, and cuts
where the older and the newer part differ by more than chance allows. Each cut is a change, and the mean before and
after says whether for the better. In a young stream, quality rises and is cut again and again: that is learning.

This only watches. Nothing that is learned or sent depends on it.
"""

from collections.abc import Iterable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge
from river.drift import ADWIN

DIRECTIONS = ("better", "worse")


class Drift:
    """Watches some signals.

    Parameters
    ----------
    signals
        Their names; True where more of it is better.
    """

    def __init__(self, signals: dict[str, bool], registry: CollectorRegistry) -> None:
        self._detectors: dict[str, Any] = {name: ADWIN() for name in signals}  # type: ignore[no-untyped-call]
        self._more_is_better = signals
        self._changes = Counter(
            "springtide_drift",
            "Changes of a signal that are no chance (ADWIN), by direction. For the worse: look what changed in the "
            "stream or at its senders then.",
            ["signal", "direction"],
            registry=registry,
        )
        self._level = Gauge(
            "springtide_drift_level",
            "Mean of the signal since its last change. Compare with the value before a change to see how large it was.",
            ["signal"],
            registry=registry,
        )
        self._width = Gauge(
            "springtide_drift_window",
            "Values of the signal since its last change. Small means: it has changed lately.",
            ["signal"],
            registry=registry,
        )
        for name in signals:
            for direction in DIRECTIONS:  # so that the first change is an increase
                self._changes.labels(name, direction)

    def observe(self, signal: str, values: Iterable[float]) -> None:
        """Take in values of a signal, in their order."""
        detector = self._detectors[signal]
        for value in values:
            before = detector.estimation
            detector.update(value)
            if detector.drift_detected:
                better = (detector.estimation > before) == self._more_is_better[signal]
                self._changes.labels(signal, DIRECTIONS[not better]).inc()
        self._level.labels(signal).set(detector.estimation)
        self._width.labels(signal).set(detector.width)
