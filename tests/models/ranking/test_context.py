import numpy as np
import pytest

from models.base import Floats, Queries
from models.items import ItemStatistics
from models.ranking.context import WIDTH, contexts
from tests.models.tiny import DAY_S, each, query


def context(queries: Queries, evidence: tuple[float, float, float] = (0, 0, 0)) -> Floats:
    """Context of one query where item 0 was met six times and item 1 once."""
    items = ItemStatistics()
    for events in each([(0, 0, 0)] * 6 + [(0, 1, 0)]):
        items.learn(events)
    result: Floats = contexts(queries, items, np.array([evidence], np.float32))[0]
    return result


def test_a_short_history() -> None:
    """Newest first: 0 (30 s ago), 1, 0 (100 s before the newest), 8 (never met)."""
    x = context(query([(0, 170), (1, 150), (0, 70), (8, 0)], now_s=200), evidence=(3, 0, 1))
    assert x[:12] == pytest.approx(
        [
            1, np.log1p(30) / 10, np.log1p(4) / 5, 2 / 6, np.log1p(6) / 6,
            np.log1p(3) / 5, 0, np.log1p(1) / 3,
            np.exp(-30 / 1800), np.log1p(100) / 10, 2 / 4, 1 / 5,
        ]
    )  # fmt: skip
    assert x[12:20] == pytest.approx([0, 1, 0, 0, 0, 0, 0, 0], abs=1e-6)
    assert x[20:].tolist() == [0, 1, 1, 1, 0]
    assert len(x) == WIDTH == 25


def test_no_history() -> None:
    x = context(query([], now_s=200))
    assert x.tolist() == [1, *[0] * 10, 1, *[0] * 8, 1, 1, 1, 1, 0]


def test_a_rare_newest_item_is_flagged() -> None:
    assert context(query([(1, 0)], now_s=0))[-1] == 1
    assert context(query([(8, 0)], now_s=0))[-1] == 1
    assert context(query([(0, 0)], now_s=0))[-1] == 0


@pytest.mark.parametrize("gap_s", [0, 1, 2, 29, 1800, 3600, 7200, 100_000, 1_209_600, 365 * DAY_S])
def test_bins_of_the_gap_share_it_out(gap_s: int) -> None:
    bins = context(query([(0, 0)], now_s=gap_s))[12:20]
    assert bins.sum() == pytest.approx(1)
    assert (bins >= 0).all()
    knots = np.log1p([1, 30, 300, 1800, 7200, 28800, 172800, 1209600])
    assert (bins * knots).sum() == pytest.approx(np.clip(np.log1p(gap_s), knots[0], knots[-1]), rel=1e-5)


def test_no_queries() -> None:
    nobody = query([], now_s=0)
    nothing = Queries(nobody.windows.take(np.zeros(0, np.int64)), np.zeros(1, np.int64), np.zeros(0, np.int32))
    assert contexts(nothing, ItemStatistics(), np.zeros((0, 3), np.float32)).shape == (0, WIDTH)
