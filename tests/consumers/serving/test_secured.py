"""The whole path through a broker with TLS and passwords, set up as a user would: by a settings file and two more."""

import json
import re
import signal
import socket
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from kafka import KafkaProducer

from consumers.cli import main
from consumers.commands.child import Child
from consumers.commands.tail import subscribe
from consumers.configuration import load, to_toml
from consumers.settings import Settings
from stream.topics import ensure_topics
from tests.stream.secure import PASSWORD, USER, SecureBroker

NOON = 1_772_368_000_000


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    with SecureBroker(tmp_path_factory.mktemp("secure")) as running:
        yield running


def settings(broker: SecureBroker, folder: Path, **kafka: Any) -> Settings:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    password = folder / "password"
    password.write_text(f"{PASSWORD}\n", encoding="utf-8")
    return Settings.model_validate(
        {
            "kafka": {
                "bootstrap": broker.sasl,
                "security_protocol": "SASL_SSL",
                "sasl_username": USER,
                "sasl_password_file": password,
                "ssl_cafile": broker.cafile,
                **kafka,
            },
            "network": {"enabled": False},
            "state": {"dir": folder / "state"},
            "metrics": {"port": port},
        }
    )


def test_events_go_in_and_lists_come_out(secure: SecureBroker, tmp_path: Path) -> None:
    task = settings(secure, tmp_path)
    connection = task.kafka.connection()
    ensure_topics(connection, task.topics())
    lists = subscribe(connection, task.publish.topic, from_start=True)
    with KafkaProducer(**connection.settings()) as producer:
        for number in range(5):
            event = {"user_id": "u", "item_id": f"i{number}", "event_time": NOON + number}
            producer.send(task.input.topic, value=json.dumps(event).encode())
    users: list[str] = []
    with Child(task, tmp_path) as child:
        while len(users) < 5:
            users += [one.user_id for one in next(lists)]
            child.check()
    assert users == ["u"] * 5


def test_the_settings_are_those_of_the_operations_guide(secure: SecureBroker, tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "operations.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```toml kafka\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    shown = tomllib.loads(block)["kafka"]
    used = settings(secure, tmp_path).kafka
    assert (shown["security_protocol"], shown["sasl_mechanism"]) == (used.security_protocol, used.sasl_mechanism)
    own = {name: str(getattr(used, name)) for name in shown}
    assert load_text(tmp_path, own).kafka == used


def load_text(folder: Path, kafka: dict[str, str]) -> Settings:
    path = folder / "springtide.toml"
    path.write_text(tomli_w.dumps({"kafka": kafka}), encoding="utf-8")
    return load(path)


def test_the_password_is_not_among_the_effective_settings(secure: SecureBroker, tmp_path: Path) -> None:
    task = settings(secure, tmp_path)
    path = tmp_path / "springtide.toml"
    path.write_text(to_toml(task), encoding="utf-8")
    assert PASSWORD not in path.read_text(encoding="utf-8")
    assert PASSWORD not in repr(task) + repr(task.kafka.connection())
    assert load(path) == task


@pytest.mark.parametrize(
    ("wrong", "code", "sentence"),
    [
        ({"sasl_username": "nobody"}, 4, "refuses this user (SaslAuthenticationFailedError"),
        ({"ssl_cafile": None}, 4, "is refused (unable to get local issuer certificate): let kafka.ssl_cafile"),
        ({"security_protocol": "SSL"}, 4, "by SSL: start one (springtide broker), or set kafka.bootstrap and"),
        ({"ssl_cafile": "password"}, 2, "must hold certificates of authorities as PEM."),
        ({"sasl_password_file": None}, 2, "SASL_SSL needs kafka.sasl_username and kafka.sasl_password_file."),
        ({"ssl_cafile": "nowhere.pem"}, 2, "ssl_cafile names nowhere.pem, which does not exist."),
    ],
)
def test_what_is_set_wrongly_is_said_in_one_sentence(
    secure: SecureBroker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    wrong: dict[str, str | None],
    code: int,
    sentence: str,
) -> None:
    written = to_toml(settings(secure, tmp_path)).splitlines(keepends=True)
    for key, value in wrong.items():
        (place,) = (place for place, line in enumerate(written) if line.startswith(f"{key} = "))
        written[place] = f'{key} = "{value or "none"}"\n'
    (tmp_path / "springtide.toml").write_text("".join(written), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["springtide", "run"])
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    with pytest.raises(SystemExit) as ended:
        main()

    said = capsys.readouterr().err
    assert ended.value.code == code
    assert sentence in said
    assert said.count("\n") == 1
