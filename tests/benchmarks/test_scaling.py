from itertools import islice

import numpy as np

from benchmarks.scaling import Filled, _in_turns


def test_everybody_has_a_turn_before_anybody_has_the_next() -> None:
    turns = list(islice(_in_turns(50, seed=1), 150))
    rounds = [turns[:50], turns[50:100], turns[100:]]
    assert [sorted(one) for one in rounds] == 3 * [list(range(50))]
    assert rounds[0] != rounds[1] != rounds[2]
    assert turns == list(islice(_in_turns(50, seed=1), 150)) != list(islice(_in_turns(50, seed=2), 150))


def test_a_filled_state_knows_everybody_equally_well() -> None:
    filled = Filled.of(users=300, items=150)
    assert filled.events == 3 * 300 + 3 * 512  # three each, and what was learned as the service learns
    assert set(filled.pipeline.recommender.met(np.arange(150, dtype=np.int32)).tolist()) == {16, 17}
