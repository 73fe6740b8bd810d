"""A little of each fault; `make faults` does all of it, and much more often."""

from collections.abc import Iterator

import pytest

from tests.faults.catalogue import FAULTS, Fault
from tests.faults.run import tried
from tests.faults.trial import World


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World.opened() as opened:
        yield opened


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_nothing_is_lost_doubled_or_divergent(world: World, fault: Fault) -> None:
    found = tried(fault, world, fault.short, seed=1, short=True, done=lambda: None)
    assert found["passed"], found
