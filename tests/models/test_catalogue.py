import numpy as np
import pytest

from models.catalogue import FRESH, UNKNOWN_MS, Catalogue
from stream.events import Item
from stream.snapshots import state_hash


def item(*attributes: str, published_ms: int | None = None, vector: tuple[float, ...] = ()) -> Item:
    return Item(item_id="i", available=True, published_ms=published_ms, attributes=attributes, vector=vector)


def rows(*numbers: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    return np.array(numbers, np.int32)


def catalogue(vector_length: int = 0) -> Catalogue:
    return Catalogue(vector_length, seed=1)


def shared(told: Catalogue, one: int, other: int) -> int:
    return len({*told.attributes[one].tolist()} & {*told.attributes[other].tolist()} - {-1})


def test_what_is_told_is_kept_by_row() -> None:
    told = catalogue(2)
    told.tell(rows(3, 1), [item("a=1", "b=2", published_ms=77, vector=(3.0, -6.0)), item("b=2")])
    assert len(told) == 2
    assert told.published_ms[[3, 1]].tolist() == [77, UNKNOWN_MS]
    assert (told.published_ms[[0, 2]] < UNKNOWN_MS).all()
    assert (shared(told, 1, 3), shared(told, 3, 3)) == (1, 2)
    assert told.vectors[[3, 1]].tolist() == [[64, -127], [0, 0]]
    assert sorted(told.fresh.tolist()) == [1, 3]


def test_what_is_told_again_replaces_all_of_it() -> None:
    told, fresh = catalogue(2), catalogue(2)
    told.tell(rows(0, 1, 0), [item("a=1", vector=(1.0, 0.0)), item("a=1"), item("c=1", published_ms=5)])
    fresh.tell(rows(0, 1), [item("c=1", published_ms=5), item("a=1")])
    assert state_hash(told.state()) == state_hash(fresh.state())
    assert (told.log_holders == fresh.log_holders).all()


def test_a_forgotten_row_is_no_more() -> None:
    told = catalogue(2)
    told.tell(rows(0, 1), [item("a=1", vector=(1.0, 0.0)), item("a=1")])
    told.forget_items(np.array([True]))
    assert len(told) == 1
    assert told.fresh.tolist() == [1]
    assert told.published_ms[0] < UNKNOWN_MS
    assert not told.vectors[0].any()
    assert told.log_holders.max() == pytest.approx(np.log(2))
    told.forget_items(np.array([False, True]))
    assert not told.log_holders.any()
    assert len(told.state()["attributes"]) == 0


def test_the_freshest_are_those_that_came_last() -> None:
    told = catalogue()
    told.tell(np.arange(FRESH + 5, dtype=np.int32), [item()] * (FRESH + 5))
    told.tell(rows(0, 4), [item("a=1")] * 2)
    assert sorted(told.fresh.tolist()) == list(range(5, FRESH + 5))


def test_a_restored_catalogue_goes_on_as_the_first_would() -> None:
    first = catalogue(200)
    dice = np.random.default_rng(1)

    def some(number: int) -> Item:
        return item(f"a={number % 3}", f"b={number}", vector=tuple(dice.normal(size=200)))

    first.tell(np.arange(20, dtype=np.int32), [some(n) for n in range(20)])
    first.forget_items(np.arange(20) >= 15)
    second = catalogue(200)
    second.tell(rows(40), [some(40)])
    second.restore(first.state())
    more = [some(n) for n in range(3)]
    for told in (first, second):
        told.forget_items(np.arange(9) == 4)
        told.tell(rows(4, 1, 16), more)
    assert state_hash(first.state()) == state_hash(second.state())
    assert (first.log_holders == second.log_holders).all()
    assert len(first) == len(second) == 16
