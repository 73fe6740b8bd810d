from pathlib import Path

import pytest

from consumers.settings import Events, Input, Kafka, Settings
from stream.errors import LogError, SettingsError
from stream.fields import FieldMap
from stream.policy import Role


def hash_with(**sections: dict[str, object]) -> str:
    return Settings.model_validate(sections).settings_hash()


def test_hash_tells_state_changing_settings_from_the_rest() -> None:
    base = hash_with()

    assert hash_with(windows={"length": 32}) != base
    assert hash_with(publish={"k": 20}) != base
    assert hash_with(events={"types": {"buy": 3}}) != base
    assert hash_with(publish={"topic": "lists"}, metrics={"port": 1}, state={"dir": "x"}) == base


def test_hash_depends_on_values_not_on_how_they_are_written() -> None:
    assert hash_with(windows={"span": "48h"}) == hash_with(windows={"span": "2d"})


def test_password_comes_from_a_file_without_its_newline(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("open sesame \n")
    kafka = Kafka(bootstrap="kafka:9093", security_protocol="SASL_SSL", sasl_username="tide", sasl_password_file=secret)
    connection = kafka.connection()

    assert (connection.bootstrap, connection.sasl_username, connection.sasl_password) == (
        "kafka:9093",
        "tide",
        "open sesame ",
    )


def test_unreadable_password_is_one_sentence(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_bytes(b"\xff")
    kafka = Kafka(security_protocol="SASL_SSL", sasl_username="tide", sasl_password_file=secret)

    with pytest.raises(SettingsError, match=r"of kafka\.sasl_password_file cannot be read"):
        kafka.connection()


def test_plaintext_beyond_loopback_is_refused_unless_allowed() -> None:
    with pytest.raises(LogError, match=r"would send data unencrypted to kafka:9092"):
        Kafka(bootstrap="kafka:9092").connection()

    assert Kafka(bootstrap="kafka:9092", allow_plaintext=True).connection().bootstrap == "kafka:9092"


def test_start_time_is_read_as_epoch_milliseconds() -> None:
    assert Input(start="1970-01-01T01:00:00.250+01:00").start_time_ms() == 250
    assert Input(start="latest").start_time_ms() is None


def test_event_types_take_a_weight_or_a_role() -> None:
    events = Events.model_validate({"types": {"buy": "3", "seen": "exposure"}})

    assert events.types == {"buy": 3.0, "seen": "exposure"}


def test_fields_are_those_of_the_decoder() -> None:
    assert Input().fields.field_map() == FieldMap()
    assert Input.model_validate({"fields": {"user_id": "a.b"}}).fields.field_map() == FieldMap(user_id="a.b")


def test_policy_follows_the_table() -> None:
    policy = Events.model_validate({"types": {"buy": 3}, "negative_below": 2}).policy()

    assert policy.judge("buy", None) == (Role.LEARN, 3.0)
    assert policy.judge("buy", 1.0) == (Role.NEGATIVE, 1.0)


def test_the_input_has_to_outlive_the_oldest_snapshot() -> None:
    settings = Settings.model_validate({"state": {"snapshot_every": "10m"}})
    assert settings.topics().outlive_ms == 4 * 600_000


def test_overrides_replace_only_what_is_given() -> None:
    base = Settings()

    assert base.with_overrides(repeats=None, seed=None) == base
    changed = base.with_overrides(repeats="never", seed=7)
    assert (changed.serving.repeats, changed.models.seed, changed.models.items) == ("never", 7, base.models.items)
