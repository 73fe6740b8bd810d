"""Ends the process before the machine does when it fills its memory.

A kernel that runs out of memory kills without a word, and not always the process that has filled it. What is committed
stays, so an end costs no more than a recovery; and the log says why. No last snapshot is taken: that needs room for a
copy of the state, and there is none.
"""

import logging
import os
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from consumers.metrics.machine import memory_limit_bytes, resident_bytes
from stream.errors import SpringtideError

_log = logging.getLogger(__name__)

_FULL = 0.95  # of what the process may have; the alert rings at nine tenths


class MemoryWatch:
    """Looks at the memory of this process, in a thread of its own, inside a ``with`` block.

    Parameters
    ----------
    limit_bytes
        What it may have.
    held_bytes
        What it has.
    end_process
        Called with an exit code when it has nearly all; the real one does not return.
    look_every_s
        How often it looks.
    """

    def __init__(
        self,
        limit_bytes: Callable[[], int] = memory_limit_bytes,
        held_bytes: Callable[[], int] = resident_bytes,
        end_process: Callable[[int], object] = os._exit,
        look_every_s: float = 1.0,
    ) -> None:
        self._limit_bytes = limit_bytes()
        self._held_bytes = held_bytes
        self._end_process = end_process
        self._look_every_s = look_every_s
        self._closed = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._watch, name="springtide-memory", daemon=True).start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._closed.set()

    def _watch(self) -> None:
        while not self._closed.wait(self._look_every_s):
            if (held_bytes := self._held_bytes()) > _FULL * self._limit_bytes:
                _log.critical(
                    "The process has %d MB of the %d MB of memory that there are: it ends before it is killed; give "
                    "it more, or lower windows.users and models.items.",
                    held_bytes >> 20,
                    self._limit_bytes >> 20,
                )
                self._end_process(SpringtideError.exit_code)
                return
