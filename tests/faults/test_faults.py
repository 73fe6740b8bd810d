"""A little of each fault; `make faults` does all of it, and much more often.

They mostly wait for a session to end, so several are tried at a time.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from tests.faults.catalogue import FAULTS, Fault
from tests.faults.run import tried
from tests.faults.trial import World

pytestmark = pytest.mark.timeout(600)  # kernels may have to be compiled
_AT_A_TIME = 3

Found = dict[str, Future[dict[str, Any]]]


@pytest.fixture(scope="module")
def found(request: pytest.FixtureRequest) -> Iterator[Found]:
    """What is found, by fault, of those that were asked for."""
    names = " ".join(item.name for item in request.session.items)
    asked = [fault for fault in FAULTS if f"[{fault.name}]" in names]
    with World.opened() as world, ThreadPoolExecutor(_AT_A_TIME) as pool:

        def little_of(fault: Fault) -> dict[str, Any]:
            return tried(fault, world, fault.short, seed=1, short=True, done=lambda: None)

        yield {fault.name: pool.submit(little_of, fault) for fault in asked}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_nothing_is_lost_doubled_or_divergent(found: Found, fault: Fault) -> None:
    one = found[fault.name].result()
    assert one["passed"], one
