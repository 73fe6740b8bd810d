"""The embedded broker, with a second door behind the proxy and a shorter patience with silent members.

Clients that come in by the second door are told to stay with it, so every byte of theirs goes through the proxy.
"""

import socket
from types import TracebackType
from typing import Self

from stream.broker import HOST, EmbeddedBroker
from tests.faults.proxy import Proxy

_MORE = """
listeners=PLAINTEXT://{host}:{port},PROXIED://{host}:{behind},CONTROLLER://{controller}
advertised.listeners=PLAINTEXT://{host}:{port},PROXIED://{host}:{proxy}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
group.min.session.timeout.ms=500
"""


class TwoDoors(EmbeddedBroker):
    """A broker and the proxy before its second door, between `start` and `stop`, or inside a ``with`` block."""

    def __init__(self) -> None:
        super().__init__()
        self.proxy = Proxy()

    @property
    def proxied(self) -> str:
        """Address of the second door."""
        return f"{HOST}:{self.proxy.port}"

    def __enter__(self) -> Self:
        self.proxy.start()
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self.proxy.stop()

    def _write_properties(self) -> None:
        super()._write_properties()
        with socket.socket() as free:
            free.bind((HOST, 0))
            self.proxy.target = free.getsockname()[1]
        path = self.data_dir / "server.properties"
        written = path.read_text(encoding="utf-8")
        controller = written.partition("controller.quorum.voters=1@")[2].partition("\n")[0]
        more = _MORE.format(
            host=HOST, port=self._port, behind=self.proxy.target, controller=controller, proxy=self.proxy.port
        )
        path.write_text(written + more, encoding="utf-8")
