import json
import re
import zipfile
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hatchling.builders.wheel import WheelBuilder

from consumers.pipeline import Outputs
from consumers.serving.observer import Role
from consumers.web.live import LiveView
from consumers.web.site import Answer, Site
from stream.log import OutputRecord

ROOT = Path(__file__).parents[3]
HOST = "127.0.0.1:9464"
PAGES = ("/", "/page.css", "/page.js", "/icon.svg", "/live.json", "/quality.json", "/user.json?id=u")


@pytest.fixture
def view() -> LiveView:
    return LiveView("task", ["list"])


@pytest.fixture
def site(view: LiveView) -> Site:
    return Site(view, "Server.example", lambda: True, lambda: Role.LEADER)


def get(site: Site, target: str, host: str | None = HOST) -> Answer:
    answer = site.answer(target, host)
    assert answer is not None
    return answer


def body(answer: Answer) -> Any:
    assert answer.kind == "application/json"
    return json.loads(answer.body)


def test_the_page_and_what_it_loads_are_there(site: Site) -> None:
    page = get(site, "/")
    assert page.status == 200
    assert page.kind == "text/html; charset=utf-8"
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.body.decode())
    assert sorted(loaded) == ["/icon.svg", "/page.css", "/page.js"]
    for path in loaded:
        assert get(site, path).status == 200


def test_nothing_is_fetched_from_elsewhere_and_nothing_is_made_of_markup() -> None:
    folder = files("consumers.web") / "page"
    html, script, style = ((folder / name).read_text("utf-8") for name in ("index.html", "page.js", "page.css"))
    for text in (html, script.replace("http://www.w3.org/2000/svg", ""), style):
        assert not re.search(r"https?:|@import|url\(|//cdn", text)
    assert not re.search(r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval|Function|srcdoc)\b", script)
    assert not re.search(r"<style|\bstyle=|\bon\w+=|<script>|javascript:", html)


def test_it_says_how_the_process_is(view: LiveView) -> None:
    stalled = Site(view, "127.0.0.1", lambda: False, lambda: Role.STANDBY)
    now = body(get(stalled, "/live.json"))
    assert (now["live"], now["role"], now["application"]) == (False, "standby", "task")
    assert set(body(get(stalled, "/quality.json"))) == {"events", "curves", "newest", "published"}


@pytest.mark.parametrize(
    ("user", "asked"),
    [
        ("u17", "u17"),
        ('<script>"&+', "%3Cscript%3E%22%26%2B"),
        ("..", ".."),
        ("a/b c", "a%2Fb%20c"),
        ("Zoë", "Zo%C3%AB"),
    ],
)
def test_a_user_is_looked_up_by_any_id(site: Site, view: LiveView, user: str, asked: str) -> None:
    view.takes(Role.LEADER)
    value = json.dumps({"user_id": user}).encode()
    view.answered(Outputs(lists=[OutputRecord("out", 0, user.encode(), value)]), [], 5)
    assert body(get(site, f"/user.json?id={asked}")) == {"at_ms": 5, "list": {"user_id": user}}


@pytest.mark.parametrize("query", ["?id=nobody", "?id=", "", "?", "?id=%FF%00", "?other=u", "?id"])
def test_a_user_without_a_list_is_not_found(site: Site, query: str) -> None:
    answer = get(site, f"/user.json{query}")
    assert (answer.status, answer.body) == (404, b"null")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:9464", "127.0.0.1", "localhost", "LOCALHOST:80", "[::1]:9464", "10.1.2.3", "server.example:9464"],
)
@pytest.mark.parametrize("target", PAGES)
def test_addresses_and_own_names_are_let_in(site: Site, target: str, host: str) -> None:
    assert get(site, target, host).status in {200, 404}


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "rebound.example",
        "127.0.0.1.rebound.example:9464",
        "localhost.rebound.example",
        "[::1",
        "a@127.0.0.1@b",
    ],
)
@pytest.mark.parametrize("target", PAGES)
def test_a_name_that_somebody_made_point_here_is_not_let_in(site: Site, target: str, host: str | None) -> None:
    answer = get(site, target, host)
    assert answer.status == 403
    assert b"by the address of the machine" in answer.body


@pytest.mark.parametrize("host", [HOST, "rebound.example"])
@pytest.mark.parametrize("target", PAGES)
def test_every_answer_forbids_what_is_not_its_own(site: Site, target: str, host: str) -> None:
    headers = dict(get(site, target, host).headers)
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert {policy[name] for name in ("script-src", "style-src", "img-src", "connect-src")} == {"'self'"}
    assert {policy[name] for name in ("base-uri", "form-action", "frame-ancestors")} == {"'none'"}
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("target", ["/metrics", "/../page.js", "/page", "/index.html", "//", "/user/u", ""])
def test_other_paths_are_not_its(site: Site, target: str) -> None:
    assert site.answer(target, HOST) is None


def test_the_page_is_in_the_wheel(tmp_path: Path) -> None:
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        shipped = {name for name in archive.namelist() if name.startswith("consumers/web/page/")}
    assert shipped == {f"consumers/web/page/{name}" for name in ("index.html", "page.css", "page.js", "icon.svg")}
