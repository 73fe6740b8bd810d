import pytest

from models.base import Expert
from models.families import FAMILIES, NETWORK, experts
from models.network.config import NetworkConfig


def columns(some: list[Expert]) -> list[str]:
    return [column.name for expert in some for column in expert.columns]


def test_the_network_is_a_family_and_a_column() -> None:
    assert NETWORK in FAMILIES
    assert set(columns(experts(1, NetworkConfig()))) - set(columns(experts(1, None))) == {NETWORK}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_left_out_takes_its_columns_and_no_others(family: str) -> None:
    everything, rest = columns(experts(1, NetworkConfig())), columns(experts(1, NetworkConfig(), without=[family]))
    assert rest
    assert rest == [name for name in everything if name in rest]
    others = [name for name in FAMILIES if name != family]
    assert sorted(everything) == sorted(rest + columns(experts(1, NetworkConfig(), without=others)))
