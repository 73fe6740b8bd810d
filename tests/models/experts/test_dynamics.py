import pytest

from models.experts.dynamics import Dynamics
from tests.models.checks import CHECKS, Check, name_of


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
def test_contract(check: Check) -> None:
    check(Dynamics)
