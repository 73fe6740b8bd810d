from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from consumers import gate
from consumers.configuration import load, to_toml
from consumers.files.reading import EventBatch
from consumers.presets import PRESETS, beneath
from consumers.settings import Settings
from stream.errors import SettingsError
from stream.events import Interaction
from stream.log import Record
from stream.policy import Role
from tests.consumers.stream import NOON


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "some.toml"


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_changes_fields_and_events_and_nothing_else(name: str) -> None:
    plain, preset = Settings().model_dump(), load(preset=name).model_dump()
    assert preset["preset"] == name
    assert preset["input"]["fields"] != plain["input"]["fields"]
    assert preset["events"] != plain["events"]
    for one in (plain, preset):
        del one["preset"], one["input"]["fields"], one["events"]
    assert plain == preset


def test_settings_know_every_preset() -> None:
    assert get_args(Settings.model_fields["preset"].annotation) == ("none", *PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_what_was_chosen_is_learned_and_what_is_named_twice_has_one_role(name: str) -> None:
    types = PRESETS[name]["events"]["types"]
    policy = load(preset=name).events.policy()
    assert all(policy.judge(event, None).role.value == role for event, role in types.items())
    assert policy.judge("a name of their own", None).role is Role.LEARN


def test_the_file_wins_over_the_preset_and_the_environment_over_both(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(
        "preset = 'music'\n[input.fields]\nitem_id = 'song'\nuser_id = 'listener'\n[events.types]\nskip = 'negative'\n"
    )
    monkeypatch.setenv("SPRINGTIDE_INPUT__FIELDS__USER_ID", "uid")
    settings = load(file)
    fields = settings.input.fields
    assert (fields.user_id, fields.item_id, fields.event_type, fields.value) == (
        "uid",
        "song",
        "event",
        "seconds_played",
    )
    assert (settings.events.types["skip"], settings.events.types["ban"]) == ("negative", "negative")


def test_the_command_line_names_the_preset_before_the_environment_and_that_before_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("preset = 'music'\n")
    assert load(file).input.fields.item_id == "track_id"
    monkeypatch.setenv("SPRINGTIDE_PRESET", "news")
    assert (load(file).preset, load(file).input.fields.item_id) == ("news", "article_id")
    assert (load(file, "social").preset, load(file, "social").input.fields.item_id) == ("social", "post_id")


def test_printed_settings_of_a_preset_load_as_the_same(file: Path) -> None:
    settings = load(preset="shop")
    file.write_text(to_toml(settings))
    assert load(file) == settings


def test_a_preset_that_is_none_ends_in_a_sentence(file: Path) -> None:
    with pytest.raises(SettingsError, match="no preset 'shoe': choose one of shop, news, music"):
        load(preset="shoe")
    file.write_text("preset = 'shoe'\n")
    with pytest.raises(SettingsError, match=r"Setting preset in .* is 'shoe', but must be 'none', 'shop'"):
        load(file)


def test_laying_beneath_changes_neither() -> None:
    values = {"input": {"topic": "plays"}}
    together = beneath("music", values)
    assert (together["input"]["topic"], together["input"]["fields"]["item_id"]) == ("plays", "track_id")
    assert values == {"input": {"topic": "plays"}}
    assert "topic" not in PRESETS["music"]["input"]


@pytest.mark.parametrize("name", PRESETS)
def test_files_that_are_sent_with_a_preset_are_read_with_it(name: str) -> None:
    settings = load(preset=name)
    batch = EventBatch(np.arange(1), ["u1"], ["i1"], np.array([NOON]), types=["Product Viewed"], ids=["e1"])
    (message,) = batch.messages(settings.input.fields.field_map())
    decoded = gate.decoder(settings).decode(Record("interactions", 0, 0, NOON, None, message))
    assert decoded.events == (Interaction("e1", "u1", "i1", NOON, "Product Viewed"),)
