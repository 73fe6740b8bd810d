"""What is told of items: the decoder of the items topic.

A record holds one JSON object in UTF-8 and all that is known of one item; its key is the item's id::

    {"type": "item", "item_id": "i942", "published_at": "2026-03-01T12:00:00Z", "available": true,
     "attributes": {"genre": ["jazz", "soul"], "label": "Blue", "year": 2026}, "vector": [0.12, -0.4, 0.33]}

The newest record of an item counts, and it counts whole: what it does not say is no longer known. A record without a
value, as a compacted topic has it for what is deleted, withdraws the item.

The rules of reading are those of events (`events`), and these:

- Only `item_id` is required. Where the record has a key, it must be the same, because compaction goes by keys.
- `published_at` may lie ahead, but not before 1980 or after 9999.
- Attributes are strings, numbers, booleans, or lists of them, and compared as text; there are at most `MAX_ATTRIBUTES`
  in all, each of at most `MAX_ATTRIBUTE_BYTES` with its name. ``null`` is the same as absent.
- A vector has as many numbers as the settings say. Where they say none, vectors are not looked at.

Items have no event time. What a record says holds from the moment it is read, so nobody waits for the records of this
topic to be as late as the events, nor the other way round (`AT_ONCE`).
"""

import datetime as dt
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from stream.errors import MessageError
from stream.events import AT_ONCE, Decoded, Item, check_schema, checked_id, checked_time_ms, read_json
from stream.log import Record

MAX_ATTRIBUTES = 32
MAX_ATTRIBUTE_BYTES = 256
MAX_VECTOR = 4_096

_Value = str | int | float | bool | None


class _Wire(Struct, frozen=True):
    item_id: str | Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    type: str | None = None
    schema: Any = None
    published_at: Annotated[dt.datetime, Meta(tz=True)] | int | None = None
    available: bool | None = None
    attributes: dict[str, _Value | list[_Value]] | None = None
    vector: Annotated[list[float], Meta(max_length=MAX_VECTOR)] | None = None


class ItemDecoder:
    """Reads records into what they say of items; one instance reads any number of them.

    Parameters
    ----------
    vector_length
        How many numbers a vector has; 0 where vectors are not looked at.
    max_value_bytes
        Longer values are refused.
    integer_ids
        Whether items may be named by JSON integers (of 64 bits), read as their decimal digits.
    """

    def __init__(self, *, vector_length: int = 0, max_value_bytes: int = 1_048_576, integer_ids: bool = False) -> None:
        self._vector_length = vector_length
        self._max_value_bytes = max_value_bytes
        self._integer_ids = integer_ids
        self._json = msgspec.json.Decoder(_Wire)

    def decode(self, record: Record) -> Decoded:
        """Read one record; what is wrong with it is in the answer's `error`."""
        try:
            item = _withdrawn(record) if record.value is None else self._read(record, record.value)
        except MessageError as error:
            return Decoded(record, (), error, AT_ONCE)
        return Decoded(record, (), None, AT_ONCE, item=item)

    def _read(self, record: Record, data: bytes) -> Item:
        wire = read_json(data, self._json, self._max_value_bytes)
        check_schema(wire.schema)
        if wire.type not in {None, "item"}:
            sentence = "`type` must be item."
            raise MessageError(reason="unknown_type", message=sentence)
        if isinstance(wire.item_id, int) and not self._integer_ids:
            sentence = "A field is not as it must be: Expected `str`, got `int` - at `$.item_id`."
            raise MessageError(reason="wrong_type", message=sentence)
        item_id = checked_id(wire.item_id, "item_id")
        if record.key is not None and record.key != item_id.encode():
            sentence = "The record's key is not its `item_id`, so compaction would take it for another item."
            raise MessageError(reason="key_mismatch", message=sentence)
        return Item(
            item_id=item_id,
            available=wire.available is not False,
            published_ms=None if wire.published_at is None else checked_time_ms(wire.published_at, "published_at"),
            attributes=_attributes(wire),
            vector=self._vector(wire),
        )

    def _vector(self, wire: _Wire) -> tuple[float, ...]:
        if wire.vector is None or self._vector_length == 0:
            return ()
        if len(wire.vector) != self._vector_length:
            sentence = f"`vector` has {len(wire.vector)} numbers; items.vector_length is {self._vector_length}."
            raise MessageError(reason="wrong_vector", message=sentence)
        return tuple(wire.vector)


def _withdrawn(record: Record) -> Item:
    """Read a record without a value: its key names an item that is no more."""
    try:
        item_id = checked_id(None if record.key is None else record.key.decode(), "key")
    except UnicodeDecodeError:
        sentence = "The record has no value, and its key is not UTF-8."
        raise MessageError(reason="bad_utf8", message=sentence) from None
    return Item(item_id=item_id, available=False)


def _attributes(wire: _Wire) -> tuple[str, ...]:
    texts = tuple(dict.fromkeys(_texts(wire.attributes or {})))
    if len(texts) > MAX_ATTRIBUTES:
        sentence = f"`attributes` has {len(texts)} values; the limit is {MAX_ATTRIBUTES}."
        raise MessageError(reason="too_many_attributes", message=sentence)
    for text in texts:
        if len(text.encode()) > MAX_ATTRIBUTE_BYTES:
            sentence = f"An attribute has more than {MAX_ATTRIBUTE_BYTES} bytes with its name: {text[:40]!r}..."
            raise MessageError(reason="long_attribute", message=sentence)
    return texts


def _texts(attributes: dict[str, _Value | list[_Value]]) -> Iterator[str]:
    for name, said in attributes.items():
        for value in said if isinstance(said, list) else [said]:
            if value is not None:
                yield f"{name}={str(value).lower() if isinstance(value, bool) else value}"
