from stream.dead_letters import dead_letter
from stream.errors import MessageError
from stream.log import OutputRecord, Record
from tests.stream.records import NOON, record


def buried(source: Record, error: Exception) -> OutputRecord:
    return dead_letter(source, error, stage="decode", application="shop", version="0.1.0", group="shop-task-0")


def test_the_record_is_untouched_and_our_headers_stand_behind_its_own() -> None:
    own = (("trace", b"\xff"), ("__springtide.errors.stage", b"clean"))
    source = record(b"\x00\xff", topic="clicks", partition=3, offset=17, key=b"\xfe", headers=own)
    letter = buried(source, MessageError(reason="bad_utf8", message="The value is not UTF-8 (byte 1)."))

    assert (letter.topic, letter.partition, letter.key, letter.value) == ("clicks.dlq", 3, b"\xfe", b"\x00\xff")
    assert letter.timestamp_ms == NOON
    assert letter.headers[:2] == own
    assert dict(letter.headers[2:]) == {
        "__springtide.errors.topic": b"clicks",
        "__springtide.errors.partition": b"3",
        "__springtide.errors.offset": b"17",
        "__springtide.errors.timestamp": str(NOON).encode(),
        "__springtide.errors.stage": b"decode",
        "__springtide.errors.exception.class.name": b"bad_utf8",
        "__springtide.errors.exception.message": b"The value is not UTF-8 (byte 1).",
        "__springtide.errors.application": b"shop",
        "__springtide.errors.version": b"0.1.0",
        "__springtide.errors.group": b"shop-task-0",
        "__springtide.errors.attempts": b"1",
    }


def test_nothing_stays_nothing() -> None:
    letter = buried(record(None, timestamp_ms=-1), MessageError(reason="null_value", message="No value."))

    assert (letter.key, letter.value, letter.timestamp_ms) == (None, None, None)


def test_an_exception_of_a_model_is_named_and_cut_short() -> None:
    headers = dict(buried(record(b"{}"), ZeroDivisionError("\ud800" + "x" * 5_000)).headers)

    assert headers["__springtide.errors.exception.class.name"] == b"ZeroDivisionError"
    assert headers["__springtide.errors.exception.message"] == b"\\ud800" + b"x" * 999
