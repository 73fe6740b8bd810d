"""Whether the stream has changed: ADWIN on the hits of the final list and on the loss of what is trained.

ADWIN (Bifet and Gavaldà, 2007; River's) keeps a window of a signal that it widens as long as nothing changes, and cuts
where the older and the newer part differ by more than chance allows. Each cut is a change, and the mean before and
after says whether for the better. In a young stream, quality rises and is cut again and again: that is learning.

ADWIN is told the means of short runs of values: that is as good for changes that matter, and many times as cheap.

This only watches. Nothing that is learned or sent depends on it.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge
from river.drift import ADWIN

DIRECTIONS = ("better", "worse")

_LOOK_EVERY = 32  # values: River's own default


class Signal(NamedTuple):
    """What is watched: whether more of it is better, and how many values make a run."""

    more_is_better: bool
    run: int = 1


class Drift:
    """Watches some signals, by their names."""

    def __init__(self, signals: dict[str, Signal], registry: CollectorRegistry) -> None:
        self._detectors: dict[str, Any] = {
            name: ADWIN(clock=max(_LOOK_EVERY // signal.run, 1))  # type: ignore[no-untyped-call]
            for name, signal in signals.items()
        }
        self._signals = signals
        self._begun: dict[str, list[float]] = {name: [] for name in signals}  # runs
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

    def observe(self, signal: str, values: Sequence[float]) -> None:
        """Take in values of a signal, in their order."""
        more_is_better, run = self._signals[signal]
        detector = self._detectors[signal]
        waiting = [*self._begun[signal], *values]
        whole = len(waiting) // run * run
        for start in range(0, whole, run):
            before = detector.estimation
            detector.update(sum(waiting[start : start + run]) / run)
            if detector.drift_detected:
                better = (detector.estimation > before) == more_is_better
                self._changes.labels(signal, DIRECTIONS[not better]).inc()
        self._begun[signal] = waiting[whole:]
        self._level.labels(signal).set(detector.estimation)
        self._width.labels(signal).set(detector.width * run)
