import pytest

from models.network.counts import ItemTransformer
from tests.models.checks import CHECKS, Check, name_of


def small() -> ItemTransformer:
    return ItemTransformer(followed=20, seed=3)


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
def test_contract(check: Check) -> None:
    check(small)
