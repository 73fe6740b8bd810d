"""These fail when another version of the client reads or writes header names elsewhere than where it is mended."""

import pytest
from kafka.record import MemoryRecords
from kafka.record.default_records import DefaultRecordBatchBuilder

import stream.kafka_clients  # noqa: F401  # mends the client
from stream.kafka_headers import HeaderName

Header = tuple[str, bytes | None]

RAW = b"\xff\xfename"
NAME = HeaderName(RAW.decode(errors="surrogateescape"))


def written(records: list[list[Header]], compression: int = 0) -> bytes:
    builder = DefaultRecordBatchBuilder(2, compression, 0, -1, -1, -1, 2**20)
    for offset, headers in enumerate(records):
        assert builder.append(offset, 1, b"key", b"value", headers) is not None
    return bytes(builder.build())


def read(data: bytes) -> list[list[Header]]:
    batch = MemoryRecords(data).next_batch()
    records = list(batch)
    assert all((record.key, record.value) == (b"key", b"value") for record in records)
    assert all(type(part) is bytes for record in records for part in (record.key, record.value))
    return [record.headers for record in records]


@pytest.mark.parametrize("compression", [0, 3])
def test_names_that_are_not_utf_8_come_back_as_their_bytes_and_their_neighbours_too(compression: int) -> None:
    records: list[list[Header]] = [[("é", b"1")], [("a", b"\xff"), (NAME, b"2"), ("é", None)], [], [("é", b"3")]] * 9
    data = written(records, compression)
    back = read(data)

    assert back == records
    assert [name.encode() for name, _ in back[1]] == [b"a", RAW, "é".encode()]
    assert written(back, compression) == data


def test_the_client_writes_the_bytes_and_counts_them() -> None:
    assert RAW in written([[(NAME, b"1")]])
    assert DefaultRecordBatchBuilder.size_of(None, None, [(NAME, b"")]) == 1 + 1 + 1 + 1 + len(RAW) + 1


def test_names_that_are_utf_8_stay_plain() -> None:
    ((header,),) = read(written([[("é", b"1")]]))

    assert type(header[0]) is str
