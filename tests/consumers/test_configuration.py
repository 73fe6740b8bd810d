import tomllib
from pathlib import Path

import pytest

from consumers.configuration import load, to_toml
from consumers.settings import Settings
from stream.errors import SettingsError

EXAMPLE = Path(__file__).parents[2] / "springtide.example.toml"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "some.toml"


def test_example_names_every_key_with_its_default() -> None:
    assert load(EXAMPLE) == Settings()
    assert tomllib.loads(EXAMPLE.read_text()) == tomllib.loads(to_toml(Settings()))


def test_without_a_file_the_defaults_hold(file: Path) -> None:
    assert load() == Settings()


def test_file_of_the_working_directory_is_found(file: Path) -> None:
    Path("springtide.toml").write_text("[windows]\nlength = 8\n")

    assert load().windows.length == 8


def test_environment_wins_over_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("[windows]\nlength = 8\nspan = '2d'\n[input.fields]\nitem_id = 'iid'\n")
    monkeypatch.setenv("SPRINGTIDE_WINDOWS__LENGTH", "9")
    monkeypatch.setenv("SPRINGTIDE_INPUT__FIELDS__USER_ID", "uid")
    settings = load(file)

    assert settings.windows.length == 9
    assert str(settings.windows.span) == "2d"
    assert (settings.input.fields.user_id, settings.input.fields.item_id) == ("uid", "iid")


def test_printed_settings_load_as_the_same(file: Path) -> None:
    file.write_text(
        "[events.types]\nbuy = 3\nseen = 'exposure'\n[publish]\nmax_age = '1h'\n[input]\nstart = 'latest'\n"
    )
    settings = load(file)
    file.write_text(to_toml(settings))

    assert load(file) == settings


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[windows]\nlenght = 8", "Unknown setting windows.lenght in FILE: did you mean windows.length?"),
        ("[widnows]\nlength = 8", "Unknown setting widnows in FILE: did you mean windows?"),
        ("[input.fields]\nuser = 'u'", "Unknown setting input.fields.user in FILE: did you mean input.fields.user_id?"),
        ("[windows]\nlength = 1", "Setting windows.length in FILE is 1, but must be at least 2."),
        ("[windows]\nlength = 'x'", "Setting windows.length in FILE is 'x', but must be a whole number."),
        ("windows = 1", "Setting windows in FILE is 1, but must be a table."),
        (
            "[cleaning]\ngrace = 60",
            "Setting cleaning.grace in FILE is 60, but must be a duration with units, such as '90d', '5m', '1h30m' or "
            "'500ms'.",
        ),
        (
            "[events.types]\nbuy = 'yes'",
            "Setting events.types.buy in FILE is 'yes', but must be a weight above 0 and at most 100, or one of "
            "'learn', 'negative', 'exposure', 'ignore'.",
        ),
        (
            "[input.fields]\nvalue = 'k'",
            "Settings of input.fields: The field k is mapped to 'k', which is taken by another; map each field to a "
            'place of its own, and set those that the topic does not have to "".',
        ),
        (
            "[input]\nstart = 'monday'",
            "Setting input.start in FILE is 'monday', but must be 'earliest', 'latest' or a time with a zone such as "
            "'2026-03-01T12:00:00Z'.",
        ),
        (
            "[serving]\nrepeats = 'no'",
            "Setting serving.repeats in FILE is 'no', but must be 'learned' or 'never'.",
        ),
        (
            "[publish]\ntopic = 'interactions'",
            "Settings: input.topic, items.topic, publish.topic, the dead letters <input.topic>.dlq and the journal "
            "<application.name>.journal must be topics of their own, and interactions is named twice.",
        ),
        (
            "[items]\ntopic = 'recommendations'",
            "Settings: input.topic, items.topic, publish.topic, the dead letters <input.topic>.dlq and the journal "
            "<application.name>.journal must be topics of their own, and recommendations is named twice.",
        ),
        (
            "[publish]\ntopic = '..'",
            "Setting publish.topic in FILE is '..', but must be a name that Kafka takes for a topic, and that is "
            "neither '.' nor '..'.",
        ),
        (
            "[kafka]\nbootstrap = 'localhost'",
            "Setting kafka.bootstrap in FILE is 'localhost', but must be host:port, or several of them with commas, "
            "such as '127.0.0.1:9092'.",
        ),
        ("[kafka]\nbootstrap = ''", "Setting kafka.bootstrap in FILE is '', but must not be empty."),
        (
            "[publish]\ntopic = 'a b'",
            "Setting publish.topic in FILE is 'a b', but may hold only letters, digits, '.', '_' and '-'.",
        ),
        (
            "[kafka]\nssl_cafile = '/nowhere/ca.pem'",
            "Settings of kafka: ssl_cafile names /nowhere/ca.pem, which does not exist.",
        ),
        (
            "[kafka]\nsecurity_protocol = 'SASL_SSL'",
            "Settings of kafka: SASL_SSL needs kafka.sasl_username and kafka.sasl_password_file.",
        ),
    ],
)
def test_each_mistake_is_one_sentence(file: Path, text: str, sentence: str) -> None:
    file.write_text(text)

    with pytest.raises(SettingsError) as caught:
        load(file)

    assert str(caught.value) == sentence.replace("FILE", str(file))


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        (
            "SPRINGTIDE_WINDOWS__LENGHT",
            "8",
            "Unknown setting SPRINGTIDE_WINDOWS__LENGHT in the environment: did you mean windows.length?",
        ),
        (
            "SPRINGTIDE_SPEED",
            "8",
            "Unknown setting SPRINGTIDE_SPEED in the environment: springtide.example.toml explains all that there are.",
        ),
        (
            "SPRINGTIDE_METRICS__PORT",
            "70000",
            "Setting metrics.port in the environment is '70000', but must be at most 65535.",
        ),
        (
            "SPRINGTIDE_WINDOWS",
            "wide",
            "Set the keys of a section one by one in the environment, as SPRINGTIDE_WINDOWS__LENGTH=32.",
        ),
    ],
)
def test_mistakes_in_the_environment_name_the_variable_or_say_where(
    file: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(SettingsError) as caught:
        load()

    assert str(caught.value) == sentence


def test_missing_and_broken_files_are_one_sentence(file: Path) -> None:
    with pytest.raises(SettingsError, match=r"does not exist: check --config"):
        load(file)
    file.write_text("[windows\n")
    with pytest.raises(SettingsError, match=r"is not valid TOML"):
        load(file)
