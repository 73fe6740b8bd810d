"""How to reach a broker: address, security, and the settings that every client shares.

The values are those that were measured to matter. kafka-python's own loggers are silenced below "critical", because
what they would say reaches the user as one sentence of `stream.errors` instead.
"""

import ipaddress
import logging
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer
from kafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError, NodeNotReadyError
from kafka.structs import TopicPartition as KafkaPartition

import stream.kafka_headers  # mends the client: header names need not be UTF-8
import stream.kafka_joins  # noqa: F401  # mends it too: a join of a group that has begun is ended
from stream.errors import LogError, LogUnavailableError, SettingsError
from stream.kafka_refusals import REFUSALS  # and mends it: a broker that refuses a user is heard

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
        in_the_clear = not self._encrypted()
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
        """Return the settings that every client takes; SettingsError when the authorities cannot be read."""
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
        if self._encrypted():
            settings["ssl_context"] = self._trust()
        return settings

    def knock(self) -> None:
        """Raise OSError unless a bootstrap server accepts a connection, and the client its certificate.

        It says so at once, where a client would try for long and then not know why.
        """
        last = OSError("no bootstrap server is named")
        for server in self.servers():
            host, _, port = server.rpartition(":")
            try:
                with socket.create_connection((host.strip("[]"), int(port)), _KNOCK_TIMEOUT_S) as connected:
                    if self._encrypted():
                        _shake_hands(connected, host.strip("[]"), self._trust())
            except ssl.SSLError as error:
                last = error
            except (OSError, ValueError) as error:
                last = OSError(f"{server}: {error}")
            else:
                return
        raise last

    def _encrypted(self) -> bool:
        return "SSL" in self.security_protocol

    def _trust(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.ssl_cafile is None:
            context.load_default_certs()
            return context
        try:
            context.load_verify_locations(self.ssl_cafile)
        except OSError as error:
            message = (
                f"The file {self.ssl_cafile} of kafka.ssl_cafile cannot be used ({error.strerror or error}): "
                "it must hold certificates of authorities as PEM."
            )
            raise SettingsError(message) from error
        return context

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
        except REFUSALS as error:
            message = (
                f"The Kafka broker at {self.bootstrap} refuses this user ({_reason(error)}): "
                "check kafka.security_protocol and kafka.sasl_mechanism, the user's name, password and rights."
            )
            raise LogError(message) from error
        except ssl.SSLCertVerificationError as error:
            message = (
                f"The certificate of the Kafka broker at {self.bootstrap} is refused "
                f"({error.verify_message.rstrip('.')}): let kafka.ssl_cafile name the authority that signed it, "
                "and kafka.bootstrap the host that it is made out to."
            )
            raise LogError(message) from error
        except ssl.SSLError as error:
            message = (
                f"What listens at {self.bootstrap} does not answer to TLS ({error.reason or error.strerror}): "
                "set kafka.bootstrap and kafka.security_protocol to a listener and what it speaks."
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
                "start one (springtide broker), or set kafka.bootstrap and kafka.security_protocol to those of yours."
            )
            raise LogUnavailableError(message) from error
        except KafkaError as error:
            message = f"The Kafka broker at {self.bootstrap} does not do as asked ({_reason(error)}): see its log."
            raise LogError(message) from error


def _shake_hands(connected: socket.socket, host: str, trust: ssl.SSLContext) -> None:
    try:
        trust.wrap_socket(connected, server_hostname=host).close()
    except ConnectionError as error:
        reason = "it hangs up"
        raise ssl.SSLError(error.errno, reason) from error


def _reason(error: KafkaError) -> str:
    name, said = type(error).__name__, " ".join(str(error.args[0]).split()) if error.args else ""
    return said if said.startswith(name) else f"{name}: {said}" if said else name


def _is_loopback(server: str) -> bool:
    host = server.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
