"""CloudEvents around a message: the envelope is read, the message inside goes its usual way.

In *binary* mode the record's value is the message itself and the envelope stands in headers ``ce_*``; in *structured*
mode the value is the envelope, with the message in its `data`. What the message does not say, the envelope does: `id`
stands in for `event_id`, `time` for `event_time`, `type` for `event_type`.

Source: CloudEvents 1.0, Kafka protocol binding and JSON event format.
"""

import datetime as dt
from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from stream.errors import MessageError
from stream.log import Headers

_MARK = "ce_specversion"

Time = Annotated[dt.datetime, Meta(tz=True)]
Id = Annotated[str, Meta(min_length=1, max_length=512)]


class Envelope(Struct, frozen=True):
    """What a CloudEvent says about the message inside it."""

    specversion: Annotated[str, Meta(pattern=r"^1\.")]
    id: Id
    source: Annotated[str, Meta(min_length=1, max_length=2048)]
    type: Annotated[str, Meta(min_length=1, max_length=512)]
    time: Time | None = None

    @property
    def identity(self) -> str:
        """What names the event: ids are unique within a source only."""
        return f"{self.source} {self.id}"


class _Structured(Envelope, frozen=True):
    """A structured CloudEvent: the message is JSON in `data`, or JSON text in `data_base64`."""

    data: Raw = Raw()
    data_base64: bytes | None = None


_decoder = msgspec.json.Decoder(_Structured)


def binary_envelope(headers: Headers) -> Envelope | None:
    """Read the envelope from a record's headers; None where it has none.

    Raises MessageError when the headers begin an envelope and do not complete it.
    """
    if not any(name == _MARK for name, _ in headers):
        return None
    try:
        attributes = {name[3:]: (value or b"").decode() for name, value in headers if name.startswith("ce_")}
        return msgspec.convert(attributes, Envelope)
    except (msgspec.ValidationError, UnicodeError) as error:
        sentence = f"The headers are no CloudEvents 1 envelope: {error}."
        raise MessageError(reason="bad_envelope", message=sentence) from None


def structured_envelope(value: bytes) -> tuple[bytes, Envelope]:
    """Split a value into the message inside and its envelope.

    Raises MessageError when the value is no complete envelope, or holds nothing.
    """
    try:
        envelope = _decoder.decode(value)
    except msgspec.ValidationError as error:
        sentence = f"The value is no CloudEvents 1 envelope: {error}."
        raise MessageError(reason="bad_envelope", message=sentence) from None
    data = bytes(envelope.data) or envelope.data_base64
    if data is None:
        sentence = "The CloudEvents envelope has neither data nor data_base64."
        raise MessageError(reason="bad_envelope", message=sentence)
    return data, envelope
