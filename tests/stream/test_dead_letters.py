import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.dead_letters import DeadLetter, dead_letter, note_of, read_dead_letter, read_note
from stream.errors import MessageError
from stream.log import Headers, OutputRecord, Record
from tests.stream.poison import poison
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


ATTEMPTS = "__springtide.errors.attempts"
BAD = MessageError(reason="bad_json", message="No.")


def stored(letter: OutputRecord, offset: int = 5) -> Record:
    """The letter as its topic holds it."""
    stamp = -1 if letter.timestamp_ms is None else letter.timestamp_ms
    return Record(letter.topic, letter.partition, offset, stamp, letter.key, letter.value, letter.headers)


def read(letter: OutputRecord, offset: int = 5) -> DeadLetter:
    found = read_dead_letter(stored(letter, offset))
    assert found is not None
    return found


def arrived(letter: OutputRecord) -> Record:
    """What is sent again, as the input topic holds it."""
    again = read(letter).sent_again()
    return Record(again.topic, again.partition, 99, NOON + 1, again.key, again.value, again.headers)


def test_what_is_sent_again_is_the_record_and_how_often_it_has_failed() -> None:
    source = record(b"{", topic="clicks", partition=3, offset=17, key=b"k", headers=(("trace", b"\xff"),))
    again = read(buried(source, BAD)).sent_again()

    assert again == OutputRecord("clicks", 3, b"k", b"{", (("trace", b"\xff"), (ATTEMPTS, b"1")), None)


def test_each_failure_counts() -> None:
    source = record(b"{", headers=(("trace", b"1"),))
    for attempts in range(1, 12):
        letter = buried(source, BAD)
        assert dict(letter.headers)[ATTEMPTS] == str(attempts).encode()
        assert read(letter).headers == (("trace", b"1"),)
        source = arrived(letter)


@pytest.mark.parametrize("said", [b"", b"0", b"-1", b"1.5", b"many", b"9" * 30, None])
def test_a_count_that_is_none_counts_nothing(said: bytes | None) -> None:
    letter = buried(record(b"{", headers=((ATTEMPTS, said),)), BAD)

    assert letter.headers[-1] == (ATTEMPTS, b"1")
    assert read(letter).headers == ((ATTEMPTS, said),)


any_headers = st.lists(
    st.tuples(st.sampled_from(["a", "b", ATTEMPTS, "__springtide.errors.stage"]), st.none() | st.binary(max_size=3))
).map(tuple)


@given(any_headers, st.integers(1, 4))
def test_headers_come_back_as_they_were_however_often(headers: Headers, failures: int) -> None:
    source = record(b"{", headers=headers)
    for _ in range(failures):
        source = arrived(buried(source, BAD))
    counted = headers and headers[-1][0] == ATTEMPTS and re.fullmatch(rb"[1-9][0-9]*", headers[-1][1] or b"")
    assert source.headers[:-1] == (headers[:-1] if counted else headers)


def test_a_value_that_was_left_out_is_noticed() -> None:
    letter = buried(record(b"{", headers=(("a", b"1"),)), BAD)
    lost = msgspec.structs.replace(letter, value=None, headers=(*letter.headers, ("__springtide.value.left.out", b"9")))

    assert not read(letter).value_left_out
    assert read(lost).value_left_out
    assert read(lost).headers == (("a", b"1"),)


def test_what_springtide_did_not_write_is_no_dead_letter() -> None:
    letter = stored(buried(record(b"{"), BAD))
    for headers in [(), letter.headers[1:], letter.headers[::-1], (*letter.headers[:-1], (ATTEMPTS, b"x"))]:
        assert read_dead_letter(msgspec.structs.replace(letter, headers=headers)) is None


def test_a_note_says_which_letters_were_sent_again() -> None:
    letter = buried(record(b"{", partition=2), BAD)
    note = stored(note_of([read(letter, offset) for offset in (17, 21)], "shop"))

    assert (note.topic, note.partition, note.key) == ("interactions.dlq", 2, None)
    assert note.value == b'{"schema":"springtide.sent_again/1","application":"shop","offsets":[17,21]}'
    found = read_note(note)
    assert found is not None
    assert (found.application, found.offsets) == ("shop", [17, 21])
    assert read_note(msgspec.structs.replace(note, value=(note.value or b"").replace(b"/1", b"/2"))) is None
    assert read_dead_letter(note) is None


@pytest.mark.parametrize("bad", poison(), ids=lambda bad: bad.name)
def test_dead_letters_of_any_kind_are_read_back_and_are_no_notes(bad: Record) -> None:
    letter = stored(buried(record(bad.value, key=bad.key, headers=bad.headers), BAD))
    found = read_dead_letter(letter)

    assert found is not None
    assert (found.record.value, found.headers) == (bad.value, bad.headers)
    assert read_note(letter) is None
    assert read_note(msgspec.structs.replace(letter, key=None, headers=())) is None
