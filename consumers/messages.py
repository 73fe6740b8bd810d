"""Lists as messages: rows become ids again, and reasons get their names."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from consumers.admission import NOBODY, Turns
from models.recommender import Lists
from stream.cleaning import Accepted
from stream.clock import utc
from stream.events import Event, Request
from stream.list_bytes import Texts, write_items
from stream.log import OutputRecord
from stream.recommendations import (
    RECEIPT_HEADER,
    SCHEMA,
    Model,
    Receipt,
    Trigger,
    encode,
    rec_id,
)
from stream.vocabulary import Vocabulary
from stream.windows import WindowView


def length(event: Event, usual: int) -> int:
    """How many items the answer to an event may have: `usual`, or what a request asks for."""
    return event.k if isinstance(event, Request) and event.k is not None else usual


class _Written(msgspec.Struct, frozen=True, kw_only=True):
    """`stream.recommendations.Recommendation`, its items written already."""

    schema: str = SCHEMA
    rec_id: str
    user_id: str
    items: msgspec.Raw
    rest: float
    trigger: Trigger
    model: Model
    event_time: dt.datetime
    watermark: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Sender:
    """What is the same in all messages of one task."""

    application: str
    epoch: int
    topic: str
    version: str
    sources: tuple[str, ...]

    def messages(
        self,
        lists: Lists,
        turns: Turns,
        windows: WindowView,
        items: Vocabulary,
        *,
        usual: int,
        events_learned: int,
        watermark_ms: int | None,
    ) -> list[OutputRecord]:
        """Write one message for each of B turns, in order, of `usual` items or as many as a request asks for."""
        model = Model(self.version, events_learned)
        watermark = None if watermark_ms is None else utc(watermark_ms)
        bodies, rests = self._items(lists, [length(one.event, usual) for one in turns.accepted], windows, items)
        messages = []
        for one, body, rest in zip(turns.accepted, bodies, rests, strict=True):
            record, event = one.decoded.record, one.event
            whole = _Written(
                rec_id=rec_id(self.application, self.epoch, record.topic, record.partition, record.offset, one.slot),
                user_id=event.user_id,
                items=msgspec.Raw(body),
                rest=rest,
                trigger=Trigger(event.event_id, record.topic, record.partition, record.offset),
                model=model,
                event_time=utc(event.event_time_ms),
                watermark=watermark,
            )
            messages.append(OutputRecord(self.topic, record.partition, event.user_id.encode(), encode(whole)))
        return messages

    def removal(self, one: Accepted, *, known: bool) -> OutputRecord:
        """Say that a user's list is gone, with the receipt for the erasure `one`."""
        record, event = one.decoded.record, one.event
        receipt = Receipt(
            rec_id=rec_id(self.application, self.epoch, record.topic, record.partition, record.offset, one.slot),
            known=known,
            trigger=Trigger(event.event_id, record.topic, record.partition, record.offset),
            event_time=utc(event.event_time_ms),
        )
        headers = ((RECEIPT_HEADER, encode(receipt)),)
        return OutputRecord(self.topic, record.partition, event.user_id.encode(), None, headers)

    def _items(
        self, lists: Lists, lengths: Sequence[int], windows: WindowView, items: Vocabulary
    ) -> tuple[list[bytes], list[float]]:
        """Write the items of each list; see `write_items`."""
        because = lists.reasons.because
        own = np.take_along_axis(windows.items, np.maximum(because, 0).reshape(len(because), -1), axis=1)
        cited = np.where(because >= 0, own.reshape(because.shape), NOBODY)
        bodies, rests = write_items(
            lists.rows, np.array(lengths, np.int32), lists.scores, lists.reasons.sources, lists.reasons.shares,
            cited, Texts(self.sources), items.id_of,
        )  # fmt: skip
        return bodies, rests.tolist()
