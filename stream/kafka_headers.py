"""Header names that are not UTF-8: read, kept and sent again byte for byte.

To the broker a header's name is bytes; kafka-python 3.0.12 takes it for UTF-8 and raises out of `poll` where it is
not, again at every further poll. So one such record, from a client in another language, would stop a task for good,
and nothing that a consumer can be given helps: keys and values have deserializers, names have none.

Here the client is mended as this module is imported, which `stream.kafka_clients` does for all. Bytes that are no UTF-8
become lone surrogates, as Python has it for names of files, and a `HeaderName` turns them back wherever the client
encodes it. Names that are UTF-8 take the client's own path.
"""

from typing import Any

from kafka.record.default_records import DefaultRecordBatch


class HeaderName(str):
    """A header's name that is encoded to the bytes it was read from."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "surrogateescape") -> bytes:
        """Return the bytes of the name."""
        return super().encode(encoding, errors)


class _LenientBytes(bytearray):
    """What a batch is read from: names, which the client decodes where they stand, are never refused."""

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        return _LenientBytes(found) if isinstance(place, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "surrogateescape") -> str:
        return HeaderName(super().decode(encoding, errors))


_read_strictly = DefaultRecordBatch._read_msg


def _read(batch: DefaultRecordBatch) -> Any:
    """Read the next record of a batch, as the client does; once a name was no UTF-8, leniently to the batch's end."""
    try:
        return _read_strictly(batch)
    except UnicodeDecodeError:  # before the batch has moved on: its position is set last
        batch._buffer = _LenientBytes(batch._buffer)
        return _read_strictly(batch)


DefaultRecordBatch._read_msg = _read
