import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream.list_bytes import Texts, write_items
from stream.recommendations import Reason, RecommendedItem

IDS = ("a", 'quoted "b"', "ü\n\\", "", "long" * 50, "\u2028")
NAMES = ("transitions", "own_hour")

places = st.integers(-1, len(IDS) - 1)
share = st.floats(0, 1, width=32)
reasons = st.tuples(st.integers(-1, len(NAMES) - 1), share, st.tuples(places, places))
listed = st.tuples(places, share, st.tuples(reasons, reasons))
lists = st.lists(st.tuples(st.integers(0, 4), st.tuples(listed, listed, listed)), min_size=1, max_size=4)


def write(columns: list[tuple[int, tuple[tuple[int, float, tuple[tuple[int, float, tuple[int, int]], ...]], ...]]]):  # type: ignore[no-untyped-def]
    items = [one for _, one in columns]
    return write_items(
        np.array([[row for row, _, _ in one] for one in items], np.int32),
        np.array([most for most, _ in columns], np.int32),
        np.array([[score for _, score, _ in one] for one in items], np.float32),
        np.array([[[source for source, _, _ in why] for _, _, why in one] for one in items], np.int32),
        np.array([[[weight for _, weight, _ in why] for _, _, why in one] for one in items], np.float32),
        np.array([[[cited for _, _, cited in why] for _, _, why in one] for one in items], np.int32),
        Texts(NAMES),
        IDS.__getitem__,
    )


@given(lists)
def test_what_is_written_reads_back_as_the_columns_say(columns) -> None:  # type: ignore[no-untyped-def]
    bodies, rests = write(columns)
    for (most, items), body, rest in zip(columns, bodies, rests, strict=True):
        expected = []
        for place, (row, score, why) in enumerate(items[:most]):
            if row < 0:
                continue
            told = []
            for source, weight, cited in why:
                if source < 0:
                    break
                own = list(dict.fromkeys(IDS[item] for item in cited if item >= 0))
                told.append(Reason(NAMES[source], round(weight, 3), own))
            expected.append(RecommendedItem(IDS[row], place + 1, round(score, 6), told))
        assert msgspec.json.decode(body, type=list[RecommendedItem]) == expected
        left = 1 - sum(item.score for item in expected)
        assert rest == (round(max(left, 0), 6) if expected else 0)


def test_the_bytes_of_one_item() -> None:
    bodies, rests = write([(1, ((1, 0.25, ((0, 0.5, (0, 0)), (-1, 0, (-1, -1)))),) * 3)])
    assert bodies == [
        b'[{"item_id":"quoted \\"b\\"","rank":1,"score":0.25,'
        b'"reasons":[{"expert":"transitions","weight":0.5,"because":["a"]}]}]'
    ]
    assert rests.tolist() == [0.75]


def test_an_empty_list_is_a_list() -> None:
    bodies, rests = write([(3, ((-1, 0.0, ((-1, 0.0, (-1, -1)),) * 2),) * 3)])
    assert (bodies, rests.tolist()) == ([b"[]"], [0.0])
