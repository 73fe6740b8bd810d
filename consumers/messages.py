"""Lists as messages: rows become ids again, and reasons get their names."""

from dataclasses import dataclass

from consumers.admission import Turns
from models.recommender import Lists
from stream.cleaning import Accepted
from stream.clock import utc
from stream.events import Event, Request
from stream.log import OutputRecord
from stream.recommendations import (
    RECEIPT_HEADER,
    Model,
    Reason,
    Receipt,
    Recommendation,
    RecommendedItem,
    Trigger,
    encode,
    rec_id,
)
from stream.vocabulary import Vocabulary
from stream.windows import WindowView


def length(event: Event, usual: int) -> int:
    """How many items the answer to an event may have: `usual`, or what a request asks for."""
    return event.k if isinstance(event, Request) and event.k is not None else usual


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
        messages = []
        for b, one in enumerate(turns.accepted):
            record, event = one.decoded.record, one.event
            listed = self._items(lists, b, windows, items, length(event, usual))
            body = Recommendation(
                rec_id=rec_id(self.application, self.epoch, record.topic, record.partition, record.offset, one.slot),
                user_id=event.user_id,
                items=listed,
                rest=round(max(1.0 - sum(item.score for item in listed), 0.0), 6) if listed else 0.0,
                trigger=Trigger(event.event_id, record.topic, record.partition, record.offset),
                model=model,
                event_time=utc(event.event_time_ms),
                watermark=watermark,
            )
            messages.append(OutputRecord(self.topic, record.partition, event.user_id.encode(), encode(body)))
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

    def _items(self, lists: Lists, b: int, windows: WindowView, items: Vocabulary, most: int) -> list[RecommendedItem]:
        rows, scores = lists.rows[b, :most].tolist(), lists.scores[b].tolist()
        sources, shares = lists.reasons.sources[b].tolist(), lists.reasons.shares[b].tolist()
        because, window = lists.reasons.because[b].tolist(), windows.items[b]
        return [
            RecommendedItem(
                items.id_of(row),
                rank + 1,
                round(scores[rank], 6),
                [
                    Reason(
                        self.sources[source],
                        round(share, 3),
                        list(dict.fromkeys(items.id_of(int(window[place])) for place in places if place >= 0)),
                    )
                    for source, share, places in zip(sources[rank], shares[rank], because[rank], strict=True)
                    if source >= 0
                ],
            )
            for rank, row in enumerate(rows)
            if row >= 0
        ]
