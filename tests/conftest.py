"""What holds for every test."""

import socket
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import settings
from kafka.net.inet import KafkaNetSocket

from stream.broker import EmbeddedBroker

# A first example may compile kernels for seconds; pytest's own timeout catches what hangs.
settings.register_profile("springtide", deadline=None)
settings.load_profile("springtide")

_prefixes = count()


@pytest.fixture(scope="session", autouse=True)
def _connects_that_are_cut_short_close_their_sockets() -> Iterator[None]:
    """Close what kafka-python 3.0.12 leaves to the garbage collector where a client is closed while it connects.

    One in a thousand does so; the collector's warning would then fail whatever test happens to run.
    """
    connect = KafkaNetSocket.sock_connect

    async def connect_or_close(self: KafkaNetSocket, net: Any, sock: socket.socket, *args: Any, **more: Any) -> Any:
        try:
            return await connect(self, net, sock, *args, **more)
        except BaseException:
            sock.close()
            raise

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(KafkaNetSocket, "sock_connect", connect_or_close)
        yield


@pytest.fixture(scope="session")
def broker() -> Iterator[EmbeddedBroker]:
    """A real Apache Kafka, started when the first test asks for it and shared by all."""
    with EmbeddedBroker() as running:
        yield running


@pytest.fixture
def prefix() -> str:
    """A prefix for topics and applications that no other test uses."""
    return f"test{next(_prefixes)}."
