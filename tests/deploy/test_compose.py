"""docker-compose.yml against its schema, the settings, the Dockerfile and what is mounted; no Docker needed."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from consumers.configuration import load as load_settings
from consumers.settings import Settings
from tests.deploy.conftest import DEPLOY, ROOT
from tests.deploy.server import load

COMPOSE = load(ROOT / "docker-compose.yml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "springtide"}
RUNNING = {name for name, service in OURS.items() if service["command"] == ["run"]}
PORT = Settings().metrics.port

_PINNED = re.compile(r"[\w/]+:v?\d+\.\d+\.\d+[\w.-]*@sha256:[0-9a-f]{64}")

each_service = pytest.mark.parametrize("name", SERVICES)


def in_dockerfile(pattern: str) -> str:
    """Find the last place, which is in the stage that runs."""
    return str(re.findall(pattern, DOCKERFILE, re.MULTILINE)[-1])


def mounts(name: str) -> dict[str, str]:
    """What is mounted into a service: by its path there, the volume or the file here."""
    return {there: here for here, there, *_ in (one.split(":") for one in SERVICES[name].get("volumes", []))}


def test_it_is_as_compose_wants_it() -> None:
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        "docker-compose.yml",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_stream_goes_through_a_leader_and_a_standby_to_what_shows_it() -> None:
    assert RUNNING == {"springtide", "standby"}
    assert set(SERVICES) == {"kafka", *OURS, "prometheus", "grafana"}
    assert "springtide replay" in OURS["stream"]["command"][0]


@each_service
def test_what_is_published_is_published_on_loopback(name: str) -> None:
    assert "network_mode" not in SERVICES[name]
    for port in SERVICES[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port)


def test_the_ports_are_those_that_something_listens_at() -> None:
    published = {name: service["ports"][0].split(":")[-1] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"kafka": "9092", "springtide": str(PORT), "prometheus": "9090", "grafana": "3000"}
    assert in_dockerfile(r"^EXPOSE (\d+)") == str(PORT)
    assert in_dockerfile(r"127\.0\.0\.1:(\d+)/livez") == str(PORT)
    for name in ("prometheus", "grafana"):
        assert f"127.0.0.1:{published[name]}/" in SERVICES[name]["healthcheck"]["test"][-1]


def test_prometheus_scrapes_each_that_runs_and_grafana_asks_prometheus() -> None:
    (job,) = load(DEPLOY / "prometheus.yml")["scrape_configs"]
    assert job["static_configs"] == [{"targets": [f"{name}:{PORT}" for name in SERVICES if name in RUNNING]}]
    (source,) = load(DEPLOY / "grafana/provisioning/datasources/prometheus.yml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert source["jsonData"]["timeInterval"] == load(DEPLOY / "prometheus.yml")["global"]["scrape_interval"]


@pytest.mark.parametrize("name", OURS)
def test_settings_are_settings_and_name_a_listener_of_kafka(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in OURS[name]["environment"].items():
        monkeypatch.setenv(variable, value)
    settings = load_settings()
    assert settings.kafka.bootstrap in SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert settings.kafka.allow_plaintext
    assert settings.metrics.host == "0.0.0.0"
    assert settings.metrics.port == PORT


def test_its_kafka_is_the_one_that_is_embedded_elsewhere() -> None:
    embedded = re.search(r"org\.apache\.kafka:kafka_[\d.]+:([\d.]+)", (ROOT / "stream/kafka_jars.lock").read_text())
    assert embedded is not None
    assert SERVICES["kafka"]["image"].startswith(f"apache/kafka:{embedded[1]}@")


@each_service
def test_images_are_pinned(name: str) -> None:
    image = SERVICES[name]["image"]
    assert image == "springtide" or _PINNED.fullmatch(image)


def test_what_the_image_is_built_on_is_pinned() -> None:
    stages = re.findall(r"^FROM (\S+)(?: AS (\w+))?$", DOCKERFILE, re.MULTILINE)
    (pinned, name), *others = stages
    assert _PINNED.fullmatch(pinned)
    assert {image for image, _ in others} == {name}


def test_what_the_image_is_built_of_is_there_and_is_let_through() -> None:
    copied = [
        path for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE) for path in line.split()
    ]
    let_through = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert len(copied) > 5
    for path in copied:
        assert (ROOT / path).exists()
        assert f"!{path}" in let_through
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]
    assert set(packages["targets"]["wheel"]["packages"]) <= set(copied)


@each_service
def test_nothing_has_rights_that_it_does_not_need(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("read_only", False) == (name != "kafka")  # whose image writes its settings beside its code
    assert not str(service.get("user", "")).startswith(("0", "root"))
    if name in OURS:
        assert "user" not in service
        assert in_dockerfile(r"^USER (\w+)") == "springtide"
    elif name != "kafka":  # whose image says so itself
        assert "user" in service


@each_service
def test_everybody_waits_for_who_is_needed_and_says_how_he_is(name: str) -> None:
    needs = SERVICES[name].get("depends_on", {})
    assert all(SERVICES[other] and how == {"condition": "service_healthy"} for other, how in needs.items())
    if name == "stream":  # which ends
        assert SERVICES[name]["healthcheck"] == {"disable": True}
    else:
        assert "HEALTHCHECK" in DOCKERFILE if name in OURS else SERVICES[name]["healthcheck"]["test"][0] == "CMD"


def test_every_volume_is_declared_and_has_one_user() -> None:
    used = [here for name in SERVICES for here in mounts(name).values() if not here.startswith(".")]
    assert sorted(used) == sorted(COMPOSE["volumes"])


@each_service
def test_what_is_mounted_is_there_and_stays_as_it_is(name: str) -> None:
    for mount in SERVICES[name].get("volumes", []):
        if mount.startswith("."):
            assert (ROOT / mount.split(":")[0]).exists()
            assert mount.endswith(":ro")


@pytest.mark.parametrize("name", sorted(RUNNING))
def test_the_state_is_in_a_volume_and_the_kernels_where_they_are_copied_from(name: str) -> None:
    assert set(mounts(name)) == {in_dockerfile(r"^WORKDIR (\S+)")} == {in_dockerfile(r"^VOLUME (\S+)")}
    cache = in_dockerfile(r"NUMBA_CACHE_DIR=(\S+)")
    copied = OURS[name]["environment"]["NUMBA_CACHE_DIR"]
    assert f"cp -R {cache} {copied} " in OURS[name]["entrypoint"][-2]
    assert copied.startswith(f"{OURS[name]['tmpfs'][0]}/")
    assert DOCKERFILE.strip().endswith(f'ENTRYPOINT ["springtide"]\nCMD {json.dumps(OURS[name]["command"])}')


def test_prometheus_finds_its_files() -> None:
    there = mounts("prometheus")
    assert there["/etc/prometheus/prometheus.yml"] == "./deploy/prometheus.yml"
    for name in load(DEPLOY / "prometheus.yml")["rule_files"]:
        assert there[f"/etc/prometheus/{name}"] == f"./deploy/{name}"


def test_grafana_finds_its_dashboards() -> None:
    there = mounts("grafana")
    assert there["/etc/grafana/provisioning"] == "./deploy/grafana/provisioning"
    (provider,) = load(DEPLOY / "grafana/provisioning/dashboards/springtide.yml")["providers"]
    dashboards = ROOT / there[provider["options"]["path"]]
    home = Path(SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert str(home.parent) == provider["options"]["path"]
    assert (dashboards / home.name).exists()
