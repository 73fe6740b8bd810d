import numpy as np
import pytest

from models.factorization import FactorizationConfig, FactorizationExpert
from tests.models.checks import CHECKS, FAR, USERS, Check, all_items, name_of, queries_of, stream, taught


def small() -> FactorizationExpert:
    return FactorizationExpert(FactorizationConfig(factors=4), seed=3)


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
def test_contract(check: Check) -> None:
    check(small)
