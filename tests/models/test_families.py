import pytest

from models.base import Expert
from models.families import CONTENT, FAMILIES, NETWORK, OPTIONAL, columns, experts
from models.network.config import NetworkConfig


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
