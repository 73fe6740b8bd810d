"""The stream 0, 1, 0, 2 of one user, as in test_transitions, now counted both ways."""

import pytest

from models.experts import covisitation
from models.experts.cooccurrence import Cooccurrence
from tests.models.tiny import log_features, query, sparse, teach


@pytest.fixture
def expert() -> Cooccurrence:
    learned = Cooccurrence(covisitation.READOUTS)
    teach(learned, [(0, 0, 0), (0, 1, 10), (0, 0, 20), (0, 2, 30)])
    return learned


def test_covisitation_discounts_what_goes_with_everything(expert: Cooccurrence) -> None:
    roots = [norm**0.5 + 2 for norm in (3 + 0.85**2, 2 + 0.85, 1 + 0.85 + 0.85**2)]
    together = {(0, 1): 2, (0, 2): 1 + 0.85**2, (1, 2): 0.85}
    reading = expert.read(query([(1, 40)], [(2, 40), (0, 30)], now_s=40))
    features = log_features(reading, expert.columns, "covisitation", 3)
    assert features[0] == pytest.approx(sparse([together[0, 1] / roots[0], 0, together[1, 2] / roots[2]]))
    from_2 = [together[0, 2] / roots[0] / roots[2], together[1, 2] / roots[1] / roots[2], 0]
    from_0 = [0, 0.9 * together[0, 1] / roots[1] / roots[0], 0.9 * together[0, 2] / roots[2] / roots[0]]
    assert features[1] == pytest.approx(sparse([two + zero for two, zero in zip(from_2, from_0, strict=True)]))


def test_cosine_counts_every_meeting_alike(expert: Cooccurrence) -> None:
    roots = [(norm + 10) ** 0.5 for norm in (4, 3, 3)]
    reading = expert.read(query([(1, 40)], [(2, 40), (0, 30)], now_s=40))
    features = log_features(reading, expert.columns, "cosine", 3)
    assert features[0] == pytest.approx(sparse([2 / roots[0], 0, 1 / roots[2]]))
    from_2 = [2 / roots[0] / roots[2], 1 / roots[1] / roots[2], 0]
    from_0 = [0, 2 / roots[1] / roots[0], 2 / roots[2] / roots[0]]
    assert features[1] == pytest.approx(sparse([two + zero for two, zero in zip(from_2, from_0, strict=True)]))
