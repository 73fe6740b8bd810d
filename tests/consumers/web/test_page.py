"""The live page as somebody sees it: in a real Chromium, on a service that runs on the embedded broker."""

import json
import re
import socket
from collections.abc import Iterator
from typing import Literal

import numpy as np
import pytest
from kafka import KafkaProducer
from playwright.sync_api import Browser, Page, expect
from prometheus_client import CollectorRegistry

from consumers.commands.child import Child
from consumers.pipeline import Learned
from consumers.serving.observer import Role
from consumers.settings import Settings
from consumers.web.endpoint import Endpoint
from consumers.web.live import LiveView
from consumers.web.site import Site
from models.metrics import MISS
from stream.broker import EmbeddedBroker
from stream.topics import ensure_topics
from tests.consumers.browser import chromium

EVIL_USER = '<script>alert("user")</script>"\' &amp;'
EVIL_ITEM = '"><img src=x onerror="alert(1)"><script>document.title="item"</script>'
NOON = 1_772_368_000_000
MINUTE = 60_000
PATIENCE_MS = 60_000

pytestmark = pytest.mark.timeout(480)


@pytest.fixture(scope="module")
def settings(broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return Settings.model_validate(
        {
            "application": {"name": "test.page"},
            "kafka": {"bootstrap": broker.bootstrap},
            "input": {"topic": "test.page.in", "partitions": 1},
            "publish": {"topic": "test.page.out"},
            "network": {"enabled": False},
            "state": {"dir": tmp_path_factory.mktemp("state")},
            "metrics": {"port": port},
        }
    )


@pytest.fixture(scope="module")
def service(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    """One that was sent events of some users, all with the same two items in turn, and something unreadable."""
    connection = settings.kafka.connection()
    ensure_topics(connection, settings.topics())
    with KafkaProducer(**connection.settings()) as producer:
        for number in range(120):
            user = EVIL_USER if number % 3 == 2 else f"u{number % 3}"
            item = EVIL_ITEM if number // 3 % 2 else "i1"
            event = {"user_id": user, "item_id": item, "event_time": NOON + number * MINUTE}
            producer.send(settings.input.topic, value=json.dumps(event).encode())  # stamped now, or Kafka deletes them
        producer.send(settings.input.topic, value=b"<b>not json</b>")
    folder = tmp_path_factory.mktemp("child")
    with Child(settings, folder) as child:
        assert f"Live page, metrics and health: {child.url}" in (folder / "run.log").read_text(encoding="utf-8")
        yield child


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, service: Child) -> Iterator[Page]:
    """The page, and proof that nothing went wrong in it."""
    with browser.new_context() as context:
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.goto(service.url)
        yield page
        assert complaints == []
        assert page.locator("script").count() == 1
        assert page.locator("img").count() == 0


@pytest.fixture(scope="module", autouse=True)
def _patience() -> None:
    expect.set_options(timeout=PATIENCE_MS)


def test_it_says_how_the_service_does(page: Page) -> None:
    expect(page.locator("#standing")).to_have_text("Leads, and keeps up")
    expect(page.locator("#rate p")).to_have_text("121 events, 120 lists since the start")
    expect(page.locator("#lag strong")).to_have_text("0")
    expect(page.locator("#latency strong")).to_have_text(re.compile(r"^\d"))
    expect(page.locator("#dead strong")).to_have_text("1")
    expect(page.locator("#dead p")).to_contain_text("bad_json 1")
    expect(page).to_have_title("leader: test.page")


def test_it_shows_the_quality_of_each_expert_beside_the_list(page: Page) -> None:
    expect(page.locator("#foreseen p")).to_contain_text("newest 117 events")
    rows = page.locator("#scorers tbody tr")
    lines = page.locator("#chart path")
    expect(rows.filter(has_text="what goes out")).to_have_count(1)
    names = {text.split()[0] for text in rows.locator("td:first-child").all_inner_texts()}
    assert {"list", "mixture", "transitions", "own_recent", "popular_1d", "factorization"} <= names
    assert lines.count() == len(names)
    hits, gain = rows.filter(has_text="what goes out").locator("td.number").all_inner_texts()
    assert 0 < float(gain) <= float(hits) <= 1

    before = lines.last.get_attribute("d")
    page.get_by_label("HR@10").check()
    expect(lines.last).not_to_have_attribute("d", before or "")
    rows.filter(has_text="own_recent").hover()
    expect(page.locator("#chart path.hot")).to_have_attribute("data-scorer", "own_recent")


def test_the_last_lists_are_shown_with_their_reasons_and_ids_as_text(page: Page) -> None:
    rows = page.locator("#lists tbody tr")
    expect(rows).to_have_count(3)
    row = rows.filter(has=page.get_by_role("button", name=EVIL_USER, exact=True))
    expect(row.locator("td").nth(2)).to_contain_text(EVIL_ITEM)
    expect(row.locator("td").nth(3)).to_contain_text("% after ")


def test_a_user_is_looked_up(page: Page) -> None:
    page.get_by_role("button", name=EVIL_USER, exact=True).click()
    expect(page.locator("#found")).to_contain_text(f"{EVIL_USER}: went out at")
    rows = page.locator("#list tbody tr")
    expect(rows).to_have_count(2)
    assert set(rows.locator("td:nth-child(2)").all_inner_texts()) == {"i1", EVIL_ITEM}
    expect(rows.locator("td:nth-child(4)", has_text=EVIL_ITEM).first).to_be_visible()
    expect(rows.first.locator("td").last).to_contain_text("%")
    expect(page.get_by_label("User id")).to_have_value(EVIL_USER)

    page.get_by_label("User id").fill("u1")
    page.get_by_label("User id").press("Enter")
    expect(page.locator("#found")).to_contain_text("u1: went out at")


class Told:
    """A page of a process that is as it is told to be."""

    def __init__(self) -> None:
        self.live, self.role = True, Role.LEADER
        self.view = LiveView("told", ["popular_1d", "own_recent", "list"])
        site = Site(self.view, "127.0.0.1", lambda: self.live, lambda: self.role)
        self.endpoint = Endpoint("127.0.0.1", 0, CollectorRegistry(), lambda: self.live, lambda: self.role, site)

    def learned(self, *ranks: list[int]) -> None:
        """Tell of events of users met before, whose lists were never out."""
        none, never = np.zeros(len(ranks), np.int32), np.full(len(ranks), -1, np.int64)
        known = np.ones(len(ranks), np.bool_)
        self.view.learned(Learned(none, none, never, np.array(ranks, np.int32), known, never, none + MISS, never))


@pytest.fixture
def told() -> Iterator[Told]:
    told = Told()
    with told.endpoint:
        yield told


@pytest.fixture
def told_page(browser: Browser, told: Told) -> Iterator[Page]:
    with browser.new_context() as context:
        page = context.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(told.endpoint.url)
        yield page
        assert complaints == []


@pytest.mark.parametrize(
    ("live", "role", "words", "state"),
    [
        (True, Role.LEADER, "Leads, and keeps up", "good"),
        (True, Role.STANDBY, "Stands by: takes over when the leader goes", "good"),
        (True, Role.RECOVERING, "Recovers: follows the journal", "warn"),
        (False, Role.LEADER, "Stalled: its loop has not gone round", "bad"),
        (False, Role.RECOVERING, "Stalled: its loop has not gone round", "bad"),
    ],
)
def test_each_standing_has_its_words(
    told: Told, told_page: Page, live: bool, role: Role, words: str, state: str
) -> None:
    told.live, told.role = live, role
    expect(told_page.locator("#standing")).to_contain_text(words)
    expect(told_page.locator("#standing")).to_have_attribute("data-state", state)
    expect(told_page.locator("#lag strong")).to_have_text("\N{EN DASH}")
    expect(told_page.locator("#lag p")).to_have_text("")
    expect(told_page.locator("#chart-note")).to_have_text("Nothing was tested yet.")


def test_who_is_behind_says_by_how_much(told: Told, told_page: Page) -> None:
    told.view.behind(5_000, NOON - 90_000, NOON)
    expect(told_page.locator("#standing")).to_have_text("Leads, and is 2 min behind")
    expect(told_page.locator("#lag strong")).to_have_text("5,000")
    expect(told_page.locator("#lag")).to_have_attribute("data-state", "warn")


def test_before_any_list_was_out_quality_is_shown_all_the_same(told: Told, told_page: Page) -> None:
    told.learned([3, 3, 0])
    expect(told_page.locator("#scorers tbody tr").first).to_have_text("list what goes out1.0001.000")
    expect(told_page.locator("#published")).to_have_text("")
    expect(told_page.locator("#standing")).to_have_text("Leads, and keeps up")


def test_the_best_expert_is_the_best_by_the_figure_that_is_shown(told: Told, told_page: Page) -> None:
    told.learned([4, 0, 0], [4, int(MISS), 0])  # one is always fifth, the other first every second time
    expect(told_page.locator("#foreseen p")).to_contain_text(
        "popular_1d, the best expert here, 100.0\N{NO-BREAK SPACE}%"
    )
    best = told_page.locator("#scorers tr[data-part=expert] td").first
    expect(best).to_contain_text("own_recent")  # by NDCG@10
    told_page.get_by_label("HR@10").check()
    expect(best).to_contain_text("popular_1d")


def test_it_can_be_read_by_day_and_by_night(page: Page) -> None:
    def brightness(where: str, what: str) -> float:
        red, green, blue = page.evaluate(
            f"getComputedStyle(document.querySelector('{where}')).{what}.match(/[0-9]+/g).slice(0, 3).map(Number)"
        )
        return float(0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255

    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        ground, ink = brightness("body", "backgroundColor"), brightness("body", "color")
        assert (ground > 0.9 and ink < 0.2) if scheme == "light" else (ground < 0.15 and ink > 0.8)


@pytest.mark.parametrize("width", [320, 390, 800])
def test_it_fits_on_a_telephone_and_nothing_is_one_letter_wide(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    expect(page.locator("#lists tbody tr")).to_have_count(3)
    page.get_by_role("button", name="u1", exact=True).click()
    why = page.locator("#list tbody td:nth-child(4)").first
    expect(why).to_contain_text("%")
    box = why.bounding_box()
    assert box is not None
    assert box["width"] > 200
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_user_who_was_never_there_is_not_found(browser: Browser, service: Child) -> None:
    with browser.new_context() as context:  # Chromium says on its console that it met a 404
        page = context.new_page()
        page.goto(service.url)
        page.get_by_label("User id").fill("<b>nobody</b>")
        page.get_by_role("button", name="Show the list").click()
        expect(page.locator("#found")).to_contain_text("No list of <b>nobody</b> is remembered")
        expect(page.locator("#list")).to_be_hidden()


def test_it_says_when_nobody_answers_any_more(browser: Browser, service: Child) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(service.url)
        expect(page.locator("#standing")).to_have_text("Leads, and keeps up")
        service.stop()
        expect(page.locator("#standing")).to_contain_text("No answer since")
        expect(page.locator("body")).to_have_class("stale")
        expect(page.locator("#lists tbody tr")).to_have_count(3)
