from collections.abc import Collection

import pytest

from models.base import Expert
from models.families import CONTENT, FAMILIES, NETWORK, OPTIONAL, experts
from models.network.config import NetworkConfig


def told(network: NetworkConfig | None, without: Collection[str] = ()) -> list[Expert]:
    """All experts there are, where something is told of items."""
    return experts(1, network, without, vector_length=0)


def columns(some: list[Expert]) -> list[str]:
    return [column.name for expert in some for column in expert.columns]


def test_the_network_is_a_family_and_a_column() -> None:
    assert NETWORK in FAMILIES
    assert set(columns(experts(1, NetworkConfig()))) - set(columns(experts(1, None))) == {NETWORK}


def test_content_is_there_where_something_is_told_of_items() -> None:
    assert CONTENT in FAMILIES
    assert set(columns(told(None))) - set(columns(experts(1, None))) == {"like_attributes", "like_vector"}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_left_out_takes_its_columns_and_no_others(family: str) -> None:
    everything, rest = columns(told(NetworkConfig())), columns(told(NetworkConfig(), without=[family]))
    assert rest
    assert rest == [name for name in everything if name in rest]
    others = [name for name in FAMILIES if name != family]
    assert sorted(everything) == sorted(rest + columns(told(NetworkConfig(), without=others)))


@pytest.mark.parametrize("family", OPTIONAL)
def test_a_family_asked_for_brings_its_columns_and_can_be_left_out(family: str) -> None:
    rest, everything = columns(experts(1, None)), columns(experts(1, None, optional=[family]))
    assert set(everything) > set(rest)
    assert columns(experts(1, None, without=[family], optional=[family])) == rest
