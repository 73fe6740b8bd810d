"""How every figure that Prometheus sees is counted: an observer of the service.

What the process and the stream do is in `instruments`. The quality of the lists is in `live_quality`, twice and under
names of its own, because the two must not be compared: *prequential* is a test just before each event, *published* the
place in a list that may have been out for days. `drift` watches for changes. What the process takes from the machine
is added under the names that all Prometheus clients use, ``process_...``.

It is told between two batches, so it must be quick: what a batch has many of is counted with NumPy, and means are only
made when somebody looks.
"""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from prometheus_client import CollectorRegistry, ProcessCollector

from consumers.metrics.drift import Drift, Signal
from consumers.metrics.instruments import OUTCOMES, Instruments
from consumers.metrics.live_quality import LiveQuality
from consumers.pipeline import Learned, Outputs, Pipeline
from consumers.serving.contents import Contents
from consumers.serving.observer import Role
from models.metrics import hit

_MOST_UNSEEN = 100_000  # records; where nothing goes out for long, the oldest are left out


class Telemetry:
    """All metrics of one process; its methods are told what has happened.

    Parameters
    ----------
    scorers
        What is ranked in a test, in the order of the columns of `Learned.ranks`; the final list is called ``list``.
    retention_ms
        How long the input topic keeps a record; -1 for ever.
    application
        Name of the task.
    """

    def __init__(self, scorers: Sequence[str], retention_ms: int = -1, application: str = "springtide") -> None:
        self.registry = CollectorRegistry()
        self._retention_ms = math.inf if retention_ms < 0 else retention_ms
        self._list = scorers.index("list") if "list" in scorers else None
        self._unseen_ms = np.zeros(0)  # timestamps of the records that the next lists will have learned from
        self._oldest_ms = self._oldest_since_copy_ms = math.inf  # record since the newest snapshot, and its copy
        self._loss_of: dict[str, int] = {}  # by expert, the update whose loss was taken in

        self._metrics = Instruments(self.registry, application)
        self._metrics.retention.set(self._retention_ms / 1000)
        tested = "Events tested just before they were learned"
        self.prequential = LiveQuality("prequential", scorers, tested, self.registry)
        self.published = LiveQuality("published", (), "Events of users whose list was out", self.registry)
        self._drift = Drift({"hit_ratio": Signal(True, run=16), "loss": Signal(False)}, self.registry)
        ProcessCollector(registry=self.registry)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a part of the work on a batch."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._metrics.stages.labels(name).observe(time.perf_counter() - started)
            if name == "snapshot":  # the copy of the process holds all that was answered so far
                self._oldest_since_copy_ms = math.inf

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Time a transaction, and count it as committed, or as failed when the block raises."""
        started, result = time.perf_counter(), "failed"
        try:
            yield
            result = "committed"
        finally:
            self._metrics.transactions.labels(result).observe(time.perf_counter() - started)

    def answered(self, outputs: Outputs, timestamps_ms: Sequence[int], now_ms: int) -> None:
        """Count a batch that was committed at `now_ms`; its records were stamped `timestamps_ms`."""
        self._metrics.lists.inc(len(outputs.lists))  # first: who sees the events counted sees their lists, too
        for outcome in OUTCOMES:
            if count := getattr(outputs, outcome):
                self._metrics.events.labels(outcome).inc(count)
        for reason in outputs.reasons:
            self._metrics.dead.labels(reason).inc()
        self._metrics.committed.set(now_ms / 1000)
        stamps = np.array(timestamps_ms, np.float64)
        self._metrics.records.observe(np.array([len(stamps)], np.float64))
        self._metrics.end_to_end.observe(np.maximum(now_ms - stamps, 0) / 1000)
        if any(record.value is not None for record in outputs.lists):
            self._metrics.fresh.observe(np.maximum(now_ms - self._unseen_ms, 0) / 1000)
            self._unseen_ms = np.zeros(0)
        if outputs.learned:
            self._unseen_ms = np.append(self._unseen_ms, stamps)[-_MOST_UNSEEN:]
        self._needs(float(stamps.min(initial=math.inf)))

    def learned(self, learned: Learned) -> None:
        """Count how well the events of a batch were foreseen."""
        self._metrics.updates.inc(len(learned.ranks))
        self.prequential.observe(learned.ranks, learned.with_history, learned.items_met)
        out = learned.list_ages_ms >= 0
        self.published.observe(learned.published[out, None], learned.with_history[out], learned.items_met[out])
        self._metrics.list_age.observe(learned.list_ages_ms[out] / 1000)
        if self._list is not None:
            fair = learned.with_history & (learned.items_met > 0)  # the others are misses, or nearly
            self._drift.observe("hit_ratio", hit(learned.ranks[fair, self._list]).tolist())

    def stands(self, pipeline: Pipeline) -> None:
        """Take down where the pipeline stands."""
        admission = pipeline.admission
        self._metrics.entries.labels("users").set(len(admission.users))
        self._metrics.entries.labels("items").set(len(admission.items))
        self._metrics.evicted.set("users", admission.expired_users)
        self._metrics.evicted.set("items", admission.expired_items)
        self._metrics.dropped.set("ranking", pipeline.recommender.updates_dropped)
        if pipeline.milestone is not None:
            self._metrics.milestone.set(*pipeline.milestone)
        for expert, progress in pipeline.recommender.progress().items():
            self._metrics.trained.set(expert, progress.updates)
            self._metrics.skipped.set(expert, progress.skipped)
            self._metrics.loss.labels(expert).set(progress.loss)
            if progress.updates > self._loss_of.get(expert, 0) and math.isfinite(progress.loss):
                self._drift.observe("loss", [progress.loss])
            self._loss_of[expert] = progress.updates
        if pipeline.watermark_ms is not None:
            self._metrics.watermark.set(pipeline.watermark_ms / 1000)

    def behind(self, records: int, oldest_ms: int | None, now_ms: int) -> None:
        """Take down the lag: `records` wait; the oldest of the newest batch was stamped `oldest_ms`."""
        self._metrics.lag.set(records)
        self._metrics.lag_s.set(0 if oldest_ms is None else max(now_ms - oldest_ms, 0) / 1000)
        self._metrics.round.set(now_ms / 1000)

    def takes(self, role: Role) -> None:
        """Take down what this process is to its task."""
        self._metrics.leads.set(role is Role.LEADER)
        self._metrics.stands_by.set(role is Role.STANDBY)
        if role is not Role.LEADER:  # who does not lead does not look, and what was seen then is not so for ever
            for figure in (self._metrics.lag, self._metrics.lag_s, self._metrics.share):
                figure.set(math.nan)
        else:
            self._metrics.left.set(math.nan)

    def trains(self, share: float) -> None:
        """Take down the part of the events that the network trains on."""
        self._metrics.share.set(share)

    def follows(self, left: int) -> None:
        """Take down how many offsets of the journal are still to be followed."""
        self._metrics.left.set(left)

    def restored(self, seconds: float) -> None:
        """Take down what restoring took."""
        self._metrics.restore.set(seconds)

    def snapshot(self, contents: Contents, now_ms: int) -> None:
        """Take down what is in a snapshot that was written at `now_ms`."""
        for table, size in contents.sizes.items():
            self._metrics.bytes.labels(table).set(size)
        self._metrics.snapshot.set(now_ms / 1000)
        self._oldest_ms = self._oldest_since_copy_ms
        self._needs(math.inf)
        if contents.coverage is not None:
            self._metrics.coverage.set(contents.coverage)

    def snapshot_failed(self) -> None:
        """Count a snapshot that could not be written, or deleted when it had to be."""
        self._metrics.snapshot_failures.inc()

    def _needs(self, oldest_ms: float) -> None:
        """Take down when records leave the log that came after the newest snapshot; the new ones are not older."""
        self._oldest_ms = min(self._oldest_ms, oldest_ms)
        self._oldest_since_copy_ms = min(self._oldest_since_copy_ms, oldest_ms)
        self._metrics.expiry.set((self._oldest_ms + self._retention_ms) / 1000)
