"""Every metric of the process and the stream: its name, its unit, its labels, and what to do about it.

Names begin with ``springtide_`` and use base units; no label is a user or an item, and every label has few values. What
adds up is a counter, so that any stretch of time can be looked at; what happens at a moment is the time of it, so that
its age is right even when this process hangs. `docs/metrics.md` is made of what is written here, in `live_quality` and
in `drift`.
"""

import math
from collections.abc import Sequence
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from consumers.metrics.exposition import ManyHistogram, ToldCounter, ToldGauges
from consumers.metrics.machine import memory_limit_bytes

OUTCOMES = (
    *("accepted", "learned", "requests", "negatives", "exposures", "erased", "duplicates", "ignored"),
    *("key_mismatches", "coalesced", "unpublished", "items", "homeless"),
)
"""Fields of `Outputs` that count events."""

_STEPS = (1, 1.5, 2, 3, 5, 7)
_SECONDS = tuple(float(f"{step}e{power}") for power in range(-3, 3) for step in _STEPS)  # 1 ms to 12 minutes
_AGES = tuple(60.0 * 4**step for step in range(10))  # a minute to half a year
_RECORDS = tuple(2.0**power for power in range(15))


class Instruments:
    """The metrics of one process, one attribute each."""

    def __init__(self, registry: CollectorRegistry, application: str) -> None:
        self._registry = registry
        self._application = application
        self._define_flow()
        self._define_times()
        self._define_standing()
        self._define_state()
        self._define_learning()
        for unknown in (self.lag, self.lag_s, self.restore, self.left, self.watermark, self.coverage, self.share):
            unknown.set(math.nan)  # 0 would be a figure, and a wrong one

    def _define_flow(self) -> None:
        self.events = self._counter(
            "events",
            "Events by what became of them; one may be in several. accepted have passed cleaning; of these, learned, "
            "negatives and requests say what they are, coalesced and unpublished got no list of their own. exposures, "
            "duplicates, ignored and erased go no further; key_mismatches are records whose key is not their user. "
            "items are records that tell of one; those of an available one that found no row are homeless: "
            "models.items is too small for the catalogue. "
            "Nothing accepted: see what the others say.",
            "outcome",
        )
        for outcome in OUTCOMES:
            self.events.labels(outcome)
        self.lists = self._counter(
            "lists", "Records written to the output topic: lists, and removals of erased users. None: nothing goes out."
        )
        self.dead = self._counter(
            "dead_letters",
            "Records that became dead letters, by reason or by the exception that a model raised. "
            "springtide dlq list shows them, springtide dlq replay sends them again.",
            "reason",
        )
        self.lag = self._gauge(
            "lag_records",
            "Input offsets not processed at the leader's last look; NaN where nobody looks. Growing: records come "
            "faster than they are dealt with; see springtide_stage_seconds. Markers of transactions count too, about "
            "one a partition.",
        )
        self.lag_s = self._gauge(
            "lag_seconds",
            "Age of the oldest record of the newest batch while there is a lag; 0 without, NaN where nobody looks. "
            "What subscribers wait.",
        )
        self.records = self._many(
            "batch_records",
            "Records of a transaction. Always at batch.max_records: raise it; always 1: batch.latency is too short.",
            _RECORDS,
        )

    def _define_times(self) -> None:
        self.end_to_end = self._many(
            "end_to_end_seconds",
            "From an input record's timestamp to the commit of its answer. Slow: see springtide_stage_seconds.",
            _SECONDS,
        )
        self.fresh = self._many(
            "freshness_seconds",
            "From an input record's timestamp to the commit of the first lists that have learned from it. Slow in "
            "a busy stream: see springtide_stage_seconds; in a quiet one the next list is late by itself.",
            _SECONDS,
        )
        self.stages = self._seconds(
            "stage",
            "Time by stage of a batch: poll, decode, merge, recommend, learn, commit (beside learn), snapshot (the "
            "copy of the process that will write it), singly (after a model raised). The one with the largest rate is "
            "the one to look at.",
            "stage",
        )
        self.transactions = self._seconds(
            "transaction",
            "Kafka transactions, by how they ended. Slow: look at the broker; failed: the state was built again.",
            "result",
        )
        for result in ("committed", "failed"):  # a series that appears with its first failure hides it from increase()
            self.transactions.labels(result)

        self.list_age = self._many(
            "published_list_age_seconds",
            "Event time between a list and the user's next event. Long ages explain a low published quality: ask for a "
            "list with a request when the user returns.",
            _AGES,
        )

    def _define_standing(self) -> None:
        info = Info("springtide_build", "The version that runs. Two at once: an upgrade is half done.",
                    registry=self._registry)  # fmt: skip
        info.info({"version": version("springtide")})
        self.leads = self._gauge(
            "leader", "1 where this process leads its task, 0 where it follows or recovers. One must lead."
        )
        self.stands_by = self._gauge(
            "standby", "1 where it follows the journal, caught up, and would take over. 0 and not leader: it recovers."
        )
        self.round = self._gauge(
            "loop_timestamp_seconds",
            "When the leader's loop last looked at the backlog: each second. Long ago: it hangs, restart it.",
        )
        self.committed = self._gauge(
            "commit_timestamp_seconds",
            "When this process last committed a batch; 0 before. Long ago while there is a lag: it stalls.",
        )
        self.restore = self._gauge(
            "restore_seconds",
            "What the last recovery of this process took until it led, without the time in which it stood by; NaN "
            "before. Too long: lower state.snapshot_every, or keep a standby.",
        )
        self.left = self._gauge(
            "journal_left_offsets",
            "Offsets of the journal that this process has still to follow, about two for each batch; NaN while it "
            "leads. Growing on a standby: it learns slower than its leader.",
        )
        self.watermark = self._gauge(
            "watermark_timestamp_seconds",
            "Event time up to which all is expected to be seen; NaN before the first event. Standing still while "
            "events come: one sender's clock is behind, or a partition is silent.",
        )
        self.expiry = self._gauge(
            "input_expiry_timestamp_seconds",
            "When the input topic may delete the oldest record that a restart would need; infinite where none is, or "
            "where it keeps all. Near: raise retention.ms of the input, or mend the snapshots.",
        )
        self.expiry.set(math.inf)
        self.retention = self._gauge(
            "input_retention_seconds",
            "How long the input topic keeps a record; infinite where it keeps all. Stand still for less.",
        )
        self.memory_limit = self._gauge(
            "memory_limit_bytes",
            "Memory that this process may have: of its container, or of the machine. Compare with "
            "process_resident_memory_bytes.",
        )
        self.memory_limit.set(memory_limit_bytes())

    def _define_state(self) -> None:
        self.snapshot = self._gauge(
            "snapshot_timestamp_seconds",
            "When this process last wrote a snapshot; 0 before. Old while it learns: its log says why.",
        )
        self.snapshot_failures = self._counter(
            "snapshot_failures",
            "Snapshots that could not be written, or deleted when they had to be; it is tried again. Any: its log says "
            "why, mostly a full disk.",
        )
        self.bytes = self._gauge(
            "state_bytes",
            "Size in the newest snapshot. The largest is what windows.users or models.items bound.",
            "table",
        )
        self.entries = self._gauge(
            "state_entries",
            "Users and items that have a row. At their limit: see springtide_state_evictions_total.",
            "table",
        )
        self.evicted = ToldCounter(
            "state_evictions",
            "Users and items that made room for others since this process recovered. Many: those who return are "
            "strangers; raise windows.users or models.items where there is memory.",
            "table",
            self._registry,
        )
        self.coverage = self._gauge(
            "catalogue_coverage_ratio",
            "Share of the known items that are in at least one list that is out, as of the newest snapshot; NaN before "
            "the first. Falling towards 0: everybody is offered the same.",
        )

    def _define_learning(self) -> None:
        self.updates = self._counter(
            "model_updates", "Events learned from. None while events are accepted: it is stuck."
        )
        self.share = self._gauge(
            "training_share",
            "Part of the events that the network trains on; NaN where this process does not lead. Below "
            "models.training_share: it is shed, because of a lag.",
        )
        self.trained = ToldCounter(
            "expert_updates",
            "Training updates made since the epoch began. None while events are learned: training_share is 0.",
            "expert",
            self._registry,
        )
        self.skipped = ToldCounter(
            "expert_updates_skipped",
            "Training updates rejected because something was not finite, since the epoch began. The last good weights "
            "stay. More than a few: keep a snapshot and report it.",
            "expert",
            self._registry,
        )
        self.loss = self._gauge(
            "expert_loss", "Loss of the newest training update. Rising for hours: see springtide_drift_total.", "expert"
        )
        self.dropped = ToldCounter(
            "model_updates_dropped",
            "Updates of mixture and ranker that were not finite and were left out, since the epoch began. Any: keep a "
            "snapshot and report it.",
            "part",
            self._registry,
        )

        self.milestone = ToldGauges(
            {
                "milestone_events": "Events learned from when this process took its last checksum of what it has "
                "learned. Standing still while others of its task go on: it does not follow.",
                "milestone_checksum": "That checksum. At the same number of events, processes of one task have the "
                "same one; if not, they have diverged: run springtide audit.",
            },
            "application",
            self._application,
            self._registry,
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"springtide_{name}", text, labels, registry=self._registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"springtide_{name}", text, labels, registry=self._registry)

    def _seconds(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(f"springtide_{name}_seconds", text, labels, buckets=_SECONDS, registry=self._registry)

    def _many(self, name: str, text: str, bounds: Sequence[float]) -> ManyHistogram:
        return ManyHistogram(name, text, bounds, self._registry)
