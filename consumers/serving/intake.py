"""Where batches come from: records polled, decoded, and merged by event time.

A partition that is known to hold records that have not come yet is waited for, a bounded moment, because its next
record may be the earliest of all. One of which much waits already is not polled until some of that is taken.

The first record of a batch waits for others, `Batch.latency` at most.
"""

import math
import time
from collections.abc import Callable
from typing import Generic

from consumers.serving.core import P
from consumers.serving.observer import Observer
from consumers.settings import Batch
from stream.clock import EventTimeMerge
from stream.events import Decoded
from stream.log import Log, Offsets

_IDLE_POLL_MS = 200
_GAP_POLL_MS = 20
_MERGE_WAIT_S = 2.0  # for the records of a partition that is known to have some
_MERGE_BYTES = 32 * 2**20  # of waiting records of one partition, before it is paused
_FIRST_BATCH = 32  # records; doubles with each batch, so that a backlog's first lists do not all come from empty models


class Intake(Generic[P]):
    """The batches of one leader, from where its state stands.

    Parameters
    ----------
    log
        Set to `offsets`.
    pipeline
        Its decoder reads the records.
    offsets
        Where each partition goes on.
    settings
        How large a batch may be, and how long its first record may wait.
    observer
        Is told of each stage.
    stopped
        Whether to stop waiting.
    """

    def __init__(
        self,
        log: Log,
        pipeline: P,
        offsets: Offsets,
        settings: Batch,
        observer: Observer[P],
        stopped: Callable[[], bool],
    ) -> None:
        self._log = log
        self._decoder = pipeline.decoder
        self._merge = EventTimeMerge(offsets)
        self._most = settings.max_records
        self._latency_s = settings.latency.ms / 1000
        self._observer = observer
        self._stopped = stopped

    def next_batch(self, batches: int) -> list[Decoded]:
        """Return what comes next in event time, after so many batches; empty when nothing came for a moment."""
        limit = min(self._most, _FIRST_BATCH << min(batches, self._most.bit_length()))
        waited_since = time.monotonic()
        while not self._stopped():
            waited_s = time.monotonic() - waited_since
            if len(self._merge) >= limit or (len(self._merge) and waited_s >= self._latency_s):
                behind = self._log.behind() if waited_s < _MERGE_WAIT_S else frozenset()
                with self._observer.stage("merge"):
                    if batch := self._merge.take(limit, behind):
                        return batch
            left_ms = math.ceil((self._latency_s - waited_s) * 1000) if len(self._merge) else _IDLE_POLL_MS
            with self._observer.stage("poll"):
                records = self._log.poll(left_ms if left_ms > 0 else _GAP_POLL_MS, self._merge.crowded(_MERGE_BYTES))
            if not records and not len(self._merge):
                return []
            if not len(self._merge):
                waited_since = time.monotonic()
            with self._observer.stage("decode"):
                self._merge.add(map(self._decoder.decode, records))
        return []
