import numpy as np
import pytest

from models.base import PAIRS, Floats
from models.items import ItemStatistics
from models.ranking.features import PLAIN, count, features
from stream.windows import KINDS
from tests.models.tiny import each, query

HOUR_S = 3600
RETURNS = np.linspace(-1, 1, KINDS, dtype=np.float32)


def learned() -> ItemStatistics:
    items = ItemStatistics()
    for events in each([(0, 4, 0), (0, 4, HOUR_S), (0, 4, 2 * HOUR_S), (1, 9, 2 * HOUR_S)]):
        items.learn(events)
    return items


@pytest.fixture
def found() -> Floats:
    """Features of the candidates 4, 1, 9 and none; item 1 stands at the positions 1 and 2 of the window."""
    queries = query([(7, 3 * HOUR_S), (1, 2 * HOUR_S), (1, HOUR_S)], now_s=4 * HOUR_S, kinds=[[1, 2, 3]])
    raw = np.zeros((1, 4, 2), np.float32)
    raw[0, 0], raw[0, 1] = [1, 2], [3, 0]
    mixture = np.array([[0.75, 0.25, 0, 0]], np.float32)
    pairs = np.array([[[3, 4, 2, 0], [-1, 0, 0, 5], [0, 0, 0, 0], [0, 0, 0, 0]]], np.float32)
    told = np.array([[[0.5, 2], [-0.25, 0], [0, -1], [0, 0]]], np.float32)
    candidates = np.array([[4, 1, 9, -1]], np.int32)
    result: Floats = features(queries, candidates, raw, mixture, pairs, told, learned(), RETURNS)[0]
    return result


def test_mixture_and_experts_come_first(found: Floats) -> None:
    assert found.shape == (4, count(2)) == (4, 1 + 2 + 2 + PLAIN)
    assert found[0, :3] == pytest.approx([0.2 * np.log(0.750001 / 1e-6), 0.2, 0.4])
    assert found[1, :3] == pytest.approx([0.2 * np.log(0.250001 / 1e-6), 0.6, 0])


def test_shares_of_the_best_of_each_expert() -> None:
    raw = np.array([[[1, 5], [3, 5], [2.5, 5]]], np.float32)
    none = np.zeros((1, 3), np.float32)
    candidates = np.array([[4, 1, 9]], np.int32)
    pairs = np.zeros((1, 3, PAIRS), np.float32)
    shares = features(
        query([], now_s=0), candidates, raw, none, pairs, np.zeros((1, 3, 2), np.float32), ItemStatistics(), RETURNS
    )[0, :, 3:5]
    assert shares[:, 0] == pytest.approx(0.2 * np.exp([-2, 0, -0.5]))
    assert not shares[:, 1].any(), "who says the same of all says nothing"


def log_odds(returns: int, events: int) -> float:
    """Of an item's returns; of four events of all items two were returns."""
    likely = 3 * 3 / 6
    return float(0.2 * np.log((returns + likely) / (events - returns + 3 - likely) + 1e-3))


def test_what_is_known_of_an_item(found: Floats) -> None:
    assert found[0, 5:12] == pytest.approx(
        [0.2 * np.log1p(4), 0.2 * np.log1p(120), 0.2 * np.log1p(3), log_odds(2, 3), 0, 0.5, 0.4], abs=1e-6
    )
    assert found[1, 5:12] == pytest.approx([0, 0, 0, log_odds(0, 0), 1, -0.25, 0], abs=1e-6)
    assert found[2, 5:12] == pytest.approx(
        [0.2 * np.log1p(2), 0.2 * np.log1p(120), 0.2 * np.log1p(1), log_odds(0, 1), 1, 0, -0.2]
    )


def test_the_place_of_an_item_in_the_window(found: Floats) -> None:
    assert not found[[0, 2, 3], 12:29].any()
    expected = [1, 0, 1, 0.2 / 2**0.5, 0.2 * np.log1p(2), 0.2 * np.log1p(120), 0, 0, 0, 1, 1, 1]
    assert found[1, 12:24] == pytest.approx(expected)


def test_coming_back_to_what_nobody_came_back_to(found: Floats) -> None:
    assert found[1, 24:28] == pytest.approx([found[1, 8], 0, 0, 0])


@pytest.mark.parametrize(("hours", "later"), [(6, np.log(3)), (0.5, -np.log(4)), (2_000, 6)])
def test_coming_back_sooner_or_later_than_is_usual(hours: float, later: float) -> None:
    items = ItemStatistics()  # others came back to item 4 after two hours
    for events in each([(0, 4, 0), (1, 4, 0), (0, 4, 2 * HOUR_S), (1, 4, 2 * HOUR_S)]):
        items.learn(events)
    now_s = round(3 * HOUR_S + hours * HOUR_S)
    none = np.zeros((1, 1), np.float32)
    asked = query([(4, 3 * HOUR_S)], now_s=now_s)
    pairs = np.zeros((1, 1, PAIRS), np.float32)
    row = features(
        asked, np.array([[4]], np.int32), none[:, :, None], none, pairs, np.zeros((1, 1, 2), np.float32), items, RETURNS
    )[0, 0]
    assert row[22:26] == pytest.approx([row[6], 1, 0.2 * later, 0.2 * abs(later)], rel=1e-3)


def test_what_was_last_done_with_an_item_tells_how_readily_it_is_come_back_to(found: Floats) -> None:
    assert found[1, 28] == RETURNS[2]


def test_what_pairs_say_comes_last(found: Floats) -> None:
    assert found[:, 29:] == pytest.approx(np.array([[0.6, 0.8, 0.4, 0], [-0.2, 0, 0, 5], [0] * 4, [0] * 4]))


def test_padding_has_no_features(found: Floats) -> None:
    assert not found[3].any()


def test_no_queries() -> None:
    nobody = query(now_s=0)
    none = np.zeros((0, 1), np.float32)
    nothing = features(
        nobody,
        none.astype(np.int32),
        np.zeros((0, 1, 2), np.float32),
        none,
        np.zeros((0, 1, PAIRS), np.float32),
        np.zeros((0, 1, 2), np.float32),
        learned(),
        RETURNS,
    )
    assert nothing.shape == (0, 1, count(2))
