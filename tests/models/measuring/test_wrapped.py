import numpy as np
import pytest

from models.experts.content import Content
from models.experts.popularity import Popularity
from models.measuring.wrapped import Still, Wrapped
from stream.events import Item
from stream.snapshots import state_hash
from tests.models.checks import ITEMS, USERS, Stream, stream


@pytest.fixture(scope="module")
def seen() -> Stream:
    return stream(events=240)


def test_all_but_what_is_changed_is_passed_on(seen: Stream) -> None:
    inside, alone = Content(0, 1), Content(0, 1)
    around = Wrapped(inside)
    assert (around.name, around.columns, around.progress) == (alone.name, alone.columns, None)
    rows, told = np.arange(2, dtype=np.int32), [Item(item_id=name, available=True, attributes=("x",)) for name in "ab"]
    for one in (around, alone):
        one.stock(rows, told)
        for events in seen.batches:
            one.learn(events)
        one.forget_items(np.arange(ITEMS) == 1)
        one.forget_users(np.arange(USERS) == 1)
    assert state_hash(inside.state()) == state_hash(around.state()) == state_hash(alone.state())
    around.restore(Content(0, 1).state())
    assert state_hash(inside.state()) != state_hash(alone.state())


def test_one_that_stands_still_is_read_and_learns_nothing(seen: Stream) -> None:
    learned, still = Popularity(), Still(Popularity())
    for events in seen.batches:
        learned.learn(events)
    still.restore(learned.state())
    for events in seen.batches:
        still.learn(events)
    assert state_hash(still.state()) == state_hash(learned.state())
    assert still.read(seen.queries()).propose().tobytes() == learned.read(seen.queries()).propose().tobytes()
    dead = np.arange(ITEMS) == 0
    still.forget_items(dead)
    learned.forget_items(dead)
    assert state_hash(still.state()) == state_hash(learned.state())
