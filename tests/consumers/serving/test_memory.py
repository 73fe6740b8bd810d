import logging
import threading

import pytest

from consumers.serving.memory import MemoryWatch

_PATIENCE_S = 30


def test_who_has_nearly_all_of_the_memory_ends_with_a_sentence(caplog: pytest.LogCaptureFixture) -> None:
    held, codes, ended = iter([95 << 20, 96 << 20]), list[int](), threading.Event()

    def end(code: int) -> None:
        codes.append(code)
        ended.set()

    with caplog.at_level(logging.CRITICAL), MemoryWatch(lambda: 100 << 20, held.__next__, end, 0.01):
        assert ended.wait(_PATIENCE_S)
    assert codes == [1]
    assert "has 96 MB of the 100 MB of memory that there are" in caplog.text
    assert "lower windows.users and models.items" in caplog.text


def test_it_looks_no_more_when_the_block_ends() -> None:
    looks = list[threading.Thread]()
    looked = threading.Event()

    def held() -> int:
        looks.append(threading.current_thread())
        looked.set()
        return 0

    with MemoryWatch(lambda: 1, held, lambda _: None, 0.01):
        assert looked.wait(_PATIENCE_S)
    looks[0].join(_PATIENCE_S)
    assert not looks[0].is_alive()
