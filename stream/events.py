"""What comes in: the events, and the one decoder that reads them.

A record holds one JSON object in UTF-8. Its `type` says which event it is; a record without one is an interaction::

    {"type": "interaction", "user_id": "u17", "item_id": "i942", "event_time": "2026-03-01T12:00:00.250Z",
     "event_id": "01J...", "event_type": "view", "value": 4.5}
    {"type": "request", "user_id": "u17", "event_time": 1767225600250, "k": 20, "exclude": ["i7"]}
    {"type": "erase", "user_id": "u17", "event_time": 1767225600250}

What a record of the items topic says, an `Item`, is read by `items`.

The rules of reading:

- `event_time` is an RFC 3339 string with a zone (cut to the millisecond) or an integer of epoch milliseconds. A number
  with a decimal point is refused, even ``1767225600250.0``: it is most often a time in seconds.
- `user_id` and `item_id` are strings of 1 to 512 bytes. Integers are taken where the settings say so, as their digits.
- Several items in one record: ``"items": [{"item_id": "i1"}, {"item_id": "i2", "value": 2}]`` in place of `item_id`.
- Without `event_id` an event is named by topic, partition and offset; the items of one record get ``-0``, ``-1``, ...
- Other fields may be there and are not read (they must still be JSON). Of a name given twice the last one counts, and
  all of them must have the right type. ``null`` is the same as absent.
- `schema`, where it names one of springtide's own (``springtide.interaction/1``), must be of major version 1.
- CloudEvents, binary or structured, are unwrapped first.

Bytes from outside never raise: what cannot be read comes back as a `MessageError` beside its record. Nor do they decide
by accident: nesting is limited here and not by the interpreter's stack, whose free depth differs from call to call, so
that every follower of the log judges every record alike. Times are judged here too, before partitions are merged by
time, because one event from 2099 at the head of a partition would hold up all that stand behind it.
"""

import datetime as dt
import re
from typing import TypeVar

import msgspec
from msgspec import Struct

from stream.cloudevents import Envelope, binary_envelope, structured_envelope
from stream.errors import MessageError
from stream.fields import FieldMap, wire_type
from stream.log import Record
from stream.policy import EventPolicy

Wire = TypeVar("Wire")

AT_ONCE = -1
"""The `time_ms` of what has no time of its own: it waits for nothing when partitions are merged by time."""

MAX_ID_BYTES = 512
MAX_DEPTH = 256  # levels of arrays and objects; far below the interpreter's 1,000

EARLIEST_MS = 315_532_800_000  # 1980-01-01: an earlier time was given in seconds, or by a clock that was never set
LATEST_MS = 253_402_300_799_999  # 9999-12-31: a later one was given in micro- or nanoseconds


class Interaction(
    Struct, frozen=True, omit_defaults=True, tag_field="type", tag="interaction", rename={"event_time_ms": "event_time"}
):
    """A user did something with an item; encodes to the message described above."""

    event_id: str
    user_id: str
    item_id: str
    event_time_ms: int
    event_type: str = ""
    value: float | None = None


class Request(
    Struct, frozen=True, omit_defaults=True, tag_field="type", tag="request", rename={"event_time_ms": "event_time"}
):
    """A user wants a list now: of `k` items (None: the usual number), without those in `exclude`."""

    event_id: str
    user_id: str
    event_time_ms: int
    k: int | None = None
    exclude: tuple[str, ...] = ()


class Erase(
    Struct, frozen=True, omit_defaults=True, tag_field="type", tag="erase", rename={"event_time_ms": "event_time"}
):
    """Everything known about a user must go."""

    event_id: str
    user_id: str
    event_time_ms: int


class Item(Struct, frozen=True, kw_only=True):
    """All that is known of an item from now on; whatever was said of it before no longer holds.

    `attributes` are texts such as ``genre=jazz``; two items share one when the texts are equal.
    """

    item_id: str
    available: bool
    published_ms: int | None = None
    attributes: tuple[str, ...] = ()
    vector: tuple[float, ...] = ()


Event = Interaction | Request | Erase


