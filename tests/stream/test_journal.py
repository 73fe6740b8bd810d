import pytest

from stream.errors import RecoveryError
from stream.journal import JournalRecord, covered, decode, encode
from stream.log import TopicPartition

RANGES = {TopicPartition("in", 1): (5, 9), TopicPartition("in", 0): (0, 3)}
RECORD = JournalRecord(
    application="app",
    epoch=2,
    sequence=7,
    covered=covered(RANGES),
    decisions={"publish": True, "training_share": 0.5},
    records=6,
    settings="5e",
    milestone=(4096, 77),
)


def test_the_bytes_are_pinned() -> None:
    assert encode(RECORD) == (
        b'{"application":"app","epoch":2,"sequence":7,"covered":[["in",0,0,3],["in",1,5,9]],'
        b'"decisions":{"publish":true,"training_share":0.5},"before":null,"checkpoint":null,'
        b'"records":6,"settings":"5e","milestone":[4096,77],"schema":"springtide.journal/1"}'
    )


def test_a_record_comes_back_as_it_was() -> None:
    assert decode(encode(RECORD)) == RECORD
    assert decode(encode(RECORD)).ranges == RANGES


def test_a_record_of_before_did_not_note_how_many_it_read() -> None:
    assert decode(encode(RECORD).replace(b'"records":6,', b"")).records is None


def test_unknown_fields_are_ignored() -> None:
    assert decode(encode(RECORD)[:-1] + b',"later":1}') == RECORD


def test_another_major_version_is_refused() -> None:
    with pytest.raises(RecoveryError, match=r"is written as springtide\.journal/2, and this version reads"):
        decode(encode(RECORD).replace(b"journal/1", b"journal/2"))


@pytest.mark.parametrize("value", [b"", b"\xff", b"{}", b'{"epoch":"x"}'])
def test_something_else_is_refused(value: bytes) -> None:
    with pytest.raises(RecoveryError, match="no journal record"):
        decode(value)
