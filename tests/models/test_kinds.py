import numpy as np
import pytest

from models.base import Floats
from models.kinds import KindStatistics
from stream.windows import KINDS
from tests.models.tiny import each

LOOK, BUY = 1, 2


def learned(*stream: tuple[int, int, int, int]) -> KindStatistics:
    kinds = KindStatistics()
    for events in each(stream):
        kinds.learn(events)
    return kinds


STREAM = (
    (0, 5, 0, LOOK),
    (0, 5, 1, LOOK),  # comes back to a look
    (0, 5, 2, BUY),  # and again
    (0, 6, 3, LOOK),
    (0, 7, 4, BUY),
    (0, 6, 5, LOOK),  # back to the look at 6
    (1, 5, 6, LOOK),  # nobody's second event
)


def test_what_was_looked_at_is_come_back_to_and_what_was_bought_is_not() -> None:
    # Five events have a later one of their user: looks at 5, 5 and 6, which are come back to, and purchases of 5 and 7.
    returns = learned(*STREAM).returns()
    assert returns[LOOK] == pytest.approx(np.log((3 + 5 * 3 / 5) / (3 + 5) / (3 / 5)))
    assert returns[BUY] == pytest.approx(np.log((0 + 5 * 3 / 5) / (2 + 5) / (3 / 5)))
    assert returns[LOOK] > 0 > returns[BUY]
    assert np.abs(np.delete(returns, [LOOK, BUY])).max() < 1e-6, "of other kinds nothing is known"


def test_what_was_done_last_counts() -> None:
    returns = learned((0, 5, 0, LOOK), (0, 5, 1, BUY), (0, 5, 2, LOOK)).returns()
    assert returns[LOOK] == pytest.approx(returns[BUY]), "one look and one purchase were come back to"


def test_one_kind_says_nothing() -> None:
    assert np.abs(learned(*((user, item, second, 0) for user, item, second, _ in STREAM)).returns()).max() < 1e-6
    assert not KindStatistics().returns().any()
    assert not learned((0, 5, 0, LOOK), (0, 6, 1, BUY)).returns().any(), "nobody ever came back"


def test_restored_kinds_are_the_same_and_a_copy() -> None:
    kinds, again = learned(*STREAM), KindStatistics()
    state = kinds.state()
    again.restore(state)
    assert np.array_equal(again.returns(), kinds.returns())
    for one in (kinds, again):
        for events in each([(3, 1, 0, BUY), (3, 1, 1, BUY)]):
            one.learn(events)
    assert np.array_equal(again.returns(), kinds.returns())
    third = KindStatistics()
    third.restore(state)
    assert not np.array_equal(third.returns(), kinds.returns())


def test_nobody_is_surer_than_seven_times() -> None:
    found = learned(
        *((0, 5 + n % 2, n, (LOOK, BUY)[n % 2]) for n in range(10)), *((0, 20 + n, 20 + n, 7) for n in range(4_000))
    )
    assert found.returns()[LOOK] == 2
    assert found.returns()[7] == -2


def test_a_number_for_each_kind() -> None:
    found: Floats = learned(*STREAM).returns()
    assert found.shape == (KINDS,)
    assert found.dtype == np.float32
