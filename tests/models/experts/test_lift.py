import numpy as np
import pytest

from models.experts.neighbours import Neighbours

LANES = 1


def meet(table: Neighbours, target: int, window: list[int], weight: float = 1.0) -> None:
    gains = np.ones((1, len(window), LANES), np.float32)
    event_weights = np.array([weight], np.float32)
    table.meet(np.array([window], np.int32), np.array([target], np.int32), event_weights, gains, gains, gains)


def lifts(table: Neighbours, window: list[int], candidates: list[int]) -> list[float]:
    weights = np.float32(0.9) ** np.arange(len(window), dtype=np.float32)[None]
    items, asked = np.array([window], np.int32), np.array([candidates], np.int32)
    found: list[float] = table.lift(table.together(items, asked), weights, least=1)[0].tolist()
    return found


@pytest.fixture
def met() -> Neighbours:
    """Items 1 and 2 have met twice, each of them and item 3 four times: the meetings of an item are 6, 6, 8 of 20."""
    table = Neighbours(LANES, width=8, seed=0)
    for pair in [(1, 2)] * 2 + [(1, 3)] * 4 + [(2, 3)] * 4:
        meet(table, pair[0], [pair[1]])
    return table


def test_lift_compares_meetings_with_chance(met: Neighbours) -> None:
    by_2, by_3 = np.log(3 / (6 * 6 / 20 + 1)), np.log(5 / (6 * 8 / 20 + 1))
    assert lifts(met, [1], [3, 2]) == pytest.approx([by_3, by_2])


def test_items_are_weighed_and_summed(met: Neighbours) -> None:
    by_2 = np.log(3 / (6 * 6 / 20 + 1))
    assert lifts(met, [1, -1, 1], [2]) == pytest.approx([by_2 * (1 + 0.9**2)])
    nothing = met.lift(
        met.together(np.array([[1]], np.int32), np.array([[2]], np.int32)), np.zeros((1, 1), np.float32), 1
    )
    assert nothing.tolist() == [[0]]


def test_a_lane_of_its_own_is_compared_with_its_own_norms() -> None:
    """In the second lane 1 has met 2 for .5 and 3 for .25, each of them twice: their norms are 1.5, 1 and .5 of 3."""
    table = Neighbours(2, width=8, seed=0)
    for other, gain in ((2, 0.5), (3, 0.25)):
        gains = np.array([[[1, gain]]], np.float32)
        for _ in range(2):
            table.meet(
                np.array([[other]], np.int32), np.array([1], np.int32), np.ones(1, np.float32), gains, gains, gains
            )
    ones, asked = np.ones((1, 1), np.float32), np.array([[2, 3]], np.int32)
    found = table.lift(table.together(np.array([[1]], np.int32), asked), ones, least=0.5, lane=1)[0]
    assert found == pytest.approx([np.log(1.5 / (1.5 / 3 + 0.5)), np.log(1 / (1.5 * 0.5 / 3 + 0.5))])


def test_what_has_not_met_has_no_lift(met: Neighbours) -> None:
    assert lifts(met, [1, 77], [1, 9, -1, 1_000_000]) == [0, 0, 0, 0]
    assert lifts(Neighbours(LANES, width=8, seed=0), [1], [2]) == [0]


def test_queries_do_not_see_each_other(met: Neighbours) -> None:
    pairs = met.together(np.array([[1], [1]], np.int32), np.array([[2, -1], [3, 1]], np.int32))
    found = met.lift(pairs, np.ones((2, 1), np.float32), least=1)
    assert found.tolist() == [[*lifts(met, [1], [2]), 0], [*lifts(met, [1], [3]), 0]]


def test_meetings_without_weight_give_none() -> None:
    table = Neighbours(LANES, width=8, seed=0)
    meet(table, 1, [2], weight=0.0)
    assert lifts(table, [1], [2]) == [0]


def test_forgotten_items_count_no_more(met: Neighbours) -> None:
    met.forget(np.arange(4) == 3)
    assert lifts(met, [1], [2, 3]) == pytest.approx([np.log(3 / (6 * 6 / 12 + 1)), 0])


def test_what_all_have_is_taken_back_as_it_was(met: Neighbours) -> None:
    state = met.state()
    restored = Neighbours(LANES, width=8, seed=0)
    restored.restore({**state, "totals": 2 * state["totals"].astype(np.float64)})
    assert lifts(restored, [1], [3]) == pytest.approx([np.log(5 / (6 * 8 / 40 + 1))])
