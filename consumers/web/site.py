"""The live page over HTTP: its files, and the JSON that it asks for.

Whoever can reach the port can read it, so it is read-only and shows nothing to strangers that come through a browser:

- The ``Host`` header must be an address, ``localhost`` or the host that is listened on. A page of somebody else whose
  name was made to point here (DNS rebinding) has another one.
- No other origin is allowed to read an answer, and a browser runs and loads nothing but the page's own files.

What users and senders named is sent as JSON and shown as text, never as markup.
"""

import ipaddress
from collections.abc import Callable
from functools import partial
from importlib.resources import files
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

import msgspec

from consumers.serving.observer import Role
from consumers.web.live import LiveView

_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
_JSON = "application/json"
_GUARDED = (
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
)


class Answer(NamedTuple):
    """What an HTTP request is answered with."""

    status: int
    kind: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class Site:
    """Answers for the live page.

    Parameters
    ----------
    view
        What is shown.
    host
        What is listened on, a name or an address.
    live, role
        How the process is.
    """

    def __init__(self, view: LiveView, host: str, live: Callable[[], bool], role: Callable[[], Role]) -> None:
        self._view = view
        self._host = host
        self._live = live
        self._role = role
        folder = files("consumers.web") / "page"
        shipped = {
            path: Answer(200, kind, (folder / name).read_bytes(), _GUARDED) for path, (name, kind) in _FILES.items()
        }
        self._pages: dict[str, Callable[[str], Answer]] = {
            **{path: partial(_shipped, answer) for path, answer in shipped.items()},
            "/live.json": self._now,
            "/quality.json": self._quality,
            "/user.json": self._user,
        }

    def answer(self, target: str, host: str | None) -> Answer | None:
        """Answer a GET for a request target with this ``Host`` header; None where there is no such page."""
        path, _, query = target.partition("?")
        page = self._pages.get(path)
        if page is None:
            return None
        return page(query) if self._is_own(host) else _STRANGE

    def _now(self, _query: str) -> Answer:
        return _json({"live": self._live(), "role": self._role(), **self._view.now()})

    def _quality(self, _query: str) -> Answer:
        return _json(self._view.quality())

    def _user(self, query: str) -> Answer:
        shown = self._view.list_of(dict(parse_qsl(query)).get("id", ""))
        return _json(shown, 200 if shown else 404)

    def _is_own(self, header: str | None) -> bool:
        try:
            name = urlsplit(f"//{header}").hostname or ""
            if name not in {"localhost", self._host.lower()}:
                ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _shipped(answer: Answer, _query: str) -> Answer:
    return answer


_STRANGE = Answer(
    403, "text/plain", b"Open this page by the address of the machine, or as localhost: names are refused.\n", _GUARDED
)


def _json(value: object, status: int = 200) -> Answer:
    return Answer(status, _JSON, msgspec.json.encode(value), _GUARDED)
