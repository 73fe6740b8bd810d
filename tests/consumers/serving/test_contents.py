import numpy as np

from consumers.serving.contents import contents
from stream.snapshots import State


def test_bytes_are_added_up_by_table() -> None:
    state: State = {
        "admission.users.ids": np.zeros(10, np.uint8),
        "admission.users.rows": np.zeros(5, np.int64),
        "admission.items.ids": np.zeros(3, np.uint8),
    }
    assert contents(state).sizes == {"admission.users": 50, "admission.items": 3}
    assert contents(state).coverage is None


def test_coverage_is_the_share_of_known_items_in_a_list_that_is_out() -> None:
    state: State = {
        "recommender.items.table": np.array([[3.0], [1], [0], [2], [9]]) * [1, 0, 0, 0],
        "published.items": np.array([[0, 3, -1], [3, 2, -1]], np.int32),
    }
    assert contents(state).coverage == 0.5
