import io
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from consumers.backtest import backtest
from consumers.commands.backtest import Plan, measure
from consumers.commands.pretrain import train
from consumers.files import checkpoints
from consumers.files.reading import EventFile
from consumers.measuring.variants import Variant
from consumers.settings import Settings
from stream.errors import SettingsError
from tests.consumers.stream import round_robin, settings


def file(path: Path, rounds: int, first_s: int) -> EventFile:
    rows = (f"{pair.replace(' ', ',')},{first_s + 60 * n}\n" for n, pair in enumerate(round_robin(rounds)))
    path.write_text("user,item,ts\n" + "".join(rows))
    return EventFile(path)


@pytest.fixture
def history(tmp_path: Path) -> EventFile:
    return file(tmp_path / "history.csv", 100, 1_767_225_600)


@pytest.fixture
def rest(tmp_path: Path) -> EventFile:
    return file(tmp_path / "rest.csv", 8, 1_768_225_600)


def trained(history: EventFile, path: Path, chosen: Settings | None = None) -> str:
    console = Console(file=io.StringIO(), width=120)
    train(chosen or settings(network={}), history, path, 12, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_history_becomes_a_checkpoint(history: EventFile, tmp_path: Path) -> None:
    shown = trained(history, tmp_path / "network.safetensors")
    found = checkpoints.read(tmp_path / "network.safetensors")
    assert set(found.ids) == set("abcd")
    assert found.ids[-1] == round_robin(100)[-1].split()[1]
    assert "300 events and 4 items were learned" in shown
    assert found.digest[:16] in shown


def test_a_backtest_that_begins_with_it_knows_what_follows_what(
    history: EventFile, rest: EventFile, tmp_path: Path
) -> None:
    path = tmp_path / "network.safetensors"
    trained(history, path)
    chosen = settings(network={"checkpoint": path})
    frozen = Variant(freeze_network=True)
    hits = []
    for start, variant in ((None, None), (checkpoints.start(chosen), None), (checkpoints.start(chosen), frozen)):
        trial = backtest(chosen, rest, batch=4, progress=lambda _: None, variant=variant, start=start)
        hits.append((trial.of("sequence")[3:] == 0).mean())
    assert hits[0] < 0.4, "it had nothing to learn from"
    assert min(hits[1:]) > 0.6


def test_figures_name_the_checkpoint(history: EventFile, rest: EventFile, tmp_path: Path) -> None:
    path, figures = tmp_path / "network.safetensors", tmp_path / "figures.json"
    trained(history, path)
    plan = Plan(variant=Variant(freeze_network=True), json_path=figures)
    measure(settings(network={"checkpoint": path}), rest, plan, Console(file=io.StringIO()))
    found = msgspec.json.decode(figures.read_bytes())
    assert (found["checkpoint"], found["freeze_network"]) == (checkpoints.read(path).digest, True)


def test_freezing_needs_something_to_freeze(rest: EventFile) -> None:
    with pytest.raises(SettingsError, match="give --from"):
        measure(settings(network={}), rest, Plan(variant=Variant(freeze_network=True)), Console(file=io.StringIO()))


def test_without_a_network_there_is_nothing_to_train(history: EventFile, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="There is no network to train"):
        trained(history, tmp_path / "network.safetensors", settings())
