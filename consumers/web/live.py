"""What the live page shows: an observer that remembers a little of what it was told, in bounded memory.

It is told after the commit and does next to nothing then: it keeps the bytes that went out as they are. What the page
wants is made of them when it asks, in the server's threads.

Lists are shown by the leader alone. Whoever leads no more forgets them, because it would not hear of an erasure.
"""

import threading
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from typing import Any, NamedTuple

import msgspec
import numpy as np
from msgspec import Struct

from consumers.pipeline import Learned, Outputs
from consumers.serving.contents import Contents
from consumers.serving.observer import Role
from consumers.web.rolling import Counts, Curve, Recent, latencies, quantile
from models.metrics import hit, ndcg
from stream.log import OutputRecord

_LISTS_SHOWN = 10
_LIST_BYTES = 32 * 2**20  # of all lists that can be looked up
_LOOKS = 300  # a look at the backlog is taken once a second
_RATE_MS = 10_000
_LATENCY_LOOKS = 60
_CURVE_POINTS, _CURVE_EVENTS = 120, 50
_NEWEST_EVENTS = 2_000


class Look(NamedTuple):
    """How things stood at a look at the backlog, and what happened since the one before."""

    at_ms: int
    events: int
    lag_records: int
    lag_s: float
    counts: Counts  # of end-to-end latencies


class Shown(Struct, frozen=True):
    """A list, and when it was committed."""

    at_ms: int
    list: msgspec.Raw


class NewestLists:
    """The newest list of each of the users who got one last, as long as they fit into so many bytes."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._bytes = 0
        self._lists: OrderedDict[bytes, tuple[int, bytes]] = OrderedDict()  # oldest first

    def add(self, records: Iterable[OutputRecord], at_ms: int) -> None:
        """Take in what was committed, in order: lists, and removals of erased users."""
        for record in records:
            assert record.key is not None
            before = self._lists.pop(record.key, None)
            self._bytes -= len(before[1]) if before else 0
            if record.value is not None:
                self._lists[record.key] = (at_ms, record.value)
                self._bytes += len(record.value)
        while self._bytes > self._most:
            _, (_, value) = self._lists.popitem(last=False)
            self._bytes -= len(value)

    def clear(self) -> None:
        """Forget all of them."""
        self._lists.clear()
        self._bytes = 0

    def of(self, user_id: str) -> Shown | None:
        """Return a user's list."""
        found = self._lists.get(user_id.encode(errors="replace"))
        return None if found is None else Shown(found[0], msgspec.Raw(found[1]))

    def newest(self, count: int) -> list[Shown]:
        """Return the newest lists, the newest first."""
        return [Shown(at_ms, msgspec.Raw(value)) for at_ms, value in islice(reversed(self._lists.values()), count)]


