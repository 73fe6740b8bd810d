"""Where Prometheus and a supervisor look in: /metrics, /livez and /readyz over HTTP.

Live: the loop has gone round lately. Ready: it has come to the end of its journal, and leads or stands by; the answer
is the role. Both are 200 or 503.
"""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from types import TracebackType
from typing import Self

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from consumers.observer import Role
from stream.errors import SettingsError


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
    """

    def __init__(
        self,
        host: str,
        port: int,
        registry: CollectorRegistry,
        live: Callable[[], bool],
        role: Callable[[], Role],
    ) -> None:
        self._address = (host, port)
        self._pages: dict[str, Callable[[], tuple[int, str, bytes]]] = {
            "/metrics": lambda: (200, CONTENT_TYPE_LATEST, generate_latest(registry)),
            "/livez": lambda: _answer("yes") if live() else _answer("no", 503),
            "/readyz": lambda: _standing(role()),
        }
        self._server: _Server | None = None

    @property
    def url(self) -> str:
        """Address of the running server."""
        assert self._server is not None, "the endpoint has not been started"
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def start(self) -> Self:
        """Listen; SettingsError where the address cannot be had."""
        try:
            self._server = _Server(self._address, _handler(self._pages))
        except OSError as error:
            host, port = self._address
            message = (
                f"Metrics cannot be served at {host}:{port} ({error.strerror}): stop what listens there, or set "
                "metrics.port to another port, 0 for any free one."
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

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Let a client that goes away go."""


def _standing(role: Role) -> tuple[int, str, bytes]:
    return _answer(role, 503 if role is Role.RECOVERING else 200)


def _answer(text: str, status: int = 200) -> tuple[int, str, bytes]:
    return status, "text/plain", f"{text}\n".encode()


def _handler(pages: dict[str, Callable[[], tuple[int, str, bytes]]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = pages.get(self.path.partition("?")[0])
            status, kind, body = page() if page else (404, "text/plain", b"/metrics, /livez or /readyz\n")
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Keep requests out of the log."""

    return Handler
