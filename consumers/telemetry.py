"""Every figure that Prometheus sees, and how it is counted.

Names begin with ``springtide_`` and use base units; no label is a user or an item. What adds up is a counter, so that
any stretch of time can be looked at. The hit ratio at 10 of the last hour, by scorer::

    sum by (scorer) (increase(springtide_prequential_hits_total[1h]))
      / scalar(sum(increase(springtide_prequential_events_total[1h])))

Prequential and published quality have names of their own because they must not be compared: one is a test just before
each event, the other the place in a list that may have been out for days.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from consumers.observer import Role
from consumers.pipeline import Learned, Outputs, Pipeline
from models.base import Rows
from models.metrics import hit, ndcg
from stream.snapshots import State

_BUCKETS_S = tuple(round(0.002 * 1.4**step, 4) for step in range(34))  # 2 ms to 132 s
_AGE_BUCKETS_S = tuple(60.0 * 4**step for step in range(10))  # a minute to half a year
_OUTCOMES = (
    *("accepted", "learned", "requests", "negatives", "exposures", "erased", "duplicates", "ignored"),
    *("key_mismatches", "coalesced", "unpublished"),
)


class Telemetry:
    """All metrics of one process; its methods are told what has happened.

    Parameters
    ----------
    scorers
        What is ranked in a test, in the order of the columns of `Learned.ranks`.
    """

    def __init__(self, scorers: Sequence[str]) -> None:
        self.registry = CollectorRegistry()
        self._scorers = tuple(scorers)
        self._learning_ms: list[int] = []  # timestamps of the records that the next lists will have learned from

        self._events = self._counter("events", "Events, by what became of them; one may be counted twice.", "outcome")
        self._lists = self._counter("lists", "Lists published.")
        self._dead = self._counter("dead_letters", "Records that became dead letters.", "reason")
        self._tested = self._counter("prequential_events", "Events tested, by whether the user was met before.", "user")
        self._hits = self._counter("prequential_hits", "Of these, those found in the first 10.", "scorer", "user")
        self._gain = self._counter("prequential_ndcg", "Sum of NDCG at 10 over these.", "scorer", "user")
        self._met = self._counter("published_events", "Events of users whose list was out.")
        self._published_hits = self._counter("published_hits", "Of these, those whose item was in the first 10 of it.")
        self._published_gain = self._counter("published_ndcg", "Sum of NDCG at 10 over these.")
        self._updates = self._counter("model_updates", "Events learned from.")

        self._end_to_end = self._seconds("end_to_end", "From an input record's timestamp to the commit of its answer.")
        self._fresh = self._seconds("freshness", "From an input record's timestamp to the first lists that learned it.")
        self._stages = self._seconds("stage", "Time spent on a batch.", "stage")
        self._transactions = self._seconds("transaction", "Kafka transactions, by how they ended.", "result")
        for result in ("committed", "failed"):  # a series that appears with its first failure hides it from increase()
            self._transactions.labels(result)
        self._list_age = Histogram(
            "springtide_published_list_age_seconds",
            "Event time between a list and the user's next event.",
            buckets=_AGE_BUCKETS_S,
            registry=self.registry,
        )

        self._leads = self._gauge("leader", "1 where this process leads its task, 0 where it follows or recovers.")
        self._stands_by = self._gauge("standby", "1 where it follows the journal, caught up, and waits for the lease.")
        self._lag = self._gauge("lag_records", "Input records that were not processed yet at the last look.")
        self._lag_s = self._gauge("lag_seconds", "Age of the oldest record of the newest batch while records wait.")
        self._restore = self._gauge("restore_seconds", "What the last restore took.")
        self._snapshot = self._gauge("snapshot_timestamp_seconds", "When the newest snapshot was written.")
        self._bytes = self._gauge("state_bytes", "Size in the newest snapshot.", "table")
        self._entries = self._gauge("state_entries", "Ids that have a row.", "table")
        self._evicted = self._gauge("state_evictions", "Ids that made room for others since the start.", "table")
        self._watermark = self._gauge("watermark_timestamp_seconds", "Event time up to which all is expected seen.")
        self._share = self._gauge("training_share", "Part of the events that the network trains on.")
        self._trained = self._gauge("expert_updates", "Training updates made, since the epoch began.", "expert")
        self._skipped = self._gauge("expert_updates_skipped", "Training updates skipped: not finite.", "expert")
        self._loss = self._gauge("expert_loss", "Loss of the newest training update.", "expert")
        self._dropped = self._gauge("model_updates_dropped", "Updates that were not finite and were left out.")

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"springtide_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"springtide_{name}", text, labels, registry=self.registry)

    def _seconds(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(f"springtide_{name}_seconds", text, labels, buckets=_BUCKETS_S, registry=self.registry)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a part of the work on a batch."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._stages.labels(name).observe(time.perf_counter() - started)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Time a transaction, and count it as committed, or as failed when the block raises."""
        started, result = time.perf_counter(), "failed"
        try:
            yield
            result = "committed"
        finally:
            self._transactions.labels(result).observe(time.perf_counter() - started)

    def answered(self, outputs: Outputs, timestamps_ms: Iterable[int], now_ms: int) -> None:
        """Count a batch that was committed at `now_ms`; its records were stamped `timestamps_ms`."""
        for outcome in _OUTCOMES:
            self._events.labels(outcome).inc(getattr(outputs, outcome))
        for reason in outputs.reasons:
            self._dead.labels(reason).inc()
        self._lists.inc(len(outputs.lists))
        stamps = list(timestamps_ms)
        for timestamp_ms in stamps:
            self._end_to_end.observe(max(now_ms - timestamp_ms, 0) / 1000)
        for timestamp_ms in self._learning_ms if outputs.lists else ():
            self._fresh.observe(max(now_ms - timestamp_ms, 0) / 1000)
        self._learning_ms = stamps

    def learned(self, learned: Learned) -> None:
        """Count how well the events of a batch were foreseen."""
        self._updates.inc(len(learned.ranks))
        for user, chosen in (("known", learned.with_history), ("new", ~learned.with_history)):
            self._foreseen(learned.ranks[chosen], user)
        out = learned.list_ages_ms >= 0
        self._met.inc(int(out.sum()))
        self._published_hits.inc(float(hit(learned.published[out]).sum()))
        self._published_gain.inc(float(ndcg(learned.published[out]).sum()))
        for age_ms in learned.list_ages_ms[out].tolist():
            self._list_age.observe(age_ms / 1000)

    def _foreseen(self, ranks: Rows, user: str) -> None:
        self._tested.labels(user).inc(len(ranks))
        for scorer, hits, gain in zip(self._scorers, hit(ranks).sum(axis=0), ndcg(ranks).sum(axis=0), strict=True):
            self._hits.labels(scorer, user).inc(float(hits))
            self._gain.labels(scorer, user).inc(float(gain))

    def stands(self, pipeline: Pipeline) -> None:
        """Take down where the pipeline stands."""
        admission = pipeline.admission
        self._entries.labels("users").set(len(admission.users))
        self._entries.labels("items").set(len(admission.items))
        self._evicted.labels("users").set(admission.expired_users)
        self._evicted.labels("items").set(admission.expired_items)
        self._dropped.set(pipeline.recommender.updates_dropped)
        for expert, progress in pipeline.recommender.progress().items():
            self._trained.labels(expert).set(progress.updates)
            self._skipped.labels(expert).set(progress.skipped)
            self._loss.labels(expert).set(progress.loss)
        if pipeline.watermark_ms is not None:
            self._watermark.set(pipeline.watermark_ms / 1000)

    def behind(self, records: int, oldest_ms: int | None, now_ms: int) -> None:
        """Take down the lag: `records` wait; the oldest of the newest batch was stamped `oldest_ms`."""
        self._lag.set(records)
        self._lag_s.set(0 if oldest_ms is None else max(now_ms - oldest_ms, 0) / 1000)

    def takes(self, role: Role) -> None:
        """Take down what this process is to its task."""
        self._leads.set(role is Role.LEADER)
        self._stands_by.set(role is Role.STANDBY)

    def trains(self, share: float) -> None:
        """Take down the part of the events that the network trains on."""
        self._share.set(share)

    def restored(self, seconds: float) -> None:
        """Take down what restoring took."""
        self._restore.set(seconds)

    def snapshot(self, state: State, now_ms: int) -> None:
        """Take down the size of a snapshot that was written at `now_ms`, by table."""
        sizes: dict[str, int] = {}
        for name, array in state.items():
            table = ".".join(name.split(".")[:2])
            sizes[table] = sizes.get(table, 0) + array.nbytes
        for table, size in sizes.items():
            self._bytes.labels(table).set(size)
        self._snapshot.set(now_ms / 1000)
