from collections.abc import Sequence

import numpy as np
import pytest

from models.base import Events, Queries
from models.experts.content import Content
from stream.events import Item
from tests.models.checks import CHECKS, Check, name_of
from tests.models.tiny import MONDAY_S, log_features, query


def item(*attributes: str, vector: Sequence[float] = (), published_s: int | None = None) -> Item:
    published_ms = None if published_s is None else (MONDAY_S + published_s) * 1000
    return Item(
        item_id="i", available=True, published_ms=published_ms, attributes=attributes, vector=tuple(map(float, vector))
    )


class _Told(Content):
    """Is told of items when they are first met, as the contract's checks know nothing of a catalogue."""

    def __init__(self) -> None:
        super().__init__(vector_length=3)

    def learn(self, events: Events) -> None:
        new = [row for row in dict.fromkeys(events.items.tolist()) if row >= len(self._catalogue.published_ms)
               or self._catalogue.published_ms[row] < -1]  # fmt: skip
        told = [item(f"tens={row // 10}", f"parity={row % 2}", vector=(row % 3, row % 5, 1)) for row in new]
        self.stock(np.array(new, np.int32), told)


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
def test_contract(check: Check) -> None:
    check(_Told)


def told(*items: Item, vector_length: int = 0) -> Content:
    expert = Content(vector_length)
    expert.stock(np.arange(len(items), dtype=np.int32), items)
    return expert


def features(expert: Content, column: str, queries: Queries, items: int) -> list[float]:
    found: list[float] = log_features(expert.read(queries), expert.columns, column, items)[0].tolist()
    return found


def test_attributes_weigh_by_their_rarity() -> None:
    expert = told(item("a=1", "b=1"), item("a=1"), item("b=1"), item("a=2"), item("b=1"))
    common, rare = np.log(6) - np.log(4), np.log(6) - np.log(3)
    length = np.hypot(rare, common)
    found = features(expert, "like_attributes", query([(0, 0)], now_s=1), 5)
    assert found == pytest.approx([8, 8 * rare / length, 8 * common / length, 0, 8 * common / length], rel=1e-5)


def test_what_was_met_last_counts_most() -> None:
    expert = told(item("a=1"), item("a=2"), item("a=1"), item("a=2"))
    found = features(expert, "like_attributes", query([(1, 5), (0, 0)], now_s=6), 4)
    assert found == pytest.approx([8 * 0.9 / np.hypot(1, 0.9), 8 / np.hypot(1, 0.9)] * 2, rel=1e-5)


def test_vectors_are_compared_by_direction() -> None:
    expert = told(
        item(vector=(1, 0)), item(vector=(5, 5)), item(vector=(0, 3)), item(vector=(-1, 0)), item(), vector_length=2
    )
    found = features(expert, "like_vector", query([(0, 0)], now_s=1), 5)
    assert found == pytest.approx([8, 8 / np.sqrt(2), 0, 0, 0], rel=1e-3)


def test_long_vectors_keep_their_angles_roughly() -> None:
    dice = np.random.default_rng(3)
    one, other = dice.normal(size=(2, 768))
    mixed = 0.8 * one / np.linalg.norm(one) + 0.6 * other / np.linalg.norm(other)
    expert = told(item(vector=one), item(vector=mixed), item(vector=other), vector_length=768)
    found = features(expert, "like_vector", query([(0, 0)], now_s=1), 3)
    assert found == pytest.approx([8, 8 * 0.8, 0], abs=8 * 0.2)
    again = told(item(vector=one * 1e200), item(vector=mixed * 1e-200), item(vector=other), vector_length=768)
    assert features(again, "like_vector", query([(0, 0)], now_s=1), 3) == found


def test_an_item_is_not_proposed_before_it_is_published() -> None:
    expert = told(item("a=1", published_s=100), item("a=1", published_s=300), item("a=2"), item("a=1"), item("a=3"))
    before, after = query([(0, 0)], now_s=200), query([(0, 0)], now_s=300)
    assert expert.read(before).propose()[0, 0, :3].tolist() == [0, 3, -1]
    assert expert.read(after).propose()[0, 0, :4].tolist() == [0, 1, 3, -1]


def test_what_is_told_later_holds_alone() -> None:
    expert = told(item("a=1"), item("a=1"), item("a=2"), item("c=1"))
    expert.stock(np.array([1, 1], np.int32), [item("b=1"), item("a=2")])
    fresh = told(item("a=1"), item("a=2"), item("a=2"), item("c=1"))
    asked = query([(2, 0)], now_s=1)
    assert features(expert, "like_attributes", asked, 4) == features(fresh, "like_attributes", asked, 4)


def test_the_reason_is_the_entry_of_the_window_that_is_most_like_it() -> None:
    expert = told(item("a=1", vector=(1, 0)), item("b=1", vector=(0, 1)), item("b=1", vector=(1, 0.1)), item("c=1"),
                  vector_length=2)  # fmt: skip
    reading = expert.read(query([(0, 9), (3, 5), (1, 0)], now_s=10))
    queries, rows = np.zeros(2, np.int32), np.array([2, 2], np.int32)
    assert reading.because(queries, np.array([0, 1], np.int32), rows).tolist() == [[2, -1], [0, 2]]
