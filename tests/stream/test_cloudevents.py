import base64

import msgspec
import pytest

from stream.errors import MessageError
from stream.events import Decoded, Decoder, Interaction
from stream.log import Headers
from tests.stream.records import NOON, record

ENVELOPE = {"specversion": "1.0", "id": "01J", "source": "/shop", "type": "view", "time": "2026-03-01T12:00:00Z"}
MESSAGE = {"user_id": "u1", "item_id": "i1"}


def structured(**changes: object) -> Decoded:
    return Decoder().decode(record(msgspec.json.encode({**ENVELOPE, **changes}), timestamp_ms=NOON))


def binary(message: dict[str, object], **changes: bytes) -> Decoded:
    attributes = {name: value.encode() for name, value in ENVELOPE.items()} | changes
    headers: Headers = (("traceparent", b"\xff"), *((f"ce_{name}", value) for name, value in attributes.items()))
    return Decoder().decode(record(msgspec.json.encode(message), headers=headers, timestamp_ms=NOON))


EXPECTED = (Interaction("01J", "u1", "i1", NOON, "view"),)


def test_the_envelope_says_what_the_message_does_not() -> None:
    assert structured(data=MESSAGE).events == EXPECTED
    assert structured(data_base64=base64.b64encode(msgspec.json.encode(MESSAGE)).decode()).events == EXPECTED
    assert binary({**MESSAGE}).events == EXPECTED


def test_the_message_comes_first() -> None:
    message = {**MESSAGE, "event_id": "e1", "event_type": "buy", "event_time": NOON - 1}

    for decoded in (structured(data=message), binary(message)):
        assert decoded.events == (Interaction("e1", "u1", "i1", NOON - 1, "buy"),)
        assert decoded.identity == "e1"


def test_ids_of_two_sources_are_two_identities() -> None:
    assert structured(data=MESSAGE).identity == binary({**MESSAGE}).identity == "/shop 01J"
    assert structured(data=MESSAGE, source="/app").identity == "/app 01J"


def test_an_envelope_in_an_envelope_is_not_opened() -> None:
    decoded = structured(data={**ENVELOPE, "data": MESSAGE})

    assert decoded.error is not None
    assert decoded.error.reason == "unknown_type"  # that of the inner envelope


@pytest.mark.parametrize(
    "changes", [{"specversion": b"0.3"}, {"id": b""}, {"source": b""}, {"time": b"noon"}, {"type": b"\xff"}]
)
def test_incomplete_headers_are_refused(changes: dict[str, bytes]) -> None:
    error = binary({**MESSAGE}, **changes).error

    assert isinstance(error, MessageError)
    assert error.reason == "bad_envelope"
