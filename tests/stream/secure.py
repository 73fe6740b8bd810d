"""A real Kafka with TLS and passwords, on loopback: its certificate is signed by an authority made for the occasion."""

import socket
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization
from kafka import KafkaAdminClient
from kafka.admin import ScramMechanism, UserScramCredentialUpsertion

from stream.broker import HOST, EmbeddedBroker

USER, PASSWORD = "tide", "a pass word: é"
_SCRAM = (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512)

_MORE = """
listeners={listeners}
advertised.listeners={advertised}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
user_{user}="{password}";
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
"""


class SecureBroker(EmbeddedBroker):
    """An embedded broker that also listens with TLS, with and without a password.

    Parameters
    ----------
    data_dir
        Where topics, keys and certificates are kept.
    name
        Whom its certificate is made out to.
    """

    def __init__(self, data_dir: Path, name: str = HOST) -> None:
        super().__init__(data_dir)
        self.cafile = data_dir / "ca.pem"
        self.tls = self.sasl = ""  # addresses
        self._authority = trustme.CA()
        self._certificate = self._authority.issue_cert(name)

    def start(self) -> "SecureBroker":
        """Start it, and give the user a password for every mechanism."""
        super().start()
        self._authority.cert_pem.write_to_path(str(self.cafile))
        with KafkaAdminClient(bootstrap_servers=self.bootstrap) as admin:
            wishes = [UserScramCredentialUpsertion(USER, mechanism, PASSWORD) for mechanism in _SCRAM]
            for wish in wishes:
                assert admin.alter_user_scram_credentials([wish]) == {USER: None}
        return self

    def _write_properties(self) -> None:
        super()._write_properties()
        path = self.data_dir / "server.properties"
        written = dict(line.split("=", 1) for line in path.read_text(encoding="utf-8").splitlines())
        self.tls, self.sasl = (f"{HOST}:{_free_port()}" for _ in range(2))
        more = f",SSL://{self.tls},SASL_SSL://{self.sasl}"
        keystore = self.data_dir / "keystore.pem"
        keystore.write_bytes(self._key_and_certificates())
        properties = _MORE.format(
            listeners=written["listeners"] + more,
            advertised=written["advertised.listeners"] + more,
            keystore=keystore,
            user=USER,
            password=PASSWORD.encode("unicode_escape").decode().replace("\\xe9", "\\u00e9"),
        )
        with path.open("a", encoding="utf-8") as file:
            file.write(properties)

    def _key_and_certificates(self) -> bytes:
        """As Kafka reads it: the key as PKCS #8 first."""
        key = serialization.load_pem_private_key(self._certificate.private_key_pem.bytes(), None)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return pem + b"".join(blob.bytes() for blob in self._certificate.cert_chain_pems)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
