import numpy as np
import pytest

from models.sequence import SequenceConfig
from models.training import SequenceExpert, TrainingConfig
from tests.models.checks import CHECKS, Check, name_of

NETWORK = SequenceConfig(width=8, window=4, heads=2)
TRAINING = TrainingConfig(batch=8, replay_capacity=64)


def small() -> SequenceExpert:
    return SequenceExpert(NETWORK, TRAINING, seed=3)


def sampled() -> SequenceExpert:
    return SequenceExpert(NETWORK, TrainingConfig(batch=8, replay_capacity=64, softmax_rows=4), seed=3)


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
@pytest.mark.parametrize("factory", [small, sampled], ids=name_of)
def test_contract(factory, check) -> None:
    check(factory)
