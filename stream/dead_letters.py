"""Where bad input goes: the record as it came, with headers that say what was wrong; and the way back.

A dead letter stands in ``<topic>.dlq``, after the topic of the interactions even if it comes from that of the items. It
stands under the partition number it had, and has the original key, value, timestamp and headers, byte for byte. So it
can be looked at, mended, and sent again. Behind the original headers stand ours, named ``__springtide.errors.*``, all
values as text.

A record that is sent again has one of these headers, ``attempts``: how often it has failed. If it fails once more, its
next dead letter says one more. Which letters were sent again is noted in the same topic, behind the letters and in the
transaction that sends them, because nothing else lives as long as they do: Kafka forgets the offsets of a consumer
group that has no members after a week. A note has no key, and this value::

    {"schema": "springtide.sent_again/1", "application": "springtide", "offsets": [17, 21]}
"""

import re
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from stream.errors import MessageError
from stream.log import Headers, OutputRecord, Record

PREFIX = "__springtide.errors."
LEFT_OUT_HEADER = "__springtide.value.left.out"
"""On a dead letter whose value did not fit: how many bytes it had."""

_ATTEMPTS = f"{PREFIX}attempts"
_SENT_AGAIN = "springtide.sent_again/1"
_NAMES = (
    *("topic", "partition", "offset", "timestamp", "stage", "exception.class.name", "exception.message"),
    *("application", "version", "group", "attempts"),
)
_MAX_MESSAGE = 1_000  # characters; an exception of a library may quote half a tensor
_COUNT = re.compile(rb"[1-9][0-9]{0,8}")


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
    input_topic: str | None = None,
) -> OutputRecord:
    """Return the dead letter of a record.

    Parameters
    ----------
    record
        What could not be used.
    error
        Why: a `MessageError`, whose reason becomes the header ``exception.class.name``, or what a model raised.
    stage
        Where on its path: ``decode``, ``clean`` or ``model``.
    application, version, group
        Who says so.
    input_topic
        Whose dead-letter topic it goes to; None for that of the record's own.
    """
    name = error.reason if isinstance(error, MessageError) else type(error).__name__
    details = (
        *(record.topic, record.partition, record.offset, record.timestamp_ms),
        *(stage, name, str(error)[:_MAX_MESSAGE], application, version, group),
        _failed_before(record.headers) + 1,
    )
    ours = zip(_NAMES, details, strict=True)
    return OutputRecord(
        topic=dead_letter_topic(input_topic or record.topic),
        partition=record.partition,
        key=record.key,
        value=record.value,
        headers=record.headers
        + tuple((PREFIX + name, str(value).encode(errors="backslashreplace")) for name, value in ours),
        timestamp_ms=record.timestamp_ms if record.timestamp_ms >= 0 else None,
    )


class DeadLetter(Struct, frozen=True):
    """A record of a dead-letter topic, read.

    Parameters
    ----------
    record
        As it stands there.
    details
        The values of the headers that `dead_letter` wrote, by name without their prefix.
    headers
        Those that the record had when its sender wrote it.
    value_left_out
        Whether its value did not fit and is lost.
    """

    record: Record
    details: dict[str, str]
    headers: Headers
    value_left_out: bool

    @property
    def reason(self) -> str:
        """The code of what was wrong, or the name of an exception."""
        return self.details["exception.class.name"]

    def sent_again(self) -> OutputRecord:
        """Return the record as it goes to the input topic again, stamped by the log."""
        return OutputRecord(
            topic=self.details["topic"],
            partition=self.record.partition,
            key=self.record.key,
            value=self.record.value,
            headers=(*self.headers, (_ATTEMPTS, self.details["attempts"].encode())),
        )


def read_dead_letter(record: Record) -> DeadLetter | None:
    """Read a record of a dead-letter topic; None where `dead_letter` did not write it."""
    headers = record.headers
    left_out = bool(headers) and headers[-1][0] == LEFT_OUT_HEADER
    if left_out:
        headers = headers[:-1]
    own, ours = headers[: -len(_NAMES)], headers[-len(_NAMES) :]
    if tuple(name for name, _ in ours) != tuple(PREFIX + name for name in _NAMES):
        return None
    details = {name: (value or b"").decode(errors="replace") for name, (_, value) in zip(_NAMES, ours, strict=True)}
    if not _COUNT.fullmatch(details["attempts"].encode()):
        return None
    if _failed_before(own) > 0:
        own = own[:-1]
    return DeadLetter(record, details, own, left_out)


class SentAgain(Struct, frozen=True, kw_only=True):
    """A note on a partition of a dead-letter topic: the letters at these offsets were sent again."""

    schema: str = _SENT_AGAIN
    application: str
    offsets: list[int]


def note_of(letters: Sequence[DeadLetter], application: str) -> OutputRecord:
    """Return the note that letters, of one partition, were sent again."""
    first = letters[0].record
    note = SentAgain(application=application, offsets=[letter.record.offset for letter in letters])
    return OutputRecord(first.topic, first.partition, None, msgspec.json.encode(note))


def read_note(record: Record) -> SentAgain | None:
    """Read a record of a dead-letter topic; None where it is no note."""
    if record.key is not None or record.value is None or record.headers:
        return None
    try:
        note = msgspec.json.decode(record.value, type=SentAgain)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return note if note.schema == _SENT_AGAIN else None


def _failed_before(headers: Headers) -> int:
    """How often the record has failed already: what it was sent again with, behind all other headers."""
    name, said = headers[-1] if headers else ("", None)
    return int(said) if name == _ATTEMPTS and said is not None and _COUNT.fullmatch(said) else 0
