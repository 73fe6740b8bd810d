"""A running service, a real Prometheus that scrapes it, and every query that is deployed."""

import json
import re
import time
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import pytest
from kafka import KafkaProducer

from consumers.commands.child import Child
from consumers.commands.figures import Figures
from consumers.commands.replay import Pace, Replay
from consumers.files.reading import EventBatch
from consumers.files.synthetic import synthetic
from consumers.settings import Settings
from stream.broker import EmbeddedBroker
from tests.deploy.conftest import DEPLOY, ROOT
from tests.deploy.server import Server, free_port, load

EVENTS = 1_500
BAD = 5
pytestmark = pytest.mark.timeout(400)  # of which the first test needs most: it starts it all

_BUSY = {"SpringtideSlow"}  # which a machine cannot help that is busy with other things
_STILL = {  # where nothing goes wrong and nobody stands by
    *("standby", "lag_records", "lag_seconds", "drift_total", "snapshot_failures_total", "state_evictions_total"),
    *("model_updates_dropped_total", "expert_updates_skipped_total", "journal_left_offsets"),
}
_OF_STANDBYS = {"springtide_journal_left_offsets"}  # not a number where one leads
_VARIABLES = {"$instance": ".*", "$__rate_interval": "1m", "$window": "1h", "$interval": "1m"}


class Query(NamedTuple):
    where: str
    expression: str


def panel_queries() -> list[Query]:
    """Every query of every dashboard, with the variables as they are when one opens it."""
    found = []
    for path in sorted((DEPLOY / "grafana").glob("**/*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", []):
                expression = target["expr"]
                for name, value in _VARIABLES.items():
                    expression = expression.replace(name, value)
                found.append(Query(f"{path.stem}: {panel['title']} ({target['refId']})", expression))
    return found


def documented_queries() -> list[Query]:
    """Every query that a document gives as an example."""
    found = []
    for path in sorted((ROOT / "docs").glob("*.md")):
        for block in re.findall(r"^```promql\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
            for example in block.strip().split("\n\n"):
                title, _, expression = example.partition("\n")
                found.append(Query(f"{path.stem}: {title.removeprefix('# ')}", expression))
    return found


def alert_selectors() -> list[Query]:
    """Every series that an alert looks at."""
    found = []
    for group in load(DEPLOY / "alerts.yml")["groups"]:
        for rule in group["rules"]:
            for selector in re.findall(r"(?:springtide|process)_\w+(?:\{[^}]*\})?", rule["expr"]):
                found.append(Query(rule["alert"], selector))
    return found


@pytest.fixture(scope="module")
def server(prometheus: str, broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Prometheus that has scraped a service through a stream with some bad records."""
    folder = tmp_path_factory.mktemp("observed")
    values: dict[str, dict[str, Any]] = {
        "application": {"name": "observed.app"},
        "kafka": {"bootstrap": broker.bootstrap},
        "input": {"topic": "observed.in", "partitions": 2, "start": "earliest"},
        "publish": {"topic": "observed.out"},
        "state": {"dir": str(folder / "state"), "snapshot_every": "2s"},
        "metrics": {"port": free_port()},
    }
    settings = Settings.model_validate(values)
    targets = [f"{settings.metrics.host}:{settings.metrics.port}"]
    with Server(prometheus, folder, targets) as running, Child(settings, folder) as child:
        batches = list(synthetic(EVENTS, seed=1))
        half, sent = len(batches) // 2, 0
        for part in (batches[:half], batches[half:]):  # what is scraped between them is where rates begin
            begun = time.time()
            sent += _send(part, settings)
            running.wait(partial(_is_done, child, sent, begun), "the events to be dealt with")
            running.wait(partial(_scraped_twice_since, time.time(), running), "two points of everything, for rates")
        running.stop_the_clock()
        yield running


def _send(batches: list[EventBatch], settings: Settings) -> int:
    """Send these, and bad records; return how many that is."""
    Replay(settings.kafka.connection(), settings, Pace(None), "observed").send(batches)
    with KafkaProducer(**settings.kafka.connection().settings()) as producer:
        for _ in range(BAD):
            producer.send(settings.input.topic, value=b"not json")
    return sum(map(len, batches)) + BAD


def _is_done(child: Child, sent: int, begun: float) -> bool:
    """Whether all that was sent is dealt with, and there is a snapshot of since `begun`."""
    child.check()
    figures = child.figures() or Figures()
    return figures.processed() >= sent and figures.total("snapshot_timestamp_seconds") > begun


def _scraped_twice_since(moment: float, server: Server) -> bool:
    since_ms = int(1000 * (time.time() - moment)) + 1
    found = server.query(f"count_over_time(up[{since_ms}ms])")
    return bool(found) and int(found[0]["value"][1]) >= 2


@pytest.mark.parametrize("query", [*panel_queries(), *documented_queries()], ids=lambda query: query.where)
def test_every_panel_and_every_example_shows_something(server: Server, query: Query) -> None:
    values = [series["value"][1] for series in server.query(query.expression)]
    assert values, f"{query.expression} finds nothing"
    if not any(name in query.expression for name in _OF_STANDBYS):
        assert set(values) != {"NaN"}, f"{query.expression} finds only what is not a number"


@pytest.mark.parametrize("query", alert_selectors(), ids=lambda query: f"{query.where}: {query.expression}")
def test_what_alerts_look_at_is_there(server: Server, query: Query) -> None:
    assert server.query(query.expression), f"{query.expression} finds nothing"


def test_every_figure_has_moved_that_moves_in_a_healthy_service(server: Server) -> None:
    values: dict[str, set[str]] = {}
    for series in server.query('{__name__=~"springtide_.*"}'):
        values.setdefault(series["metric"]["__name__"], set()).add(series["value"][1])
    assert {name.removeprefix("springtide_") for name, found in values.items() if found <= {"0", "NaN"}} <= _STILL
    (needed,) = server.query("min_over_time(springtide_input_expiry_timestamp_seconds[10m]) - time()")
    assert 29 * 86_400 < float(needed["value"][1]) < 30 * 86_400  # by now all is in a snapshot, and nothing is needed


def test_rules_are_evaluated_and_a_healthy_service_wakes_nobody(server: Server) -> None:
    rules = server.rules()
    assert {rule["name"] for rule in rules} == {query.where for query in alert_selectors()} | {"SpringtideDown"}
    assert [rule["lastError"] for rule in rules if rule["health"] != "ok"] == []
    assert {rule["name"] for rule in rules if rule["state"] == "firing"} <= _BUSY