class Decoded(Struct, frozen=True):
    """A record, and either its events, or the item it tells of, or what is wrong with it.

    None of these means that the policy ignores this kind of record.
    """

    record: Record
    events: tuple[Event, ...]
    error: MessageError | None
    time_ms: int  # event time, the same for all events of the record; AT_ONCE where there are none
    identity: str | None = None  # what a repeated delivery would repeat; None: only its place in the log names it
    key_mismatch: bool = False  # the record has a key, and it is not the user
    item: Item | None = None


class Decoder:
    """Reads records into events; one instance reads any number of them.

    Parameters
    ----------
    names
        Where the fields stand.
    policy
        Its ignored event types are not read.
    max_value_bytes
        Longer values are refused.
    max_ahead_ms
        How far an event may be ahead of its record's own timestamp, where the record has one.
    integer_ids
        Whether users, items and events may be named by JSON integers (of 64 bits), read as their decimal digits.
    """

    def __init__(
        self,
        names: FieldMap | None = None,
        policy: EventPolicy | None = None,
        *,
        max_value_bytes: int = 1_048_576,
        max_ahead_ms: int = 300_000,
        integer_ids: bool = False,
    ) -> None:
        self._names = names or FieldMap()
        self._ignored = (policy or EventPolicy()).ignored
        self._max_value_bytes = max_value_bytes
        self._max_ahead_ms = max_ahead_ms
        wire, self._fields = wire_type(self._names, integer_ids=integer_ids)
        self._json = msgspec.json.Decoder(wire)

    def decode(self, record: Record) -> Decoded:
        """Read one record; what is wrong with it is in the answer's `error`."""
        try:
            envelope = binary_envelope(record.headers) if record.headers else None
            if record.value is None:
                raise MessageError(reason="null_value", message="The record has no value.")
            return self._read(record, record.value, envelope)
        except MessageError as error:
            return Decoded(record, (), error, AT_ONCE)

    def _read(self, record: Record, data: bytes, envelope: Envelope | None) -> Decoded:
        """Read `data`, the record's value or what its envelope holds."""
        user, item, event_time, kind, event_id, event_type, value, items, k, exclude, schema, cloud = self._fields(
            read_json(data, self._json, self._max_value_bytes)
        )
        if cloud is not None and envelope is None:
            return self._read(record, *structured_envelope(data))
        identity = event_id = None if event_id is None else checked_id(event_id, self._names.event_id)
        if envelope is not None:
            identity = event_id or envelope.identity
            event_id = event_id or envelope.id
            event_type = event_type or envelope.type
            event_time = event_time if event_time is not None else envelope.time
        check_schema(schema)

        if kind is None or kind == "interaction":
            if event_type in self._ignored:
                return Decoded(record, (), None, AT_ONCE)
        elif kind not in {"request", "erase"}:
            sentence = f"`{self._names.type}` must be interaction, request or erase."
            raise MessageError(reason="unknown_type", message=sentence)

        user = checked_id(user, self._names.user_id)
        time_ms = self._time_ms(event_time, record)
        name = event_id or f"{record.topic}-{record.partition}-{record.offset}"
        events: tuple[Event, ...]
        if kind == "request":
            events = (Request(name, user, time_ms, k, tuple(map(str, exclude or ()))),)
        elif kind == "erase":
            events = (Erase(name, user, time_ms),)
        elif item is not None or items is None:
            item = checked_id(item, self._names.item_id)
            events = (Interaction(name, user, item, time_ms, event_type or "", value),)
        else:
            events = tuple(
                Interaction(
                    f"{name}-{index}", user, checked_id(one.item, "item_id"), time_ms, event_type or "", one.value
                )
                for index, one in enumerate(items)
            )
        return Decoded(record, events, None, time_ms, identity, record.key is not None and record.key != user.encode())

    def _time_ms(self, time: dt.datetime | int | None, record: Record) -> int:
        """Return epoch milliseconds, or refuse what cannot be true."""
        if time is None:
            sentence = f"`{self._names.event_time}` is missing."
            raise MessageError(reason="missing_field", message=sentence)
        time_ms = checked_time_ms(time, self._names.event_time)
        if record.timestamp_ms < 0:  # then any time could be true, and one in 2099 would make all others late
            sentence = (
                "The record has no timestamp, by which its event time is judged: let the producer stamp its records, "
                "or set message.timestamp.type=LogAppendTime on the topic."
            )
            raise MessageError(reason="no_timestamp", message=sentence)
        if time_ms > record.timestamp_ms + self._max_ahead_ms:
            sentence = (
                f"`{self._names.event_time}` is {time_ms - record.timestamp_ms} ms ahead of the record's own "
                f"timestamp; the limit is {self._max_ahead_ms} ms."
            )
            raise MessageError(reason="future_time", message=sentence)
        return time_ms


