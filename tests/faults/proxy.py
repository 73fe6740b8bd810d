"""A TCP proxy that understands where Kafka's messages begin and end, and lets go wrong what a network can.

Each request says which call it is; its answer is found by its number. A judge is asked about every message, and says
whether it passes, is swallowed, takes a while, or takes the connection with it. While the proxy is a black hole it
accepts everything and passes nothing on.
"""

import asyncio
import struct
import threading
from collections.abc import Callable
from enum import Enum, IntEnum, auto
from typing import NamedTuple

HOST = "127.0.0.1"


class Call(IntEnum):
    """Kafka's numbers for the calls of a transaction."""

    PRODUCE = 0
    ADD_PARTITIONS = 24
    ADD_OFFSETS = 25
    END = 26
    COMMIT_OFFSETS = 28


class Way(Enum):
    """Where a message goes."""

    REQUEST = auto()
    ANSWER = auto()


class Verdict(NamedTuple):
    """What becomes of a message."""

    passes: bool = True
    cuts: bool = False  # the connection, after that
    delay_s: float = 0.0


PASSES = Verdict()
Judge = Callable[[Way, int], Verdict]


class Proxy:
    """Listens on `port` and passes on to `target`, from `start` until `stop`."""

    def __init__(self) -> None:
        self.port = 0
        self.target = 0
        self.judge: Judge = lambda _way, _call: PASSES
        """Asked in the thread of the proxy."""
        self._loop = asyncio.new_event_loop()
        self._clear = asyncio.Event()
        self._clear.set()
        self._connections: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def start(self) -> None:
        """Begin to listen; `target` may be set later."""
        self._thread.start()
        server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._accept, HOST, 0), self._loop).result()
        self._server = server
        self.port = server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Cut all connections and end."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def swallow(self) -> None:
        """Become a black hole."""
        self._loop.call_soon_threadsafe(self._clear.clear)

    def clear(self) -> None:
        """Pass on again, and let everything through; what waited goes on its way."""
        self.judge = lambda _way, _call: PASSES
        self._loop.call_soon_threadsafe(self._clear.set)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # one of the two sides has gone, and so does the other
        finally:
            self._connections.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, before = await asyncio.open_connection(HOST, self.target)
        calls: dict[int, int] = {}
        try:
            sides = [
                asyncio.ensure_future(self._pass(reader, before, Way.REQUEST, calls)),
                asyncio.ensure_future(self._pass(behind, writer, Way.ANSWER, calls)),
            ]
            try:
                await asyncio.wait(sides, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for side in sides:
                    side.cancel()
                await asyncio.gather(*sides, return_exceptions=True)
        finally:
            before.close()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way, calls: dict[int, int]
    ) -> None:
        while True:
            size = await reader.readexactly(4)
            body = await reader.readexactly(int.from_bytes(size, "big"))
            if way is Way.REQUEST:
                call, _, number = struct.unpack_from(">hhi", body)
                calls[number] = call
            else:
                call = calls.pop(int.from_bytes(body[:4], "big"), -1)
            verdict = self.judge(way, call)
            await asyncio.sleep(verdict.delay_s)
            await self._clear.wait()
            if verdict.passes:
                writer.write(size + body)
                await writer.drain()
            if verdict.cuts:
                return

    async def _end(self) -> None:
        self._server.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
