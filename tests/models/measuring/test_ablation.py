import numpy as np
import pytest

from models.base import Expert
from models.experts import bursts, transitions
from models.experts.cooccurrence import Cooccurrence
from models.experts.popularity import Popularity
from models.experts.repeats import Repeats
from models.measuring.ablation import AblatedRecommender, Lack
from models.recommender import Recommender
from stream.snapshots import state_hash
from tests.models.checks import ITEMS, USERS, Stream, ranks_in_turn, stream


def members(*readouts: str) -> list[Expert]:
    there = {"transitions": transitions.READOUTS, "bursts": bursts.READOUTS}
    chosen = [readout for name in readouts or there for readout in there[name]]
    return [Cooccurrence(chosen, width=ITEMS), Repeats(), Popularity()]


def names(experts: list[Expert]) -> list[str]:
    return [column.name for expert in experts for column in expert.columns]


@pytest.fixture(scope="module")
def seen() -> Stream:
    return stream(events=480)


def test_each_list_is_the_one_of_a_run_without_the_thing(seen: Stream) -> None:
    whole = members()
    ablated = AblatedRecommender(
        whole,
        {
            "nothing": Lack(),
            "popularity": Lack(names([Popularity()])),
            "transitions": Lack([readout.column.name for readout in transitions.READOUTS]),
            "times": Lack(silent=["times"]),
        },
    )
    assert ablated.scorers[-4:] == ("without nothing", "without popularity", "without transitions", "without times")
    ranks = ranks_in_turn(ablated, seen.batches)

    alone = ranks_in_turn(Recommender(members()), seen.batches)
    assert (ranks[:, :-4] == alone).all()
    assert (ranks[:, -4] == alone[:, -1]).all()
    assert (ranks[:, -3] == ranks_in_turn(Recommender(members()[:-1]), seen.batches)[:, -1]).all()
    assert (ranks[:, -2] == ranks_in_turn(Recommender(members("bursts")), seen.batches)[:, -1]).all()
    assert (ranks[:, -1] == ranks_in_turn(Recommender(members(), silent=["times"]), seen.batches)[:, -1]).all()
    assert all((ranks[:, -4] != ranks[:, place]).any() for place in (-3, -2, -1))


def test_the_whole_learns_what_it_would_alone_and_rows_are_given_away_everywhere(seen: Stream) -> None:
    ablated = AblatedRecommender(members(), {"popularity": Lack(names([Popularity()]))})
    alone, lesser = Recommender(members()), Recommender(members()[:-1])
    for recommender in (ablated, alone, lesser):
        ranks_in_turn(recommender, seen.batches[:10])
        recommender.forget_users(np.arange(USERS) < 3)
        recommender.forget_items(np.arange(ITEMS) < 5)
    assert state_hash(ablated.state()) == state_hash(alone.state())
    assert (ranks_in_turn(ablated, seen.batches[10:])[:, -1] == ranks_in_turn(lesser, seen.batches[10:])[:, -1]).all()