def encode(event: Event) -> bytes:
    """Write an event as a message; a `Decoder` with the usual names reads it back as it was."""
    return _encoder.encode(event)


_encoder = msgspec.json.Encoder()
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MILLISECOND = dt.timedelta(milliseconds=1)


def read_json(data: bytes, decoder: msgspec.json.Decoder[Wire], max_value_bytes: int) -> Wire:
    """Read the JSON of one message into its wire form, or refuse it."""
    if len(data) > max_value_bytes:
        sentence = f"The value has {len(data)} bytes; the limit is {max_value_bytes}."
        raise MessageError(reason="too_large", message=sentence)
    # A value of n bytes nests at most n levels, so plain records need no look.
    if len(data) > MAX_DEPTH and _too_deep(data):
        sentence = f"The JSON is nested more than {MAX_DEPTH} levels deep."
        raise MessageError(reason="too_deep", message=sentence)
    try:
        data.decode()  # msgspec does not look into the strings that it skips
        return decoder.decode(data)
    except UnicodeDecodeError as error:
        sentence = f"The value is not UTF-8 (byte {error.start})."
        raise MessageError(reason="bad_utf8", message=sentence) from None
    except msgspec.ValidationError as error:
        sentence = f"A field is not as it must be: {error}."
        raise MessageError(reason="wrong_type", message=sentence) from None
    except msgspec.DecodeError as error:
        sentence = f"The value is not one JSON object: {error}."
        raise MessageError(reason="bad_json", message=sentence) from None


def check_schema(schema: object) -> None:
    """Refuse a message of springtide's own kinds that is of another major version."""
    if isinstance(schema, str) and schema.startswith("springtide.") and not schema.endswith("/1"):
        sentence = "The message is of a schema that this version does not know."
        raise MessageError(reason="unknown_schema", message=sentence)


def checked_time_ms(time: dt.datetime | int, field: str) -> int:
    """Return epoch milliseconds, or refuse what is no time of ours."""
    time_ms = time if isinstance(time, int) else (time - _EPOCH) // _MILLISECOND
    if not EARLIEST_MS <= time_ms <= LATEST_MS:
        sentence = f"`{field}` is not between the years 1980 and 9999; give epoch milliseconds or RFC 3339."
        raise MessageError(reason="impossible_time", message=sentence)
    return time_ms


def checked_id(name: str | int | None, field: str) -> str:
    """Return an id as text, or refuse it."""
    if name is None:
        sentence = f"`{field}` is missing."
        raise MessageError(reason="missing_field", message=sentence)
    text = str(name)
    # A character has at most four bytes, so short ids need no count.
    if not text or (len(text) > MAX_ID_BYTES // 4 and len(text.encode()) > MAX_ID_BYTES):
        sentence = f"`{field}` must have between 1 and {MAX_ID_BYTES} bytes."
        raise MessageError(reason="bad_id", message=sentence)
    return text


# Strings, whose brackets do not count, and brackets. A string that never ends reaches to the end of the data.
_TOKENS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)


def _too_deep(data: bytes) -> bool:
    """Say whether arrays and objects nest deeper than MAX_DEPTH (in data that is not JSON: whether they seem to)."""
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return False
    depth = 0
    for token in _TOKENS.finditer(data):
        first = data[token.start()]
        if first in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif first in b"]}":
            depth -= 1
    return False
