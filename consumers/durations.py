"""Durations as people write them: ``90d``, ``5m``, ``1h30m``, ``500ms``.

A bare number is refused, because nobody can tell its unit a month later.
"""

import re
from typing import Any, Self

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

_UNITS_MS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_PART = re.compile(r"(\d+)(ms|[dhms])")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")


class Duration(int):
    """A span of time in whole milliseconds, at least 0, that reads and prints as text."""

    @property
    def ms(self) -> int:
        """Length in milliseconds."""
        return int(self)

    @classmethod
    def parse(cls, text: object) -> Self:
        """Read text such as ``90d`` or ``1h30m``; ValueError where it is anything else."""
        if isinstance(text, cls):
            return text
        if not isinstance(text, str) or not _WHOLE.fullmatch(text):
            message = "must be a duration with units, such as '90d', '5m', '1h30m' or '500ms'"
            raise ValueError(message)
        return cls(sum(int(number) * _UNITS_MS[unit] for number, unit in _PART.findall(text)))

    def __str__(self) -> str:
        rest, parts = int(self), []
        for unit, size in _UNITS_MS.items():
            number, rest = divmod(rest, size)
            if number:
                parts.append(f"{number}{unit}")
        return "".join(parts) or "0s"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        """Let pydantic validate by `parse` and write back the text."""
        return core_schema.no_info_plain_validator_function(
            cls.parse, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )
