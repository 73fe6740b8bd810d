"""Prometheus as a person would have it: from a package of the system, or not at all, and then the tests say so."""

import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


def _found(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        pytest.skip(
            f"NOT TESTED: {program} is not installed, so alerts and dashboards are held against nothing. "
            "Install Prometheus, on Debian: apt-get install --no-install-recommends prometheus"
        )
    return path


@pytest.fixture(scope="session")
def prometheus() -> str:
    """The server's program."""
    return _found("prometheus")


@pytest.fixture(scope="session")
def promtool() -> str:
    """The program that checks rules."""
    return _found("promtool")
