"""What holds for every test."""

from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import settings

from stream.broker import EmbeddedBroker

# A first example may compile kernels for seconds; pytest's own timeout catches what hangs.
settings.register_profile("springtide", deadline=None)
settings.load_profile("springtide")

_prefixes = count()


@pytest.fixture(scope="session")
def broker() -> Iterator[EmbeddedBroker]:
    """A real Apache Kafka, started when the first test asks for it and shared by all."""
    with EmbeddedBroker() as running:
        yield running


@pytest.fixture
def prefix() -> str:
    """A prefix for topics and applications that no other test uses."""
    return f"test{next(_prefixes)}."
