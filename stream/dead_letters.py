"""Where bad input goes: the record as it came, with headers that say what was wrong.

A dead letter stands in ``<topic>.dlq`` under the partition number it had, and has the original key, value, timestamp
and headers, byte for byte. So it can be looked at, mended, and sent again. Behind the original headers stand ours,
named ``__springtide.errors.*``, all values as text.
"""

from stream.errors import MessageError
from stream.log import OutputRecord, Record

PREFIX = "__springtide.errors."

_MAX_MESSAGE = 1_000  # characters; an exception of a library may quote half a tensor


def dead_letter_topic(input_topic: str) -> str:
    """Where records of `input_topic` that cannot be used go."""
    return f"{input_topic}.dlq"


def dead_letter(
    record: Record,
    error: Exception,
    *,
    stage: str,
    application: str,
    version: str,
    group: str,
) -> OutputRecord:
    """Return the dead letter of a record.

    Parameters
    ----------
    record
        What could not be used.
    error
        Why: a `MessageError`, whose reason becomes the header ``exception.class.name``, or what a model raised.
    stage
        Where on its path: ``decode`` or ``clean``.
    application, version, group
        Who says so.
    """
    name = error.reason if isinstance(error, MessageError) else type(error).__name__
    details = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp_ms,
        "stage": stage,
        "exception.class.name": name,
        "exception.message": str(error)[:_MAX_MESSAGE],
        "application": application,
        "version": version,
        "group": group,
        "attempts": 1,
    }
    return OutputRecord(
        topic=dead_letter_topic(record.topic),
        partition=record.partition,
        key=record.key,
        value=record.value,
        headers=record.headers
        + tuple((PREFIX + key, str(value).encode(errors="backslashreplace")) for key, value in details.items()),
        timestamp_ms=record.timestamp_ms if record.timestamp_ms >= 0 else None,
    )