class LiveView:
    """What one process remembers for its page.

    Parameters
    ----------
    application
        Name of the task.
    scorers
        What is ranked in a test, in the order of the columns of `Learned.ranks`.
    """

    def __init__(self, application: str, scorers: Sequence[str]) -> None:
        self._application = application
        self._scorers = tuple(scorers)
        self._lock = threading.Lock()
        self._lists = NewestLists(_LIST_BYTES)
        self._totals = {"events": 0, "lists": 0, "dead_letters": 0}
        self._dead: dict[str, int] = {}
        self._looks: deque[Look] = deque(maxlen=_LOOKS)
        self._events = 0  # since the last look
        self._counts = latencies(np.zeros(0))
        nothing = np.zeros((2, len(scorers)))  # sums of hits and of gains by scorer
        self._curve = Curve(_CURVE_POINTS, _CURVE_EVENTS)
        self._newest = Recent(_NEWEST_EVENTS, nothing)
        self._published = Recent(_NEWEST_EVENTS, nothing[:, 0])

    def stage(self, name: str) -> AbstractContextManager[None]:
        """Let it pass."""
        return nullcontext()

    def transaction(self) -> AbstractContextManager[None]:
        """Let it pass."""
        return nullcontext()

    def answered(self, outputs: Outputs, timestamps_ms: Sequence[int], now_ms: int) -> None:
        """Keep the lists of a batch that was committed."""
        seconds = (now_ms - np.array(timestamps_ms, np.int64)) / 1000
        events = outputs.accepted + outputs.duplicates + outputs.exposures + outputs.ignored + len(outputs.dead)
        with self._lock:
            self._events += events
            self._counts = self._counts + latencies(seconds)
            self._totals["events"] += events
            self._totals["lists"] += sum(record.value is not None for record in outputs.lists)
            self._totals["dead_letters"] += len(outputs.dead)
            for reason in outputs.reasons:
                self._dead[reason] = self._dead.get(reason, 0) + 1
            self._lists.add(outputs.lists, now_ms)

    def learned(self, learned: Learned) -> None:
        """Take down how well events of users met before were foreseen, and by the lists that were out."""
        ranks = learned.ranks[learned.with_history]
        out = learned.published[learned.list_ages_ms >= 0]
        with self._lock:
            if len(ranks):
                sums = np.stack([hit(ranks).sum(axis=0), ndcg(ranks).sum(axis=0)])
                self._curve.add(len(ranks), sums)
                self._newest.add(len(ranks), sums)
            if len(out):
                self._published.add(len(out), np.array([hit(out).sum(), ndcg(out).sum()]))

    def stands(self, pipeline: object) -> None:
        """Let it pass."""

    def behind(self, records: int, oldest_ms: int | None, now_ms: int) -> None:
        """Take down the lag, and what happened since the last look."""
        lag_s = 0.0 if oldest_ms is None else max(now_ms - oldest_ms, 0) / 1000
        with self._lock:
            self._looks.append(Look(now_ms, self._events, records, lag_s, self._counts))
            self._events = 0
            self._counts = latencies(np.zeros(0))

    def takes(self, role: Role) -> None:
        """Forget lists and looks where this process leads no more."""
        if role is not Role.LEADER:
            with self._lock:
                self._lists.clear()
                self._looks.clear()

    def trains(self, share: float) -> None:
        """Let it pass."""

    def follows(self, left: int) -> None:
        """Let it pass."""

    def restored(self, seconds: float) -> None:
        """Let it pass."""

    def snapshot(self, contents: Contents, now_ms: int) -> None:
        """Let it pass."""

    def snapshot_failed(self) -> None:
        """Do nothing: the log says why, and an alert rings."""

    def list_of(self, user_id: str) -> Shown | None:
        """Return the newest list of a user, if it is remembered."""
        with self._lock:
            return self._lists.of(user_id)

    def now(self) -> dict[str, Any]:
        """Return what changes every second, ready for JSON: totals, traffic and the newest lists."""
        with self._lock:
            looks, lists = list(self._looks), self._lists.newest(_LISTS_SHOWN)
            totals, dead = dict(self._totals), dict(self._dead)
        latest = np.sum([look.counts for look in looks[-_LATENCY_LOOKS:]], axis=0) if looks else latencies(np.zeros(0))
        return {
            "application": self._application,
            "totals": totals,
            "dead_letters": dead,
            "events_per_s": _rate(looks),
            "end_to_end_s": {"p50": _rounded(quantile(latest, 0.5)), "p99": _rounded(quantile(latest, 0.99))},
            "traffic": {
                "at_ms": [look.at_ms for look in looks],
                "events_per_s": [
                    _per_second(look.events, look.at_ms - before.at_ms) if before else None
                    for before, look in zip([None, *looks], looks, strict=False)
                ],
                "lag_records": [look.lag_records for look in looks],
                "lag_s": [look.lag_s for look in looks],
                "p99_s": [_rounded(quantile(look.counts, 0.99)) for look in looks],
            },
            "lists": lists,
        }

    def quality(self) -> dict[str, Any]:
        """Return how well was foreseen, ready for JSON: by scorer over the whole run, and over the newest events."""
        with self._lock:
            stretches = self._curve.stretches()
            newest, published = self._newest.total, self._published.total
        return {
            "events": np.cumsum([events for events, _ in stretches], dtype=np.int64).tolist(),
            "curves": {
                scorer: {
                    "hr": [_mean(sums[0, column], events) for events, sums in stretches],
                    "ndcg": [_mean(sums[1, column], events) for events, sums in stretches],
                }
                for column, scorer in enumerate(self._scorers)
            },
            "newest": {
                "events": newest.events,
                "scorers": {
                    scorer: {
                        "hr": _mean(newest.sums[0, column], newest.events),
                        "ndcg": _mean(newest.sums[1, column], newest.events),
                    }
                    for column, scorer in enumerate(self._scorers)
                },
            },
            "published": {
                "events": published.events,
                "hr": _mean(published.sums[0], published.events),
                "ndcg": _mean(published.sums[1], published.events),
            },
        }


def _rate(looks: Sequence[Look]) -> float | None:
    """Events a second over the newest looks."""
    newest = [look for look in looks if look.at_ms > looks[-1].at_ms - _RATE_MS]
    if len(newest) < 2:
        return None
    return _per_second(sum(look.events for look in newest[1:]), newest[-1].at_ms - newest[0].at_ms)


def _per_second(events: int, elapsed_ms: int) -> float:
    return round(1000 * events / max(elapsed_ms, 1), 1)


def _mean(total: np.float64, events: int) -> float | None:
    return round(float(total) / events, 4) if events else None


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
