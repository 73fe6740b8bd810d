import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Counter

from consumers.endpoint import Endpoint
from consumers.observer import Role
from stream.errors import SettingsError


class Health:
    live = True
    role = Role.RECOVERING


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def endpoint(health: Health) -> Iterator[Endpoint]:
    registry = CollectorRegistry()
    Counter("springtide_tides", "Tides.", registry=registry).inc(3)
    with Endpoint("127.0.0.1", 0, registry, lambda: health.live, lambda: health.role) as endpoint:
        yield endpoint


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_metrics_are_shown(endpoint: Endpoint) -> None:
    status, text = get(f"{endpoint.url}/metrics?name=x")

    assert status == 200
    assert "springtide_tides_total 3.0" in text


def test_live_and_ready_are_asked_each_time(endpoint: Endpoint, health: Health) -> None:
    assert get(f"{endpoint.url}/livez") == (200, "yes\n")
    assert get(f"{endpoint.url}/readyz") == (503, "recovering\n")
    health.live, health.role = False, Role.STANDBY
    assert get(f"{endpoint.url}/livez") == (503, "no\n")
    assert get(f"{endpoint.url}/readyz") == (200, "standby\n")
    health.role = Role.LEADER
    assert get(f"{endpoint.url}/readyz") == (200, "leader\n")


def test_other_paths_are_not_found(endpoint: Endpoint) -> None:
    assert get(f"{endpoint.url}/")[0] == 404


def test_a_busy_port_is_one_sentence(endpoint: Endpoint) -> None:
    port = int(endpoint.url.rpartition(":")[2])

    with pytest.raises(SettingsError, match=rf"cannot be served at 127\.0\.0\.1:{port} .*metrics\.port"):
        Endpoint("127.0.0.1", port, CollectorRegistry(), bool, lambda: Role.LEADER).start()
