import numpy as np
import pytest

from models.base import Expert, Floats
from models.families import CONTENT, FAMILIES, NETWORK, OPTIONAL, columns, experts
from models.network.config import NetworkConfig
from tests.models.tiny import HOUR_S, query, teach


def told(network: NetworkConfig | None) -> list[Expert]:
    """All experts there are, where something is told of items."""
    return experts(1, network, vector_length=0)


def names(some: list[Expert]) -> list[str]:
    return [column.name for expert in some for column in expert.columns]


def test_the_network_is_a_family_and_a_column() -> None:
    assert NETWORK in FAMILIES
    assert set(names(experts(1, NetworkConfig()))) - set(names(experts(1, None))) == {NETWORK}


def test_content_is_there_where_something_is_told_of_items() -> None:
    assert CONTENT in FAMILIES
    assert set(names(told(None))) - set(names(experts(1, None))) == {"like_attributes", "like_vector"}


def test_who_met_whom_is_known_without_being_asked_for() -> None:
    assert {"replies", "unanswered", "circle"} <= set(names(experts(1, None)))


def test_every_column_belongs_to_one_family() -> None:
    everything = experts(1, NetworkConfig(), vector_length=0, optional=OPTIONAL)
    owned = [name for family in (*FAMILIES, *OPTIONAL) for name in columns(family, everything)]
    assert sorted(owned) == sorted(names(everything))
    assert all(columns(family, everything) for family in (*FAMILIES, *OPTIONAL))


@pytest.mark.parametrize("family", OPTIONAL)
def test_a_family_asked_for_brings_its_columns(family: str) -> None:
    rest, asked = experts(1, None), experts(1, None, optional=[family])
    assert set(names(asked)) - set(names(rest)) == set(columns(family, asked))
    assert columns(family, rest) == []


def test_pairs_are_told_by_followers_companions_and_bursts() -> None:
    """Users 0 to 2 go from 0 to 1 in ten seconds; 3 goes from 1 to 2 in an hour."""
    counting = experts(1, None)[0]
    for user in range(3):
        teach(counting, [(user, 0, 0), (user, 1, 10)])
    teach(counting, [(3, 1, 0), (3, 2, HOUR_S)])

    def told(pause_s: int) -> Floats:
        likely = np.array([[0.5, 0.5]], np.float32)
        said = counting.read(query([(0, 90)], now_s=90 + pause_s)).pairs(np.array([[1, 2]], np.int32), likely)
        assert said is not None
        row: Floats = said[0]
        return row

    assert (told(5)[0, :3] > 0).all()
    assert told(5)[:, 3] == pytest.approx([-0.5 * np.log(3), 0.5 * np.log(3)]), "2 comes after 1"
    assert told(HOUR_S)[0].tolist() == [told(5)[0, 0], 0, *told(5)[0, 2:]], "a burst is over in an hour"
