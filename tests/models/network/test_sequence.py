"""What every encoder promises, and what is the Transformer's own."""

import pytest
import torch
from torch import Tensor

from models.network.config import NetworkConfig
from models.network.recurrent import LSTMEncoder
from models.network.sequence import TransformerEncoder

CONFIG = NetworkConfig(calendar=True, width=8, window=4, layers=2, heads=2)
Encoder = TransformerEncoder | LSTMEncoder


@pytest.fixture(params=[TransformerEncoder, LSTMEncoder])
def encoder(request: pytest.FixtureRequest) -> Encoder:
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(1)
        made: Encoder = request.param(CONFIG).eval()
        for table in (made.tokens.hour, made.tokens.day):
            assert table is not None
            torch.nn.init.normal_(table.weight)  # as they are once they have learned
    return made


def windows(lengths: list[int]) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Windows of the given lengths, full of different things."""
    shape = (len(lengths), CONFIG.window)
    numbers = torch.arange(shape[0] * shape[1]).view(shape)
    vectors = torch.sin(numbers[:, :, None] * torch.arange(1, CONFIG.width + 1))
    valid = torch.arange(CONFIG.window) < torch.tensor(lengths)[:, None]
    return vectors, numbers % 7, numbers % 11, torch.arange(len(lengths)) * 30, valid


@pytest.mark.parametrize("layers", [1, 2])
def test_each_window_gets_one_context_vector(layers: int) -> None:
    encoder = TransformerEncoder(NetworkConfig(width=8, window=4, layers=layers, heads=2))
    contexts = encoder(*windows([0, 1, 4]))
    assert contexts.shape == (3, 8)
    assert torch.isfinite(contexts).all()


def test_what_is_not_valid_is_not_read(encoder: Encoder) -> None:
    vectors, gaps, ages, hours, valid = windows([2, 0])
    other = torch.where(valid[:, :, None], vectors, 100.0)
    with torch.inference_mode():
        expected = encoder(vectors, gaps, ages, hours, valid)
        found = encoder(other, torch.where(valid, gaps, 5), torch.where(valid, ages, 6), hours, valid)
    assert torch.equal(found, expected)


def test_every_event_its_times_its_place_and_the_hour_are_read(encoder: Encoder) -> None:
    vectors, gaps, ages, hours, valid = windows([4])
    with torch.inference_mode():
        base = encoder(vectors, gaps, ages, hours, valid)
        for place in range(CONFIG.window):
            here = torch.arange(CONFIG.window) == place
            assert not torch.equal(
                encoder(vectors + here[:, None] * torch.arange(CONFIG.width), gaps, ages, hours, valid), base
            )
            assert not torch.equal(encoder(vectors, gaps + 9 * here, ages, hours, valid), base)
            assert not torch.equal(encoder(vectors, gaps, ages + 9 * here, hours, valid), base)
        assert not torch.equal(encoder(vectors, gaps, ages, hours + 5, valid), base)
        assert not torch.equal(encoder(vectors, gaps, ages, hours + 24, valid), base)
        assert not torch.equal(encoder(vectors.flip(1), gaps.flip(1), ages.flip(1), hours, valid), base)


def test_windows_do_not_see_each_other(encoder: Encoder) -> None:
    vectors, gaps, ages, hours, valid = windows([3, 4, 1])
    with torch.inference_mode():
        together = encoder(vectors, gaps, ages, hours, valid)
        alone = torch.cat(
            [encoder(*(column[b : b + 1] for column in (vectors, gaps, ages, hours, valid))) for b in range(3)]
        )
    torch.testing.assert_close(together, alone)


def test_a_place_that_is_asked_for_is_read_for_its_times_and_not_for_its_item(encoder: Encoder) -> None:
    vectors, gaps, ages, hours, valid = windows([4])
    here = torch.arange(CONFIG.window) == 2
    asked = torch.tensor([2])
    with torch.inference_mode():
        base = encoder(vectors, gaps, ages, hours, valid & ~here, asked)
        assert torch.equal(encoder(vectors + 9.0 * here[:, None], gaps, ages, hours, valid & ~here, asked), base)
        assert not torch.equal(encoder(vectors, gaps + 9 * here, ages, hours, valid & ~here, asked), base)
        assert not torch.equal(encoder(vectors, gaps, ages + 9 * here, hours, valid & ~here, asked), base)
        assert not torch.equal(encoder(vectors, gaps, ages, hours, valid & ~here, torch.tensor([1])), base)
        for place in (0, 1, 3):
            other = torch.arange(CONFIG.window) == place
            changed = vectors + other[:, None] * torch.arange(CONFIG.width)
            assert not torch.equal(encoder(changed, gaps, ages, hours, valid & ~here, asked), base)


def test_every_parameter_takes_part(encoder: Encoder) -> None:
    (encoder(*windows([0, 2, 4])) ** 3).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in encoder.parameters())
