"""Bounded memories of a run without end: its whole curve, its newest stretch, its latencies.

All three keep sums, so that means and quantiles are of events and not of means.
"""

from collections import deque
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Sums = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

_FASTEST_S = 1e-3
_STEP = np.log(1.1)  # a quantile is right to a tenth
_BUCKETS = 190  # from a millisecond to eighteen hours


class Part(NamedTuple):
    """Some events, and sums over them."""

    events: int
    sums: Sums


class Curve:
    """Sums over a whole run in at most `points` stretches: when there are more, each two neighbours become one.

    Parameters
    ----------
    points
        An even number.
    events
        How many make a stretch in the beginning.
    """

    def __init__(self, points: int, events: int) -> None:
        self._points = points
        self._events = events
        self._stretches: list[Part] = []

    def add(self, events: int, sums: Sums) -> None:
        """Add sums over `events` more events; always of one shape."""
        if self._stretches and self._stretches[-1][0] < self._events:
            before, so_far = self._stretches.pop()
            events, sums = before + events, so_far + sums
        self._stretches.append(Part(events, sums))
        if len(self._stretches) > self._points:
            last = self._stretches.pop()
            pairs = zip(self._stretches[::2], self._stretches[1::2], strict=True)
            self._stretches = [Part(one + other, a + b) for (one, a), (other, b) in pairs]
            made = sum(part.events for part in self._stretches) // len(self._stretches)
            self._events = max(2 * self._events, made)  # or those to come would be rougher than those that are there
            self._stretches.append(last)

    def stretches(self) -> list[Part]:
        """Return the stretches, oldest first."""
        return list(self._stretches)


class Recent:
    """Sums over the newest events, `events` of them or a few more.

    Parameters
    ----------
    events
        How many, once there are so many.
    nothing
        Sums over no events.
    """

    def __init__(self, events: int, nothing: Sums) -> None:
        self._least = events
        self._parts: deque[Part] = deque()
        self.total = Part(0, nothing)

    def add(self, events: int, sums: Sums) -> None:
        """Add sums over `events` more events; always of one shape."""
        self._parts.append(Part(events, sums))
        self.total = Part(self.total.events + events, self.total.sums + sums)
        while self.total.events - self._parts[0].events >= self._least:
            old = self._parts.popleft()
            self.total = Part(self.total.events - old.events, self.total.sums - old.sums)


def latencies(seconds: npt.NDArray[np.float64]) -> Counts:
    """Count durations (n,) by size; such counts can be added."""
    steps = np.log(np.maximum(seconds, _FASTEST_S) / _FASTEST_S) / _STEP
    return np.bincount(np.minimum(steps.astype(np.int64), _BUCKETS - 1), minlength=_BUCKETS)


def quantile(counts: Counts, q: float) -> float | None:
    """Return a quantile of durations that were counted by `latencies`, in seconds; None without any."""
    upto = counts.cumsum()
    if not upto[-1]:
        return None
    bucket = int(np.searchsorted(upto, q * upto[-1]))
    return float(_FASTEST_S * np.exp(_STEP * (bucket + 0.5)))
