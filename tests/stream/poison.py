"""Bad records of many kinds: each must become a dead letter, and none may stop anything.

They are bad for a decoder with the usual field names and limits, in records whose own timestamp lies between 1980 and
2098.
"""

import base64
from typing import NamedTuple

from stream.log import Headers

USER = b"u17"
DEEP = 100_000
LARGE = 5_000_000


class Poison(NamedTuple):
    """One bad record."""

    name: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


def poison() -> list[Poison]:
    """Return one record of each kind; the names are unique."""
    values: dict[str, bytes | None] = {
        # No JSON object at all
        "null value": None,
        "empty value": b"",
        "blank value": b"  \n",
        "not UTF-8": b"\xff\xfe\x00",
        "UTF-16": _event().decode().encode("utf-16"),
        "byte order mark": b"\xef\xbb\xbf" + _event(),
        "NUL bytes": b"\x00" * 64,
        "truncated": _event()[:-9],
        "trailing characters": _event() + b"}",
        "two objects": _event() + b"\n" + _event(),
        "single quotes": _event().replace(b'"', b"'"),
        "array at the top": b"[" + _event() + b"]",
        "string at the top": b'"' + USER + b'"',
        "number at the top": b"17",
        "JSON null": b"null",
        "deep arrays": _event(b'"context":' + b"[" * DEEP + b"]" * DEEP),
        "deep objects": _event(b'"context":' + b'{"a":' * DEEP + b"1" + b"}" * DEEP),
        "deep and truncated": b"[" * DEEP,
        "deep behind an open string": b'{"a":"' + b'\\"' * DEEP + b"[" * DEEP,
        "5 MB of text": _event(b'"context":"' + b"x" * LARGE + b'"'),
        "5 MB of noise": bytes(range(256)) * (LARGE // 256),
        "5 MB of brackets": b"[]" * (LARGE // 2),
        # Bad strings and numbers
        "bad UTF-8 in the user": _event(user=b'"u\xff"'),
        "bad UTF-8 in a field that is not read": _event(b'"session_id":"\xc3("'),
        "bad UTF-8 in a name": _event(b'"\xed\xa0\x80":1'),
        "lone surrogate": _event(user=b'"\\ud800"'),
        "control character": _event(user=b'"u\n17"'),
        "NaN": _event(b'"value":NaN'),
        "infinite": _event(b'"value":Infinity'),
        "number too large": _event(b'"value":1e999'),
        "integer of 5,000 digits": _event(time=b"9" * 5_000),
        "integer of 30 digits": _event(time=b"9" * 30),
        # Wrong types
        "user is a number": _event(user=b"17"),
        "user is an object": _event(user=b'{"id":"u17"}'),
        "item is an array": _event(item=b'["i942"]'),
        "item is a boolean": _event(item=b"true"),
        "value is text": _event(b'"value":"4.5"'),
        "event type is a number": _event(b'"event_type":3'),
        "type is a number": _event(b'"type":3'),
        "second of two users is a number": _event(b'"user_id":17'),
        "items are strings": _event(b'"items":["i1","i2"]', item=b"null"),
        "no items": _event(b'"items":[]', item=b"null"),
        "one of the items is empty": _event(b'"items":[{"item_id":"i1"},{"item_id":""}]', item=b"null"),
        "too many items": _event(b'"items":[' + b",".join([b'{"item_id":"i"}'] * 1_001) + b"]", item=b"null"),
        "k is zero": _event(b'"type":"request","k":0'),
        "k is huge": _event(b'"type":"request","k":1000000000'),
        # Missing and empty fields
        "empty object": b"{}",
        "user is missing": b'{"item_id":"i942","event_time":1767225600250}',
        "item is missing": b'{"user_id":"u17","event_time":1767225600250}',
        "time is missing": b'{"user_id":"u17","item_id":"i942"}',
        "user is null": _event(user=b"null"),
        "user is empty": _event(user=b'""'),
        "item is empty": _event(item=b'""'),
        "item is too long": _event(item=b'"' + b"i" * 513 + b'"'),
        "event id is empty": _event(b'"event_id":""'),
        # Unknown kinds
        "unknown type": _event(b'"type":"telemetry"'),
        "unknown schema": _event(b'"schema":"springtide.interaction/2"'),
        # Times
        "time in 1970": _event(time=b'"1970-01-01T00:00:01Z"'),
        "time in seconds": _event(time=b"1767225600"),
        "time in microseconds": _event(time=b"1767225600250000"),
        "time before 1970": _event(time=b"-5"),
        "time in 2099": _event(time=b'"2099-01-01T00:00:00Z"'),
        "time without a zone": _event(time=b'"2026-01-01T00:00:00"'),
        "time is no time": _event(time=b'"yesterday"'),
        "time is a fraction": _event(time=b"1767225600.25"),
        "time is a boolean": _event(time=b"true"),
        "day that never was": _event(time=b'"2026-02-30T00:00:00Z"'),
        # CloudEvents
        "envelope without an id": b'{"specversion":"1.0","type":"view","source":"/shop","data":' + _event() + b"}",
        "envelope of another version": _cloud(b'"data":' + _event()).replace(b'"1.0"', b'"2.0"'),
        "envelope without data": _cloud(b'"datacontenttype":"application/json"'),
        "envelope around bad base64": _cloud(b'"data_base64":"%%%"'),
        "envelope around bad UTF-8": _cloud(b'"data_base64":"' + base64.b64encode(b"\xff") + b'"'),
        "envelope around depth": _cloud(b'"data_base64":"' + base64.b64encode(b"[" * DEEP) + b'"'),
    }
    bad_header = (("ce_specversion", b"1.0"), ("ce_id", b"\xff"), ("ce_source", b"/shop"), ("ce_type", b"view"))
    name_in_envelope = (*bad_header[:1], ("ce_id", b"1"), *bad_header[2:], ("ce_\udcff", b"1"))
    return [
        *(Poison(name, USER, value) for name, value in values.items()),
        Poison("no key and no value", None, None),
        Poison("key is not UTF-8", b"\xff", b"{"),
        Poison("header is not UTF-8", USER, _event(), bad_header),
        Poison("header name is not UTF-8", USER, b"{", (("\udcff\udcfename", b"1"),)),
        Poison("header name in an envelope is not UTF-8", USER, _event(), name_in_envelope),
        Poison("headers begin an envelope", USER, _event(), (("ce_specversion", b"1.0"),)),
    ]


def _event(
    more: bytes = b"", *, user: bytes = b'"u17"', item: bytes = b'"i942"', time: bytes = b"1767225600250"
) -> bytes:
    """Write an interaction by hand; it is good as it is, and bad by what is put in."""
    end = b"," + more if more else b""
    return b'{"user_id":' + user + b',"item_id":' + item + b',"event_time":' + time + end + b"}"


def _cloud(more: bytes) -> bytes:
    """Write a structured CloudEvent that ends with `more`."""
    return b'{"specversion":"1.0","type":"view","source":"/shop","id":"1",' + more + b"}"
