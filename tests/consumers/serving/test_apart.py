import json
import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from consumers.serving.apart import Apart, ApartError

PATIENCE_S = 60.0


def test_the_copy_works_on_what_was_there_when_it_was_made() -> None:
    numbers = [1, 2]
    apart = Apart(lambda: json.dumps([numbers, os.getpid()]).encode())
    numbers.append(3)
    seen, pid = json.loads(apart.result(PATIENCE_S))
    assert seen == [1, 2]
    assert pid != os.getpid()


def test_what_the_work_raises_comes_back_as_text() -> None:
    with pytest.raises(ApartError, match=r"(?s)Traceback.*ZeroDivisionError"):
        Apart(lambda: bytes(1 // 0)).result(PATIENCE_S)


def test_a_copy_that_is_killed_has_no_result() -> None:
    def work() -> bytes:
        os.kill(os.getpid(), signal.SIGKILL)
        return b"never"

    with pytest.raises(ApartError, match="ended with -9"):
        Apart(work).result(PATIENCE_S)


def test_a_copy_that_is_not_done_in_time_is_ended() -> None:
    apart = Apart(lambda: bytes(threading.Event().wait()))
    with pytest.raises(ApartError, match="not done in time"):
        apart.result(0.1)
    with pytest.raises(ProcessLookupError):
        os.kill(apart._pid, 0)


def test_who_waits_for_a_copy_can_be_hurried() -> None:
    apart = Apart(lambda: bytes(threading.Event().wait()))
    with ThreadPoolExecutor(1) as worker:
        waiting = worker.submit(apart.result, 100 * PATIENCE_S)
        apart.hurry(0.1)
        with pytest.raises(ApartError, match="not done in time"):
            waiting.result(PATIENCE_S)


def test_a_parent_that_does_not_ask_how_its_children_end_has_results() -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert Apart(lambda: b"done").result(PATIENCE_S) == b"done"
        with pytest.raises(ApartError, match="ZeroDivisionError"):
            Apart(lambda: bytes(1 // 0)).result(PATIENCE_S)
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_where_no_copy_can_be_made_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("consumers.serving.apart.os.fork", refuse)
    with pytest.raises(ApartError, match=r"No copy of the process can be made \(.*temporarily unavailable\)"):
        Apart(lambda: b"never")


def test_what_ends_the_parent_in_order_does_not_end_the_copy() -> None:
    def work() -> bytes:
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(os.getpid(), number)
        return b"done"

    assert Apart(work).result(PATIENCE_S) == b"done"


def test_ports_and_connections_of_the_parent_are_not_open_in_the_copy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def work() -> bytes:
            os.fstat(server.fileno())
            return b"open"

        with pytest.raises(ApartError, match="Bad file descriptor"):
            Apart(work).result(PATIENCE_S)


_PARENT = """
import os, signal, threading
from consumers.serving.apart import Apart
apart = Apart(lambda: bytes(threading.Event().wait()))
print(apart._pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such promise")
def test_the_copy_dies_with_its_parent() -> None:
    reading, kept_open = os.pipe()
    with subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, stderr=kept_open) as parent:
        os.close(kept_open)
        assert parent.stdout is not None
        assert int(parent.stdout.readline()) > 0
        assert os.read(reading, 1) == b""  # the end: nobody has it open any more, the copy neither
    os.close(reading)
    assert parent.returncode == -signal.SIGKILL
