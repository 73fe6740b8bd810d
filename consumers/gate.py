"""The gate of the pipeline: decoder and cleaner as the settings make them.

Whoever judges events as the service would, such as `springtide clean`, takes them from here, so that there is one gate.
"""

from consumers.settings import Settings
from stream.cleaning import Cleaner
from stream.events import Decoded, Decoder
from stream.items import ItemDecoder
from stream.log import Record


class TopicDecoder:
    """Reads the records of both topics, each by its own rules.

    Parameters
    ----------
    events
        Reads all topics but `items_topic`, if there is one.
    items
        Reads that.
    """

    def __init__(self, events: Decoder, items: ItemDecoder, items_topic: str | None) -> None:
        self._events = events
        self._items = items
        self._items_topic = items_topic

    def decode(self, record: Record) -> Decoded:
        """Read one record, without ever raising."""
        return (self._items if record.topic == self._items_topic else self._events).decode(record)


def topic_decoder(settings: Settings) -> TopicDecoder:
    """Return what reads the records of all topics."""
    items = ItemDecoder(
        vector_length=settings.items.vector_length,
        max_value_bytes=settings.input.max_value_bytes,
        integer_ids=settings.input.integer_ids,
    )
    return TopicDecoder(decoder(settings), items, settings.items.topic)


def decoder(settings: Settings) -> Decoder:
    """Return what reads the records of events."""
    return Decoder(
        settings.input.fields.field_map(),
        settings.events.policy(),
        max_value_bytes=settings.input.max_value_bytes,
        max_ahead_ms=settings.cleaning.future.ms,
        integer_ids=settings.input.integer_ids,
    )


def cleaner(settings: Settings) -> Cleaner:
    """Return what judges them by what came before."""
    return Cleaner(
        settings.events.policy(),
        span_ms=settings.windows.span.ms,
        grace_ms=settings.cleaning.grace.ms,
        remembered=settings.cleaning.dedupe_ids,
    )
