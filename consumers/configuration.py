"""Where settings come from, and what is said when one is wrong.

A TOML file holds sections; an environment variable ``SPRINGTIDE_SECTION__NAME`` wins over it. A key that nobody knows
is an error, in both, because a misspelt setting that is silently ignored costs more than a start that fails. A secret
is never the value of a setting: its key ends in ``_file`` and names the file that holds it, so that printing the
effective settings gives nothing away. A preset (`presets`) lies beneath both.
"""

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError as SourceError

from consumers.presets import PRESETS, beneath
from consumers.settings import ENVIRONMENT_DELIMITER, ENVIRONMENT_PREFIX, Settings
from stream.errors import SettingsError

DEFAULT_FILE = Path("springtide.toml")

_PHRASES = {
    "string_pattern_mismatch": "may hold only letters, digits, '.', '_' and '-'",
    "string_too_short": "must not be empty",
}
_LIMITS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}
_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text",
    "model": "a table",
    "dict": "a table",
    "path": "a path",
}


def load(path: Path | None = None, preset: str | None = None) -> Settings:
    """Read the settings file and the environment.

    Parameters
    ----------
    path
        The file; without one, `DEFAULT_FILE` of the working directory where it exists.
    preset
        Name of a preset, which wins over the one that file and environment name.

    Raises
    ------
    SettingsError
        With one sentence that names the key: a missing or broken file, an unknown key, a value out of range.
    """
    source = path if path is not None else DEFAULT_FILE if DEFAULT_FILE.exists() else None
    values = {} if source is None else _read(source)
    for key in _unknown_keys(values, Settings):
        raise SettingsError(_unknown_sentence(".".join(key), f"in {source}", key))
    variables = {name.upper() for name in os.environ if name.upper().startswith(ENVIRONMENT_PREFIX)}
    for name in sorted(variables):
        keys = name.removeprefix(ENVIRONMENT_PREFIX).lower().split(ENVIRONMENT_DELIMITER)
        if any(_unknown_keys(_nested(keys), Settings)):
            raise SettingsError(_unknown_sentence(name, "in the environment", keys))
    chosen = preset or os.environ.get(_variable(["preset"])) or values.get("preset", "none")
    if preset is not None and preset not in PRESETS:
        message = f"There is no preset {preset!r}: choose one of {', '.join(PRESETS)}."
        raise SettingsError(message)
    try:
        settings = Settings(**(beneath(chosen, values) if chosen in PRESETS else values))
        return settings if preset is None else settings.model_copy(update={"preset": preset})
    except ValidationError as error:
        raise SettingsError(_wrong_value_sentence(error.errors(include_url=False)[0], variables, source)) from None
    except SourceError:
        message = f"Set the keys of a section one by one in the environment, as {_variable(['windows', 'length'])}=32."
        raise SettingsError(message) from None


def to_toml(settings: Settings) -> str:
    """Return the effective settings as a file that `load` would read back to equal ones."""
    return tomli_w.dumps(_without_null(settings.model_dump(mode="json")))


def _without_null(values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _without_null(value) if isinstance(value, dict) else "none" if value is None else value
        for key, value in values.items()
    }


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        message = f"The settings file {path} does not exist: check --config, or leave it out to use the defaults."
        raise SettingsError(message) from error
    except OSError as error:
        message = f"The settings file {path} cannot be read ({error.strerror}): check its permissions."
        raise SettingsError(message) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        message = f"The settings file {path} is not valid TOML ({error}): mend that place."
        raise SettingsError(message) from error


def _nested(keys: list[str]) -> dict[str, Any]:
    inner: Any = ""
    for key in reversed(keys):
        inner = {key: inner}
    return dict(inner)


def _unknown_keys(
    values: Mapping[str, Any], model: type[BaseModel], above: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    for key, value in values.items():
        field = model.model_fields.get(key)
        if field is None:
            yield (*above, key)
        elif isinstance(value, dict) and isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _unknown_keys(value, field.annotation, (*above, key))


def _dotted_names(model: type[BaseModel], above: str = "") -> list[str]:
    names = []
    for key, field in model.model_fields.items():
        names.append(above + key)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            names += _dotted_names(field.annotation, f"{above}{key}.")
    return names


def _variable(keys: list[str]) -> str:
    return ENVIRONMENT_PREFIX + ENVIRONMENT_DELIMITER.join(keys).upper()


def _unknown_sentence(name: str, where: str, keys: Sequence[str]) -> str:
    near = difflib.get_close_matches(".".join(keys), _dotted_names(Settings), n=1)
    advice = f"did you mean {near[0]}?" if near else "springtide.example.toml explains all that there are."
    return f"Unknown setting {name} {where}: {advice}"


def _wrong_value_sentence(error: ErrorDetails, variables: set[str], source: Path | None) -> str:
    keys = [str(part) for part in error["loc"]]
    if error["type"] == "value_error" and isinstance(error["input"], dict):
        return f"Settings{' of ' if keys else ''}{'.'.join(keys)}: {error['ctx']['error']}."
    where = "in the environment" if _variable(keys) in variables else f"in {source}"
    return f"Setting {'.'.join(keys)} {where} is {error['input']!r}, but {_rule(error)}."


def _rule(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind in _LIMITS:
        words, bound = _LIMITS[kind]
        return f"must be {words} {context[bound]}"
    if kind == "literal_error":
        return f"must be {context['expected']}"
    if kind in _PHRASES:
        return _PHRASES[kind]
    base = kind.partition("_")[0]
    if base in _KINDS and not kind.startswith("string_too"):
        return f"must be {_KINDS[base]}"
    return error["msg"][0].lower() + error["msg"][1:]
