"""A broker that refuses a user is heard, instead of being taken for one that does not answer.

It says why and hangs up. kafka-python 3.0.12 misses that twice. When the answer and the end of the connection are there
at the same look, which with TLS is the rule, the answer is thrown away. And while a client looks for its first broker,
every failure is a reason to try again until the time is up, so that nobody learns that a password is wrong.

Here the client is mended as this module is imported, which `stream.kafka_clients` does for all: the end of a connection
waits until what came before it is read, and a refusal by a bootstrap server is kept where the client looks for one.
"""

from collections.abc import Callable
from typing import Any

from kafka.errors import (
    AuthorizationError,
    IllegalSaslStateError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)
from kafka.net.connection import KafkaConnection
from kafka.net.manager import KafkaConnectionManager
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport

REFUSALS = (
    AuthorizationError,
    IllegalSaslStateError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)
"""What a client raises when a broker refuses its user, or has another way to ask who it is."""

_Receive = Callable[[KafkaTCPTransport], tuple[bytes, Exception | None]]


def _hearing_all(receive: _Receive) -> _Receive:
    def heard(transport: KafkaTCPTransport) -> tuple[bytes, Exception | None]:
        data, end = receive(transport)
        return data, None if data else end  # the next look meets the end again

    return heard


for _transport in (KafkaTCPTransport, KafkaSSLTransport):
    _transport._sock_recv = _hearing_all(_transport._sock_recv)

_connects = KafkaConnectionManager._connect


async def _connect(
    manager: KafkaConnectionManager, node: Any, connection: KafkaConnection, *rest: Any, **more: Any
) -> None:
    await _connects(manager, node, connection, *rest, **more)
    error = connection.init_future.exception
    if isinstance(error, REFUSALS) and manager.cluster.is_bootstrap(node.node_id):
        manager._auth_failures[node.node_id] = error


KafkaConnectionManager._connect = _connect
