import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import Message
from http.client import HTTPConnection, RemoteDisconnected

import pytest
from prometheus_client import CollectorRegistry, Counter

from consumers.serving.observer import Role
from consumers.web.endpoint import Endpoint
from consumers.web.live import LiveView
from consumers.web.site import Site
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


@pytest.mark.parametrize("path", ["/", "/live.json", "/user.json", "/metric", ""])
def test_other_paths_are_not_found(endpoint: Endpoint, path: str) -> None:
    assert get(endpoint.url + path) == (404, "/metrics, /livez or /readyz\n")


@pytest.fixture
def with_page(health: Health) -> Iterator[Endpoint]:
    site = Site(LiveView("task", ["list"]), "127.0.0.1", lambda: health.live, lambda: health.role)
    with Endpoint("127.0.0.1", 0, CollectorRegistry(), lambda: health.live, lambda: health.role, site) as endpoint:
        yield endpoint


def ask(endpoint: Endpoint, method: str, path: str, host: str | None = None) -> tuple[int, Message, bytes]:
    connection = HTTPConnection(endpoint.url.removeprefix("http://"), timeout=10)
    try:
        connection.request(method, path, headers={} if host is None else {"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def test_the_page_is_shown_where_there_is_one(with_page: Endpoint) -> None:
    status, headers, body = ask(with_page, "GET", "/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b"<title>springtide</title>" in body
    assert "script-src 'self'" in headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("path", "status"), [("/", 200), ("/live.json", 200), ("/user.json?id=u", 404), ("/livez", 200)]
)
def test_a_head_is_a_get_without_its_body(with_page: Endpoint, path: str, status: int) -> None:
    got, got_headers, got_body = ask(with_page, "GET", path)
    head, head_headers, head_body = ask(with_page, "HEAD", path)
    assert got == head == status
    assert int(head_headers["Content-Length"]) == int(got_headers["Content-Length"]) == len(got_body) > 0
    assert head_body == b""


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_can_be_changed(with_page: Endpoint, method: str) -> None:
    assert ask(with_page, method, "/live.json")[0] == 501


def test_health_and_metrics_answer_under_any_name_and_the_page_does_not(with_page: Endpoint, health: Health) -> None:
    health.role = Role.LEADER
    statuses = {
        path: ask(with_page, "GET", path, "springtide:9464")[0] for path in ("/livez", "/readyz", "/metrics", "/")
    }
    assert statuses == {"/livez": 200, "/readyz": 200, "/metrics": 200, "/": 403}


@pytest.mark.parametrize("path", ["/", "/metrics", "/readyz", "/nothing"])
def test_no_answer_is_taken_for_what_it_is_not(with_page: Endpoint, path: str) -> None:
    headers = ask(with_page, "GET", path)[1]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Server"] == "springtide"


def test_a_busy_port_is_one_sentence(endpoint: Endpoint) -> None:
    port = int(endpoint.url.rpartition(":")[2])

    with pytest.raises(SettingsError, match=rf"cannot be served at 127\.0\.0\.1:{port} .*metrics\.port"):
        Endpoint("127.0.0.1", port, CollectorRegistry(), bool, lambda: Role.LEADER).start()


def _speaks_version_6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not _speaks_version_6(), reason="this machine has no IPv6")
def test_it_listens_at_an_address_of_version_6_too(health: Health) -> None:
    with Endpoint("::1", 0, CollectorRegistry(), lambda: health.live, lambda: health.role) as endpoint:
        assert endpoint.url.startswith("http://[::1]:")
        assert get(f"{endpoint.url}/livez") == (200, "yes\n")


@pytest.mark.parametrize("host", ["203.0.113.7", "nobody.invalid", "2001:db8::7"])
def test_an_address_of_another_machine_is_one_sentence(host: str) -> None:
    with pytest.raises(SettingsError, match=r"cannot be served at .*metrics\.host must be an address of this machine"):
        Endpoint(host, 0, CollectorRegistry(), bool, lambda: Role.LEADER).start()


def test_a_fault_of_ours_is_said_and_a_client_that_goes_is_not(capfd: pytest.CaptureFixture[str]) -> None:
    def role() -> Role:
        raise ZeroDivisionError

    with Endpoint("127.0.0.1", 0, CollectorRegistry(), bool, role) as endpoint:
        with pytest.raises(RemoteDisconnected):
            ask(endpoint, "GET", "/readyz")
        assert "ZeroDivisionError" in capfd.readouterr().err
