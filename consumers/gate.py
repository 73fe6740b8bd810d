"""The gate of the pipeline: decoder and cleaner as the settings make them.

Whoever judges events as the service would, such as `springtide clean`, takes them from here, so that there is one gate.
"""

from consumers.settings import Settings
from stream.cleaning import Cleaner
from stream.events import Decoder


def decoder(settings: Settings) -> Decoder:
    """Return what reads the records."""
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
