"""Where Prometheus, a supervisor and people look in: /metrics, /livez, /readyz and the live page over HTTP.

Live: the loop has gone round lately. Ready: it has come to the end of its journal, and leads or stands by; the answer
is the role. Both are 200 or 503. They and the metrics answer under any name of the machine, because they tell nothing
of users; the page is choosier (`consumers.web.site`).
"""

import socket
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from types import TracebackType
from typing import Self

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from consumers.serving.observer import Role
from consumers.web.site import Answer, Site
from stream.errors import SettingsError

_PATIENCE_S = 10.0  # with a client that says nothing


class Endpoint:
    """An HTTP server in a thread of its own, between `start` and `stop` or inside a ``with`` block.

    Parameters
    ----------
    host, port
        Where to listen; port 0 picks a free one.
    registry
        What /metrics shows.
    live, role
        What /livez and /readyz say; called from the server's threads.
    site
        The live page; None for none.
    """

    def __init__(
        self,
        host: str,
        port: int,
        registry: CollectorRegistry,
        live: Callable[[], bool],
        role: Callable[[], Role],
        site: Site | None = None,
    ) -> None:
        self._address = (host, port)
        self._site = site
        self._pages: dict[str, Callable[[], Answer]] = {
            "/metrics": lambda: Answer(200, CONTENT_TYPE_LATEST, generate_latest(registry)),
            "/livez": lambda: _said("yes") if live() else _said("no", 503),
            "/readyz": lambda: _standing(role()),
        }
        self._server: _Server | None = None

    @property
    def url(self) -> str:
        """Address of the running server."""
        assert self._server is not None, "the endpoint has not been started"
        return f"http://{_written(*self._server.server_address[:2])}"

    def start(self) -> Self:
        """Listen; SettingsError where the address cannot be had."""
        try:
            self._server = _Server(self._address, _handler(self._answer))
        except OSError as error:
            message = (
                f"Metrics cannot be served at {_written(*self._address)} ({error.strerror}): metrics.host must be an "
                "address of this machine; where something else listens, stop it or set metrics.port to another port, "
                "0 for any free one."
            )
            raise SettingsError(message) from error
        threading.Thread(target=self._server.serve_forever, name="springtide-metrics", daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _answer(self, target: str, host: str | None) -> Answer:
        page = self._pages.get(target.partition("?")[0])
        if page is not None:
            return page()
        return (self._site and self._site.answer(target, host)) or _said("/metrics, /livez or /readyz", 404)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Let a client that goes away go; anything else is a fault of ours and goes to stderr."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # it prints them, whatever they are


def _written(host: object, port: int) -> str:
    """Write an address as it stands in a URL."""
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"


def _standing(role: Role) -> Answer:
    return _said(role, 503 if role is Role.RECOVERING else 200)


def _said(text: str, status: int = 200) -> Answer:
    return Answer(status, "text/plain", f"{text}\n".encode())


def _handler(answer: Callable[[str, str | None], Answer]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _PATIENCE_S

        def do_GET(self) -> None:
            self.wfile.write(self._head())

        def do_HEAD(self) -> None:
            self._head()

        def _head(self) -> bytes:
            """Send what stands before the body, and return the body."""
            found = answer(self.path, self.headers.get("Host"))
            self.send_response(found.status)
            for name, value in found.headers:
                self.send_header(name, value)
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Content-Type", found.kind)
            self.send_header("Content-Length", str(len(found.body)))
            self.end_headers()
            return found.body

        def version_string(self) -> str:
            """Say no more than the name."""
            return "springtide"

        def log_message(self, format: str, *args: object) -> None:
            """Keep requests out of the log."""

    return Handler
