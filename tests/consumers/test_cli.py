import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from kafka import KafkaProducer

from consumers.cli import main
from stream.broker import EmbeddedBroker
from stream.dead_letters import dead_letter
from stream.errors import MessageError
from stream.log import Record


class Answer(NamedTuple):
    code: int
    out: str
    err: str


class Springtide:
    """The command line, run in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: str, **environment: str) -> Answer:
        self._monkeypatch.setattr(sys, "argv", ["springtide", *arguments])
        for name, value in environment.items():
            self._monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        return Answer(ended.value.code, *self._capsys.readouterr())


@pytest.fixture
def springtide(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[Springtide]:
    handler = signal.getsignal(signal.SIGTERM)
    monkeypatch.chdir(tmp_path)
    yield Springtide(monkeypatch, capsys)
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def task(broker: EmbeddedBroker, prefix: str) -> dict[str, str]:
    return {
        "SPRINGTIDE_KAFKA__BOOTSTRAP": broker.bootstrap,
        "SPRINGTIDE_APPLICATION__NAME": f"{prefix}app",
        "SPRINGTIDE_INPUT__TOPIC": f"{prefix}in",
        "SPRINGTIDE_PUBLISH__TOPIC": f"{prefix}out",
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "events.csv"
    path.write_text("user,item,ts\n" + "".join(f"u{n % 3},i{n % 5},{1767225600 + n}\n" for n in range(60)))
    return path


def test_every_command_has_its_help(springtide: Springtide) -> None:
    overview = springtide("--help").out

    files = ("replay", "backtest", "pretrain", "clean")
    for command in (*files, "demo", "broker", "run", "tail", "topics", "dlq", "audit", "config"):
        assert command in overview
        assert springtide(command, "--help").code == 0
    for command in ("list", "replay"):
        assert springtide("dlq", command, "--help").code == 0


def test_help_imports_nothing_slow() -> None:
    code = "import sys, consumers.cli; print({'torch', 'numba', 'kafka', 'pyarrow', 'pydantic'} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert answer.stdout == "set()\n"


def test_dead_letters_are_listed_and_sent_again(springtide: Springtide, task: dict[str, str]) -> None:
    assert springtide("dlq", "list", **task).code == 4  # no topics yet
    springtide("topics", "--create", **task)
    with KafkaProducer(bootstrap_servers=task["SPRINGTIDE_KAFKA__BOOTSTRAP"]) as producer:
        for offset, reason in enumerate(["bad_json", "bad_json", "too_late"]):
            source = Record(task["SPRINGTIDE_INPUT__TOPIC"], 0, offset, 1_767_225_600_000, b"u", b"{")
            name = task["SPRINGTIDE_APPLICATION__NAME"]
            letter = dead_letter(
                source, MessageError(reason, "No."), stage="decode", application=name, version="1", group=name
            )
            producer.send(letter.topic, letter.value, letter.key, list(letter.headers), letter.partition)

    listed = [json.loads(line) for line in springtide("dlq", "list", "--json", **task).out.splitlines()]
    assert [(group["reason"], group["records"], group["waiting"]) for group in listed] == [
        ("bad_json", 2, 2),
        ("too_late", 1, 1),
    ]
    assert "bad_json" in springtide("dlq", "list", **task).out
    assert "Would send 1 dead letters" in springtide("dlq", "replay", "--reason", "too_late", "--dry-run", **task).out
    assert "Sent 3 dead letters" in springtide("dlq", "replay", **task).out
    assert "Sent 0 dead letters" in springtide("dlq", "replay", **task).out
    refused = springtide("dlq", "replay", "--reason", "to_late", **task)
    assert (refused.code, "there are: bad_json, too_late" in refused.err) == (2, True)


def test_config_prints_what_is_in_effect(springtide: Springtide) -> None:
    answer = springtide("config", SPRINGTIDE_WINDOWS__LENGTH="9")

    assert answer.code == 0
    assert "[windows]\nlength = 9\n" in answer.out


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("config", "--config", "nowhere.toml"), 2, "The settings file nowhere.toml does not exist"),
        (("replay", "nowhere.csv"), 2, "The file nowhere.csv does not exist: check the path.\n"),
        (("backtest", "nowhere.csv"), 2, "The file nowhere.csv does not exist: check the path.\n"),
        (("demo", "--file", "nowhere.csv"), 2, "The file nowhere.csv does not exist: check the path.\n"),
        (("topics",), 4, "No Kafka broker answers at 127.0.0.1:1"),
        (("tail",), 4, "No Kafka broker answers at 127.0.0.1:1"),
        (("audit",), 4, "No Kafka broker answers at 127.0.0.1:1"),
        (("run",), 4, "No Kafka broker answers at 127.0.0.1:1"),
    ],
)
def test_each_failure_is_one_sentence_and_an_exit_code(
    springtide: Springtide, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    answer = springtide(*arguments, SPRINGTIDE_KAFKA__BOOTSTRAP="127.0.0.1:1")

    assert answer.code == code
    assert answer.err.startswith(sentence)
    assert answer.err.count("\n") == 1


def test_a_file_goes_in_after_its_topics_are_made(springtide: Springtide, task: dict[str, str], file: Path) -> None:
    missing = springtide("topics", **task)
    sent = springtide("replay", str(file), **task)
    topics = springtide("topics", **task)

    assert (missing.code, missing.err.count("\n")) == (4, 1)
    assert "Sent 60 events" in sent.out
    assert topics.code == 0
    assert f"{task['SPRINGTIDE_APPLICATION__NAME']}.journal" in topics.out


def test_a_file_is_inspected_and_the_findings_written(springtide: Springtide, file: Path, tmp_path: Path) -> None:
    findings = tmp_path / "findings.json"
    file.write_text(file.read_text() + ",[bold]i[/bold],1767225600\n,i,1767225600\n")
    answer = springtide("clean", str(file), "--preset", "shop", "--json", str(findings))
    written = json.loads(findings.read_text())

    assert answer.code == 0, answer.err
    assert "62 events, of which 60 (96.8%) would be learned from." in answer.out
    assert "From 2026-01-01T00:00:00Z to 2026-01-01T00:00:59Z (numbers of seconds)." in answer.out
    assert "3.2%  missing field: A dead letter, such as: `userId` is" in answer.out
    assert "row 61: item [bold]i[/bold] at 2026-01-01T00:00:00Z" in answer.out
    assert (written["events"], written["findings"][0]["name"]) == (62, "missing_field")
    refused = springtide("clean", str(file), "--json", "missing/findings.json")
    assert (refused.code, refused.err.count("\n"), "choose another path for --json" in refused.err) == (2, 1, True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--json", "missing/figures.json"), "missing/figures.json cannot be written (No such file or directory): "),
        (("--json", "."), ". cannot be written (Is a directory): choose another path for --json.\n"),
        (("--plot", "missing/it.svg"), "missing/it.svg cannot be written (No such file or directory): "),
        (("--plot", "it.gif"), "A picture is .svg or .png, and it.gif is neither: choose another --plot.\n"),
        (("--report", "it.pdf"), "A report is .html, and it.pdf is not: choose another --report.\n"),
        (("--report", "missing/it.html"), "missing/it.html cannot be written (No such file or directory): "),
        (("--ablate", "--update-every", "1d"), "--ablate and --without are for what learns at once: "),
        (("--update-every", "1"), "--update-every is '1', but must be a duration with units, "),
        (("--update-every", "1d", "--freeze-after", "0.5"), "--update-every and --freeze-after are two ways of "),
    ],
)
def test_a_backtest_that_cannot_be_done_as_asked_ends_before_it_begins(
    springtide: Springtide, file: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    file.write_text("user,item,ts\nu,i,soon\n")  # were it read, this would be the complaint
    answer = springtide("backtest", str(file), *arguments)

    assert answer.code == 2
    assert answer.err.startswith(sentence)
    assert answer.err.count("\n") == 1


def test_a_backtest_that_fails_leaves_the_last_figures_and_no_empty_ones(
    springtide: Springtide, file: Path, tmp_path: Path
) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text("{}")
    answers = [springtide("backtest", str(file), "--limit", "2", "--json", str(path)) for path in (old, new)]

    assert [answer.code for answer in answers] == [2, 2]
    assert (old.read_text(), new.exists()) == ("{}", False)


def test_a_backtest_prints_figures_and_writes_them(springtide: Springtide, file: Path, tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    answer = springtide("backtest", str(file), "--limit", "40", "--seed", "7", "--unseen", "--json", str(figures))
    written = json.loads(figures.read_text())

    assert answer.code == 0, answer.err
    assert "40 events, 3 users, 5 items" in answer.out
    assert (written["events"], written["seed"], written["settings"]["serving"]["repeats"]) == (40, 7, "never")


def test_history_is_read_into_a_checkpoint_that_a_backtest_begins_with(
    springtide: Springtide, file: Path, tmp_path: Path
) -> None:
    long, path = tmp_path / "long.csv", tmp_path / "network.safetensors"
    long.write_text("user,item,ts\n" + "".join(f"u{n % 3},i{n % 5},{1767225600 + n}\n" for n in range(120)))
    trained = springtide("pretrain", str(long), "--to", str(path), "--passes", "1")
    assert (trained.code, "120 events and 5 items were learned" in trained.out) == (0, True)
    assert springtide("backtest", str(file), "--limit", "40", "--from", str(path), "--freeze-network").code == 0
    lstm = springtide("backtest", str(file), "--from", str(path), SPRINGTIDE_NETWORK__ENCODER="lstm")
    assert (lstm.code, "was made for the encoder transformer" in lstm.err) == (2, True)
    foreign = springtide("backtest", str(file), "--from", str(long), SPRINGTIDE_NETWORK__ENCODER="transformer")
    assert (foreign.code, "cannot be read as a checkpoint" in foreign.err) == (2, True)
