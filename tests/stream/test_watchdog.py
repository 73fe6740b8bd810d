import threading

import pytest

from stream.watchdog import Watchdog


def test_what_takes_too_long_ends_the_process_with_a_sentence(caplog: pytest.LogCaptureFixture) -> None:
    codes: list[int] = []
    ended = threading.Event()

    def end_process(code: int) -> None:
        codes.append(code)
        ended.set()

    watchdog = Watchdog(end_process, look_every_s=0.01)
    with watchdog.limit("A test", 0.02):
        assert ended.wait(30)
    watchdog.close()
    assert codes == [5]
    assert caplog.messages == ["A test has not ended within 0.02 s: the process ends; start it again."]


def test_what_ends_in_time_is_left_alone() -> None:
    ended = threading.Event()
    watchdog = Watchdog(lambda _code: ended.set(), look_every_s=0.01)
    with watchdog.limit("A test", 0.2):
        pass
    assert not ended.wait(0.4)
    watchdog.close()
