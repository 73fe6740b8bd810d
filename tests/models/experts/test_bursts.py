"""0, 1 after two minutes, 2 after another hour: pages tell them apart, sessions less so."""

from math import exp

import pytest

from models.experts import bursts
from models.experts.cooccurrence import Cooccurrence
from tests.models.tiny import log_features, query, sparse, teach


@pytest.mark.parametrize(("column", "tau_s"), [("page_burst", 120), ("session_burst", 3600)])
def test_meetings_weigh_by_the_time_between(column: str, tau_s: int) -> None:
    expert = Cooccurrence(bursts.READOUTS)
    teach(expert, [(0, 0, 0), (0, 1, 120), (0, 2, 3720)])
    near, far, farther = exp(-120 / tau_s), exp(-3600 / tau_s), exp(-3720 / tau_s)
    roots = [(norm + 5) ** 0.5 for norm in (near + farther, near + far, far + farther)]
    reading = expert.read(query([(1, 5000), (0, 4000)], now_s=5120))
    newer, older = exp(-120 / tau_s) / roots[1], exp(-1120 / tau_s) / roots[0]
    scores = [newer * near / roots[0], older * near / roots[1], (newer * far + older * farther) / roots[2]]
    features = log_features(reading, expert.columns, column, 3)[0]
    assert features == pytest.approx(sparse(scores), rel=1e-4)
