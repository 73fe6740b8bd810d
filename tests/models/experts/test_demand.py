import pytest

from models.experts.demand import Demand
from tests.models.checks import CHECKS, Check, name_of


def small() -> Demand:
    return Demand(followed=20)


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
def test_contract(check: Check) -> None:
    check(small)
