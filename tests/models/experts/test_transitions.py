"""The stream 0, 1, 0, 2 of one user, worked out by hand.

1 meets the window [0]: row 0 gets 1. 0 meets [1, 0]: row 1 gets 0, and 0 does not follow itself from further back.
2 meets [0, 1, 0]: row 0 gets 2 twice (.85^0 and .85^2), row 1 gets 2 with .85^1. Norms add up what both sides gave.
"""

import pytest

from models.experts import transitions
from models.experts.cooccurrence import Cooccurrence
from tests.models.tiny import log_features, query, sparse, teach

NORM_0, NORM_1 = 3 + 0.85**2, 2 + 0.85


@pytest.fixture
def expert() -> Cooccurrence:
    learned = Cooccurrence(transitions.READOUTS)
    teach(learned, [(0, 0, 0), (0, 1, 10), (0, 0, 20), (0, 2, 30)])
    return learned


def test_last_transition_counts_what_came_right_after(expert: Cooccurrence) -> None:
    reading = expert.read(query([(0, 40)], [(1, 40), (0, 30)], [(2, 40)], now_s=40))
    features = log_features(reading, expert.columns, "last_transition", 3)
    assert features[0] == pytest.approx(sparse([0, 1, 1], prior=2))
    assert features[1] == pytest.approx(sparse([1, 0, 0], prior=2))
    assert features[2].tolist() == [0, 0, 0]


def test_transitions_add_the_followers_of_five_items(expert: Cooccurrence) -> None:
    reading = expert.read(query([(1, 40), (0, 30)], now_s=40))
    near, far = 1 / (NORM_1**0.7 + 5), 0.8 / (NORM_0**0.7 + 5)
    scores = [near * 1, far * 1, near * 0.85 + far * (1 + 0.85**2)]
    assert log_features(reading, expert.columns, "transitions", 3)[0] == pytest.approx(sparse(scores))


def test_transitions_end_at_the_fifth_item(expert: Cooccurrence) -> None:
    unknown = [(9, 40)] * 4
    reading = expert.read(query([*unknown, (1, 40)], [*unknown, (9, 40), (1, 40)], now_s=40))
    assert log_features(reading, expert.columns, "transitions", 3)[0] == pytest.approx(sparse([1, 0, 0.85]))
    assert log_features(reading, expert.columns, "transitions", 3)[1].tolist() == [0, 0, 0]
    assert log_features(reading, expert.columns, "recent_transitions", 3)[1].tolist() != [0, 0, 0]


def test_recent_transitions_discount_less(expert: Cooccurrence) -> None:
    reading = expert.read(query([(1, 40), (0, 30)], now_s=40))
    near, far = 1 / (NORM_1**0.7 + 2), 0.9 / (NORM_0**0.7 + 2)
    scores = [near * 1, far * 1, near * 0.85 + far * (1 + 0.85**2)]
    features = log_features(reading, expert.columns, "recent_transitions", 3)[0]
    assert features == pytest.approx(sparse(scores), abs=1e-3)  # half a minute of two days has faded
