"""Ways into a broker that is closed to strangers, and what those are told who do not find in."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaProducer, TopicPartition

from stream.errors import LogError, LogUnavailableError, SettingsError, SpringtideError
from stream.kafka_clients import Connection
from tests.stream.secure import PASSWORD, USER, SecureBroker

MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    with SecureBroker(tmp_path_factory.mktemp("secure")) as running:
        yield running


def by_password(broker: SecureBroker, mechanism: str = "SCRAM-SHA-512", password: str = PASSWORD) -> Connection:
    return Connection(broker.sasl, "SASL_SSL", mechanism, USER, password, str(broker.cafile))


def refused(connection: Connection, kind: type[SpringtideError] = LogError) -> str:
    """What is said when it is tried, by an admin client and by a consumer alike."""
    with pytest.raises(kind) as by_admin:
        connection.admin()
    with pytest.raises(kind) as by_consumer:
        connection.consumer()
    assert type(by_admin.value) is type(by_consumer.value) is kind
    assert str(by_admin.value) == str(by_consumer.value)
    return str(by_admin.value)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_user_with_a_password_writes_and_reads(secure: SecureBroker, prefix: str, mechanism: str) -> None:
    connection = by_password(secure, mechanism)
    with connection.admin() as admin:
        admin.create_topics({prefix: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
    with KafkaProducer(**connection.settings(), transactional_id=prefix) as producer:
        producer.init_transactions()
        producer.begin_transaction()
        producer.send(prefix, value=b"secret")
        producer.commit_transaction()
    with closing(connection.consumer()) as consumer:
        consumer.assign([TopicPartition(prefix, 0)])
        consumer.seek_to_beginning()
        (records,) = consumer.poll(timeout_ms=60_000).values()
    assert [record.value for record in records] == [b"secret"]


def test_tls_alone_is_enough_where_nobody_asks_for_more(secure: SecureBroker) -> None:
    with Connection(secure.tls, "SSL", ssl_cafile=str(secure.cafile)).admin() as admin:
        assert isinstance(list(admin.list_topics()), list)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_wrong_password_is_said_to_be_wrong(secure: SecureBroker, mechanism: str) -> None:
    sentence = refused(by_password(secure, mechanism, "wrong"))
    assert sentence.startswith(
        f"The Kafka broker at {secure.sasl} refuses this user (SaslAuthenticationFailedError: Authentication failed"
    )
    assert sentence.endswith("the user's name, password and rights.")
    assert "wrong" not in sentence.replace("wrong_", "")


def test_a_password_where_none_is_asked_for(secure: SecureBroker) -> None:
    connection = Connection(secure.tls, "SASL_SSL", "PLAIN", USER, PASSWORD, str(secure.cafile))
    assert "refuses this user (IllegalSaslStateError): check kafka.security_protocol" in refused(connection)


def test_an_authority_that_is_not_known(secure: SecureBroker) -> None:
    assert refused(Connection(secure.tls, "SSL")) == (
        f"The certificate of the Kafka broker at {secure.tls} is refused (unable to get local issuer certificate): let "
        "kafka.ssl_cafile name the authority that signed it, and kafka.bootstrap the host that it is made out to."
    )


def test_a_certificate_that_is_made_out_to_another(secure: SecureBroker) -> None:
    address = secure.tls.replace("127.0.0.1", "localhost")
    sentence = refused(Connection(address, "SSL", ssl_cafile=str(secure.cafile)))
    assert "certificate is not valid for 'localhost'" in sentence
    assert "kafka.bootstrap the host that it is made out to" in sentence


def test_authorities_that_are_none(secure: SecureBroker, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("no certificate")
    sentence = refused(Connection(secure.tls, "SSL", ssl_cafile=str(path)), SettingsError)
    assert sentence.startswith(f"The file {path} of kafka.ssl_cafile cannot be used (")
    assert sentence.endswith("it must hold certificates of authorities as PEM.")


def test_tls_where_there_is_none(secure: SecureBroker) -> None:
    sentence = refused(Connection(secure.bootstrap, "SSL", ssl_cafile=str(secure.cafile)))
    assert sentence.startswith(f"What listens at {secure.bootstrap} does not answer to TLS (")
    assert "kafka.security_protocol" in sentence


@pytest.mark.parametrize("listener", ["tls", "sasl"])
def test_no_tls_where_there_must_be(secure: SecureBroker, listener: str) -> None:
    sentence = refused(Connection(getattr(secure, listener)), LogUnavailableError)
    assert "by PLAINTEXT: start one" in sentence
    assert "kafka.security_protocol" in sentence


def test_another_server_of_several_will_do(secure: SecureBroker) -> None:
    several = Connection(f"127.0.0.1:9,{secure.tls}", "SSL", ssl_cafile=str(secure.cafile))
    several.knock()
