"""How to reach a broker: address, security, and the settings that every client shares.

The values are those that were measured to matter. kafka-python's own loggers are silenced below "critical", because
what they would say reaches the user as one sentence of `stream.errors` instead.
"""

import ipaddress
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer
from kafka.errors import (
    AuthorizationError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    NodeNotReadyError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)
from kafka.structs import TopicPartition as KafkaPartition

import stream.kafka_headers  # mends the client: header names need not be UTF-8
import stream.kafka_joins  # noqa: F401  # mends it too: a join of a group that has begun is ended
from stream.errors import LogError, LogUnavailableError

logging.getLogger("kafka").setLevel(logging.CRITICAL)

_BOOTSTRAP_TIMEOUT_MS = 5_000
_REQUEST_TIMEOUT_MS = 10_000
_KNOCK_TIMEOUT_S = 3.0

_CONSUMER = {
    "enable_auto_commit": False,
    "allow_auto_create_topics": False,
    "isolation_level": "read_committed",
    "auto_offset_reset": "none",  # a position is always set by hand
    "check_crcs": True,
    "fetch_max_wait_ms": 50,
    # A poll must take all that was fetched: the rest of what was fetched of a partition is never given any more when it
    # is paused half-taken and resumed (kafka-python 3.0.12 looks for it only where nothing was taken before).
    "max_poll_records": 10**9,
    "fetch_max_bytes": 4 * 2**20,  # so this bounds a poll
    "max_partition_fetch_bytes": 2**20,
    "metrics_enabled": False,
}


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the broker is and how to talk to it; LogError when that would send data in the clear over a network.

    Parameters
    ----------
    bootstrap
        ``host:port``, or several with commas between them.
    security_protocol
        PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.
    sasl_mechanism, sasl_username, sasl_password
        Used with the SASL protocols.
    ssl_cafile
        Authorities to trust; None: those of the system.
    allow_plaintext
        Accept an unencrypted connection to another machine.
    """

    bootstrap: str
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str | None = None
    sasl_username: str | None = None
    sasl_password: str | None = None
    ssl_cafile: str | None = None
    allow_plaintext: bool = False

    def __post_init__(self) -> None:
        in_the_clear = "SSL" not in self.security_protocol
        if in_the_clear and not self.allow_plaintext and not all(map(_is_loopback, self.servers())):
            message = (
                f"{self.security_protocol} would send data unencrypted to {self.bootstrap}: "
                "use SSL or SASL_SSL, or allow plaintext where the network is trusted."
            )
            raise LogError(message)

    def __repr__(self) -> str:
        return f"Connection({self.bootstrap!r}, {self.security_protocol})"

    def servers(self) -> list[str]:
        """Return the bootstrap servers one by one."""
        return [server.strip() for server in self.bootstrap.split(",")]

    def settings(self) -> dict[str, Any]:
        """Return the settings that every client takes."""
        settings: dict[str, Any] = {
            "bootstrap_servers": self.servers(),
            "security_protocol": self.security_protocol,
            "bootstrap_timeout_ms": _BOOTSTRAP_TIMEOUT_MS,
            "request_timeout_ms": _REQUEST_TIMEOUT_MS,
        }
        if "SASL" in self.security_protocol:
            settings["sasl_mechanism"] = self.sasl_mechanism
            settings["sasl_plain_username"] = self.sasl_username
            settings["sasl_plain_password"] = self.sasl_password
        if "SSL" in self.security_protocol:
            settings["ssl_cafile"] = self.ssl_cafile
        return settings

    def knock(self) -> None:
        """Raise OSError unless a bootstrap server accepts a connection: at once, where a client would try for long."""
        last = OSError("no bootstrap server is named")
        for server in self.servers():
            host, _, port = server.rpartition(":")
            try:
                socket.create_connection((host.strip("[]"), int(port)), _KNOCK_TIMEOUT_S).close()
            except (OSError, ValueError) as error:
                last = OSError(f"{server}: {error}")
            else:
                return
        raise last

    def consumer(self, **more: Any) -> KafkaConsumer:
        """Connect a consumer of committed records; `more` adds to or replaces its settings.

        Raises LogUnavailableError when nobody answers.
        """
        with self.reaching():
            self.knock()
            return KafkaConsumer(**{**self.settings(), **_CONSUMER, **more})

    def admin(self) -> KafkaAdminClient:
        """Connect an admin client; LogUnavailableError when nobody answers."""
        with self.reaching():
            self.knock()
            return KafkaAdminClient(**self.settings())

    @contextmanager
    def reaching(self) -> Iterator[None]:
        """Turn what the client raises while it talks to the broker into one sentence."""
        try:
            yield
        except (AuthorizationError, SaslAuthenticationFailedError, UnsupportedSaslMechanismError) as error:
            message = (
                f"The Kafka broker at {self.bootstrap} refuses this user ({_reason(error)}): "
                "check its name, password and rights."
            )
            raise LogError(message) from error
        except KeyError as error:
            if not isinstance(error.args[0], KafkaPartition):
                raise
            # So the client says that a partition has no leader.
            topic, partition = error.args[0]
            message = f"Partition {partition} of topic {topic} is offline: start the brokers that hold it."
            raise LogUnavailableError(message) from error
        except (OSError, KafkaConnectionError, KafkaTimeoutError, NodeNotReadyError) as error:
            message = (
                f"No Kafka broker answers at {self.bootstrap} by {self.security_protocol}: "
                "start one (springtide broker), or set kafka.bootstrap to where it is."
            )
            raise LogUnavailableError(message) from error
        except KafkaError as error:
            message = f"The Kafka broker at {self.bootstrap} does not do as asked ({_reason(error)}): see its log."
            raise LogError(message) from error


def _reason(error: KafkaError) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def _is_loopback(server: str) -> bool:
    host = server.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
