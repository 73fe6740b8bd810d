from dataclasses import replace

import numpy as np
import pytest
import torch

from models.network.config import NetworkConfig
from models.network.pretraining import Pass, Pretrained, PretrainingConfig, pretrain
from models.network.replay import Examples, inputs_of
from tests.models.checks import ITEMS, stream

NETWORK = NetworkConfig(width=16, window=4)
FEW = PretrainingConfig(batch=24, passes=4, patience=4)


def examples(events: int = 1_200, seed: int = 0) -> Examples:
    """Seven in ten events are the next item of a circle."""
    return Examples.joined(
        [
            Examples(inputs_of(batch.before, NETWORK.window), batch.items, batch.weights, batch.before.users)
            for batch in stream(events=events, seed=seed).batches
        ]
    )


def trained(config: PretrainingConfig = FEW, network: NetworkConfig = NETWORK, seed: int = 1) -> list[Pass]:
    passes: list[Pass] = []
    pretrain(examples(), ITEMS, network, config, seed, passes.append)
    return passes


def same(one: Pretrained, other: Pretrained) -> bool:
    return np.array_equal(one.vectors, other.vectors) and all(
        np.array_equal(one.weights[name], other.weights[name]) for name in one.weights
    )


@pytest.mark.parametrize("network", [NETWORK, replace(NETWORK, encoder="lstm", calendar=True)])
@pytest.mark.parametrize("softmax_rows", [ITEMS, 28])
def test_it_learns_what_follows_what(network: NetworkConfig, softmax_rows: int) -> None:
    passes = trained(replace(FEW, passes=4, vector_rate=0.02, network_rate=0.005, softmax_rows=softmax_rows), network)
    assert passes[0].learned > 0.85 * np.log(ITEMS)
    assert min(one.held_out for one in passes) < 0.72 * np.log(ITEMS)
    assert passes[-1].learned < passes[0].learned


def test_the_same_seed_gives_the_same_bits_and_another_does_not() -> None:
    one, other, third = (pretrain(examples(), ITEMS, NETWORK, FEW, seed) for seed in (1, 1, 2))
    assert same(one, other)
    assert not same(one, third)


def test_how_large_gradients_were_is_known_in_the_end() -> None:
    learned = pretrain(examples(), ITEMS, NETWORK, FEW, 1)
    assert learned.weight_squares.keys() == learned.weights.keys()
    for squares in (*learned.weight_squares.values(), learned.vector_squares):
        assert (squares >= 0).all()
        assert 1e-9 < squares.max() < 1


def test_it_ends_when_what_is_held_out_is_foreseen_no_better() -> None:
    random = examples()
    guesses = np.random.default_rng(0).integers(0, ITEMS, len(random.targets)).astype(np.int32)
    passes: list[Pass] = []
    fast = replace(FEW, passes=40, patience=2, vector_rate=0.05)
    learned = pretrain(random._replace(targets=guesses), ITEMS, NETWORK, fast, 1, passes.append)
    assert len(passes) < 40
    assert [one.best for one in passes[-3:]] == [True, False, False]
    assert learned.best == passes[-3]


def test_what_was_held_out_is_learned_in_the_end() -> None:
    seen = examples()
    late = seen.targets.copy()
    late[-1] = ITEMS  # met nowhere else
    config = replace(FEW, passes=1, weight_decay=0.0, vector_rate=0.01)
    progress: list[int] = []
    learned = pretrain(seen._replace(targets=late), ITEMS + 1, NETWORK, config, 1, progress=progress.append)
    without = pretrain(seen, ITEMS + 1, NETWORK, config, 1)
    assert not np.array_equal(learned.vectors[ITEMS], without.vectors[ITEMS])
    assert sum(progress) == len(seen.targets)


def test_global_random_numbers_are_left_alone() -> None:
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    trained(replace(FEW, passes=1))
    assert torch.equal(torch.random.get_rng_state(), before)
