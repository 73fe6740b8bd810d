import numpy as np
import pytest
import torch
from torch import Tensor

from models.network.sequence import GAP_BUCKETS, SequenceConfig, SequenceEncoder, gap_buckets

CONFIG = SequenceConfig(width=8, window=4, layers=2, heads=2)


@pytest.fixture
def encoder() -> SequenceEncoder:
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(1)
        return SequenceEncoder(CONFIG).eval()


def windows(lengths: list[int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Windows of the given lengths, full of different things."""
    shape = (len(lengths), CONFIG.window)
    numbers = torch.arange(shape[0] * shape[1]).view(shape)
    vectors = torch.sin(numbers[:, :, None] * torch.arange(1, CONFIG.width + 1))
    valid = torch.arange(CONFIG.window) < torch.tensor(lengths)[:, None]
    return vectors, numbers % 7, numbers % 11, valid


def test_gaps_fall_into_half_octaves_of_seconds() -> None:
    day = 86_400_000
    gaps = np.array([-5, 0, 999, 1_000, 1_999, 3_000, 60_000, day, 365 * day, 100 * 365 * day, 10**17])
    assert gap_buckets(gaps).tolist() == [0, 0, 0, 2, 2, 4, 11, 32, 49, 63, GAP_BUCKETS - 1]


@pytest.mark.parametrize("layers", [1, 2])
def test_each_window_gets_one_context_vector(layers: int) -> None:
    encoder = SequenceEncoder(SequenceConfig(width=8, window=4, layers=layers, heads=2))
    contexts = encoder(*windows([0, 1, 4]))
    assert contexts.shape == (3, 8)
    assert torch.isfinite(contexts).all()


def test_what_is_not_valid_is_not_read(encoder: SequenceEncoder) -> None:
    vectors, gaps, ages, valid = windows([2, 0])
    other = torch.where(valid[:, :, None], vectors, 100.0)
    with torch.inference_mode():
        expected = encoder(vectors, gaps, ages, valid)
        found = encoder(other, torch.where(valid, gaps, 5), torch.where(valid, ages, 6), valid)
    assert torch.equal(found, expected)


def test_every_event_its_gap_its_age_and_its_place_are_read(encoder: SequenceEncoder) -> None:
    vectors, gaps, ages, valid = windows([4])
    with torch.inference_mode():
        base = encoder(vectors, gaps, ages, valid)
        for place in range(CONFIG.window):
            here = torch.arange(CONFIG.window) == place
            assert not torch.equal(encoder(vectors + here[:, None], gaps, ages, valid), base)
            assert not torch.equal(encoder(vectors, gaps + 9 * here, ages, valid), base)
            assert not torch.equal(encoder(vectors, gaps, ages + 9 * here, valid), base)
        assert not torch.equal(encoder(vectors.flip(1), gaps.flip(1), ages.flip(1), valid), base)


def test_windows_do_not_see_each_other(encoder: SequenceEncoder) -> None:
    vectors, gaps, ages, valid = windows([3, 4, 1])
    with torch.inference_mode():
        together = encoder(vectors, gaps, ages, valid)
        alone = torch.cat(
            [encoder(vectors[b : b + 1], gaps[b : b + 1], ages[b : b + 1], valid[b : b + 1]) for b in range(3)]
        )
    torch.testing.assert_close(together, alone)


def test_every_parameter_takes_part(encoder: SequenceEncoder) -> None:
    (encoder(*windows([0, 2, 4])) ** 3).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in encoder.parameters())
