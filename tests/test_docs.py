"""The documents say what the code does: their examples are read, their tables compared, their names looked up."""

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import msgspec
import pytest
from prometheus_client import generate_latest
from pydantic import BaseModel

from consumers.metrics import metrics_page
from consumers.pipeline import CONSUMED_NOTES, Decisions
from consumers.settings import Fields, Settings
from consumers.telemetry import Telemetry
from models.network.training import TrainingConfig
from stream import errors, journal, recommendations
from stream.dead_letters import SentAgain, dead_letter, read_note
from stream.errors import MessageError, SpringtideError
from stream.events import Decoder, encode
from stream.items import ItemDecoder
from stream.log import Headers, Record
from stream.topics import TopicSpec
from tests.models.checks import CHECKS, Check, Factory, name_of

ROOT = Path(__file__).parent.parent
MESSAGES = (ROOT / "docs" / "messages.md").read_text(encoding="utf-8")
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/guides/*.md")])
DEPLOYED = sorted(
    [ROOT / "docker-compose.yml", *(path for path in (ROOT / "deploy").rglob("*") if path.is_file())],
)


class Block(NamedTuple):
    kind: str  # what stands behind the opening fence
    text: str


def blocks(page: str) -> list[Block]:
    return [Block(*found) for found in re.findall(r"^```(.+)\n((?:.*\n)*?)```$", page, re.MULTILINE)]


def rows(page: str, first_column: str) -> list[list[str]]:
    """Cells of the tables whose header begins so, without the header."""
    tables = re.findall(rf"^\| {first_column} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", page, re.MULTILINE)
    return [[cell.strip() for cell in line.strip("|").split("|")] for table in tables for line in table.splitlines()]


def headers(text: str) -> Headers:
    return tuple((name, value.encode()) for name, value in (line.split(": ", 1) for line in text.splitlines()))


def incoming(value: str, with_headers: Headers = ()) -> Record:
    return Record("interactions", 2, 10_451, 1_772_368_000_000, None, value.encode(), with_headers)


def decoded(record: Record, fields: str = "") -> list[object]:
    names = Fields(**tomllib.loads(fields)["input"]["fields"]).field_map() if fields else None
    answer = Decoder(names).decode(record)
    assert answer.error is None, answer.error
    return [json.loads(encode(event)) for event in answer.events]


def test_examples_of_what_comes_in_are_read_as_documented() -> None:
    kinds = [block.kind for block in blocks(MESSAGES)]
    fields, ce, events = "", (), []  # type: str, Headers, list[object]
    for kind, text in blocks(MESSAGES):
        if kind == "toml fields":
            fields = text
        elif kind == "text headers":
            ce = headers(text)
        elif kind == "json interactions":
            events = decoded(incoming(text))
        elif kind == "json interactions with headers":
            events = decoded(incoming(text, ce))
        elif kind == "json mapped":
            events = decoded(incoming(text), fields)
        elif kind == "json events":
            assert events == json.loads(text)
        assert events
    assert kinds.count("json events") == 4
    assert set(kinds) == {
        *("json interactions", "json interactions with headers", "json mapped", "json events", "json recommendation"),
        *("json receipt", "json journal", "text headers", "text dead letter", "toml fields", "json note", "json item"),
    }


def test_the_example_of_an_item_is_read_with_all_its_fields() -> None:
    example = next(text for kind, text in blocks(MESSAGES) if kind == "json item")
    item = ItemDecoder(vector_length=3).decode(Record("items", 0, 0, 0, b"i942", example.encode())).item
    assert item is not None
    assert (item.published_ms, len(item.attributes), len(item.vector)) == (1_772_366_400_000, 5, 3)


def test_both_modes_of_cloudevents_give_the_documented_event() -> None:
    structured = next(text for kind, text in blocks(MESSAGES) if "specversion" in text and kind == "json interactions")
    expected = next(text for kind, text in blocks(MESSAGES) if kind == "json events" and "01J9ZU" in text)
    assert decoded(incoming(structured)) == json.loads(expected)


@pytest.mark.parametrize("page", ["docs/messages.md", "README.md"])
def test_the_example_of_a_list_has_every_field_and_is_read(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    example = next(text for _, text in blocks(text) if '"schema": "springtide.recommendation' in text)
    read = recommendations.RecommendationReader().read(example.encode())
    assert read is not None
    assert json.loads(recommendations.encode(read)) == json.loads(example)


def test_the_example_of_a_receipt_has_every_field() -> None:
    example = next(text for kind, text in blocks(MESSAGES) if kind == "json receipt")
    receipt = msgspec.json.decode(example, type=recommendations.Receipt)
    assert json.loads(recommendations.encode(receipt)) == json.loads(example)
    assert f"Its header `{recommendations.RECEIPT_HEADER}` is the receipt" in MESSAGES


def test_the_example_of_a_note_is_read() -> None:
    example = next(text for kind, text in blocks(MESSAGES) if kind == "json note")
    note = read_note(Record("interactions.dlq", 2, 30, 0, None, example.encode()))
    assert note == SentAgain(application="springtide", offsets=[17, 21])


def test_how_long_what_is_kept_is_as_documented() -> None:
    privacy = (ROOT / "docs" / "privacy.md").read_text(encoding="utf-8")
    assert f"Until {CONSUMED_NOTES / 1_000_000:g} million notes" in privacy
    assert f"Until {TrainingConfig().replay_capacity:,} examples" in privacy
    assert f"`state.erase_within` ({Settings().state.erase_within.ms // 60_000} minutes)" in privacy


def test_every_field_of_a_list_has_a_row() -> None:
    example = next(text for kind, text in blocks(MESSAGES) if kind == "json recommendation")
    documented = {cell for row in rows(MESSAGES, "field") for cell in re.findall(r"`([^`]+)`", row[0])}

    def names(value: object, above: str = "") -> Iterator[str]:
        if isinstance(value, dict) and above not in {"trigger.", "model."}:  # described in one row each
            for name, inner in value.items():
                yield above + name
                yield from names(inner, f"{above}{name}.")
        elif isinstance(value, list):
            for inner in value:
                yield from names(inner, f"{above[:-1]}[].")

    assert set(names(json.loads(example))) <= documented


def test_the_example_of_a_journal_record_is_read_and_has_every_decision() -> None:
    example = next(text for kind, text in blocks(MESSAGES) if kind == "json journal")
    record = journal.decode(example.encode())
    assert json.loads(journal.encode(record)) == json.loads(example)
    assert record.decisions.keys() == {field.name for field in msgspec.structs.fields(Decisions)}


def test_the_headers_of_a_dead_letter_are_as_documented() -> None:
    example = next(text for kind, text in blocks(MESSAGES) if kind == "text dead letter")
    record = Record("interactions", 2, 10_451, 1_772_366_400_300, None, b'{"user_id":"u17","event_time":1772366400250}')
    error = Decoder().decode(record).error
    assert error is not None
    letter = dead_letter(record, error, stage="decode", application="springtide", version="0.1.0", group="springtide")
    assert headers(example) == letter.headers


def raised_reasons() -> set[str]:
    """Every literal reason that a MessageError is made with."""
    found = set()
    for path in [*ROOT.glob("stream/*.py"), *ROOT.glob("consumers/*.py")]:
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == MessageError.__name__:
                reason = call.args[0] if call.args else next(k.value for k in call.keywords if k.arg == "reason")
                assert isinstance(reason, ast.Constant), f"{path}:{call.lineno}: the documents cannot know this reason"
                found.add(str(reason.value))
    return found


def test_the_reasons_in_the_table_are_those_in_the_code() -> None:
    documented = [row[0].strip("`") for row in rows(MESSAGES, "reason")]
    assert len(documented) == len(set(documented))
    assert set(documented) == raised_reasons()


def test_the_topics_in_the_table_are_those_that_are_made() -> None:
    def documented(spec: TopicSpec, named_by: str, partitions: str) -> list[str]:
        days = f"{spec.retention_ms // 86_400_000} days"
        gibibytes = int(spec.more.get("retention.bytes", 0)) >> 30
        return [
            f"`{spec.name}`",
            named_by,
            partitions,
            ", ".join(sorted(spec.cleanup)),
            f"no limit in time, {gibibytes} GiB" if spec.retention_ms < 0 else days,
            f"{spec.max_message_bytes >> 20} MiB",
        ]

    topics = Settings().topics()
    assert rows(MESSAGES, "topic") == [
        documented(topics.input, "`input.topic`", f"`input.partitions`, {topics.input.partitions}"),
        documented(topics.output, "`publish.topic`", "as many as the input"),
        documented(topics.dead_letters, "the input's name and `.dlq`", "as many as the input"),
        documented(topics.journal, "`application.name` and `.journal`", "1"),
    ]


def test_the_exit_codes_in_the_table_are_those_of_the_errors() -> None:
    documented = {
        (int(row[0]), name) for row in rows(OPERATIONS, "code") for name in re.findall(r"`(\w+Error)`", row[1])
    }
    classes = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, SpringtideError)]
    exits = {(kind.exit_code, kind.__name__) for kind in classes if kind is not MessageError}
    assert documented == exits


def metric_names() -> set[str]:
    """Every name that Prometheus can see, for histograms with their endings."""
    exposed = generate_latest(Telemetry(["list"]).registry).decode()
    names = set()
    for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", exposed, re.MULTILINE):
        names.add(name)
        if kind == "histogram":
            names |= {f"{name}_{ending}" for ending in ("bucket", "count", "sum")}
    return names


@pytest.mark.parametrize("path", [*PAGES, *DEPLOYED], ids=lambda path: path.name)
def test_metrics_that_are_named_exist(path: Path) -> None:
    named = set(re.findall(r"\bspringtide_[a-z][a-z_]*[a-z]\b(?!\*)", path.read_text(encoding="utf-8")))
    assert named <= metric_names()


def test_the_page_of_metrics_is_what_the_code_says() -> None:
    assert (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8") == metrics_page.page(), (
        "python -m consumers.metrics.metrics_page > docs/metrics.md"
    )


def test_every_metric_says_what_to_do() -> None:
    texts = {row[0]: row[2] for row in rows((ROOT / "docs" / "metrics.md").read_text(encoding="utf-8"), "metric")}
    series = {re.sub(r"_(bucket|count|sum)$", "", name) for name in metric_names() if not name.endswith("_created")}
    assert {name.strip("`") for name in texts} == series
    assert [name for name, text in texts.items() if "process_" not in name and text.count(". ") < 1] == []


def dotted_settings(model: type[BaseModel] = Settings, above: str = "") -> Iterator[str]:
    for key, field in model.model_fields.items():
        yield above + key
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from dotted_settings(field.annotation, f"{above}{key}.")


@pytest.mark.parametrize("path", [*PAGES, *DEPLOYED], ids=lambda path: path.name)
def test_settings_that_are_named_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    known = set(dotted_settings())
    sections = "|".join(Settings.model_fields)
    named = {key for key, _ in re.findall(rf"`((?:{sections})\.[a-z_.]+[a-z])( = [^`]+)?`", text)}
    variables = re.findall(r"\bSPRINGTIDE_([A-Z0-9_]+[A-Z0-9])\b", text)
    named |= {variable.lower().replace("__", ".") for variable in variables} - {"section.name"}
    files = {name for name in named if name.endswith((".py", ".md"))}
    assert named - files <= known


def anchors(page: Path) -> set[str]:
    """What a link can name in a page: its headings, as GitHub writes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_within_the_documents_lead_somewhere() -> None:
    for page in PAGES:
        for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", page.read_text(encoding="utf-8")):
            there = page.parent / target if target else page
            assert there.exists(), f"{page.name} links to {target}"
            assert not anchor or anchor in anchors(there), f"{page.name} links to {target}#{anchor}"


def test_every_alert_says_where_to_read_on() -> None:
    alerts = (ROOT / "deploy" / "alerts.yml").read_text(encoding="utf-8")
    names = re.findall(r"- alert: (\w+)", alerts)
    runbooks = re.findall(r"runbook: docs/operations\.md#(\w+)", alerts)
    assert names
    assert runbooks == [name.lower() for name in names]
    assert set(runbooks) <= anchors(ROOT / "docs" / "operations.md")


@pytest.fixture(scope="module")
def newcomers() -> Factory:
    """The expert that CONTRIBUTING gives as an example."""
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    example, _ = (text for kind, text in blocks(page) if kind == "python")
    module = ModuleType("newcomers")
    exec(compile(example, "CONTRIBUTING.md", "exec"), module.__dict__)
    factory: Factory = module.Newcomers
    return factory


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
def test_the_example_of_an_expert_keeps_the_contract(newcomers: Factory, check: Check) -> None:
    check(newcomers)
