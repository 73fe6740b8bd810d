import os
import sys
from collections.abc import Iterator
from typing import IO

import pytest

from stream.guard import Guarded

ENDS_WHEN_TOLD = "import signal; print('here', flush=True); signal.pause()"
ENDS_NEVER = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); signal.pause()"


@pytest.fixture
def said() -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """What a command says, to be read and to be written."""
    read, write = os.pipe()
    with os.fdopen(read, "rb") as reader, os.fdopen(write, "wb") as writer:
        yield reader, writer


@pytest.mark.parametrize(("program", "within_s"), [(ENDS_WHEN_TOLD, 60.0), (ENDS_NEVER, 0.2)])
def test_a_stopped_command_has_ended_even_one_that_does_not_end_when_told(
    said: tuple[IO[bytes], IO[bytes]], program: str, within_s: float
) -> None:
    reader, writer = said
    command = Guarded([sys.executable, "-c", program], writer)
    writer.close()
    assert reader.readline() == b"here\n"
    assert command.running()
    command.stop(within_s)
    assert not command.running()
    assert reader.read() == b""  # nobody has the other end any more


def test_it_has_the_environment_and_holds_the_files_that_it_is_given(said: tuple[IO[bytes], IO[bytes]]) -> None:
    reader, writer = said
    held_read, held_write = os.pipe()
    command = Guarded(["/bin/sh", "-c", "echo $WORD"], writer, {"WORD": "given"}, [held_write])
    writer.close()
    os.close(held_write)
    assert reader.read() == b"given\n"
    with os.fdopen(held_read, "rb") as held:
        assert held.read() == b""  # returns when the guard ends
    command.stop(60.0)
    assert not command.running()
