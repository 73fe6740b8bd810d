import numpy as np
import pytest
import torch

from models.network.rows import ItemVectors

ALL = np.arange(3)


def gradients(step: int) -> torch.Tensor:
    return torch.tensor([[1.0, -2.0], [0.5, 0.0], [3.0, 0.1]]) * (1 + step % 3)


def test_rows_that_always_take_part_follow_adam_at_a_falling_rate() -> None:
    items = ItemVectors(2, rate=0.1)
    items.grow(3)
    expected = torch.nn.Parameter(torch.zeros(3, 2))
    adam = torch.optim.Adam([expected], lr=0.1)
    rates = torch.optim.lr_scheduler.LambdaLR(adam, lambda before: (1 + (before + 1) / 300) ** -0.5)
    for step in range(900):
        items.update(ALL, items.vectors[ALL], gradients(step))
        expected.grad = gradients(step)
        adam.step()
        rates.step()
    torch.testing.assert_close(items.vectors[:3], expected.detach(), rtol=1e-4, atol=1e-4)


def test_the_rate_of_a_row_never_falls_below_a_tenth() -> None:
    items = ItemVectors(1, rate=1.0)
    items.grow(1)
    for _ in range(31_000):
        items.update(np.arange(1), items.vectors, torch.ones(1, 1))
    before = float(items.vectors[0, 0])
    items.update(np.arange(1), items.vectors, torch.ones(1, 1))
    assert before - float(items.vectors[0, 0]) == pytest.approx(0.1, rel=0.01)


def test_other_rows_stay_as_they_are() -> None:
    items = ItemVectors(2, rate=0.1)
    items.grow(3)
    items.update(ALL, torch.ones(3, 2), gradients(0))
    before = items.vectors.clone()
    items.update(np.array([1]), items.vectors[[1]], gradients(1)[[1]])
    assert torch.equal(items.vectors[[0, 2]], before[[0, 2]])
    assert not torch.equal(items.vectors[1], before[1])


def test_rows_are_known_from_their_first_update_until_they_are_forgotten() -> None:
    items = ItemVectors(2, rate=0.1)
    items.grow(6)
    assert not items.known.any()
    items.update(np.array([1, 4]), torch.ones(2, 2), gradients(0)[:2])
    assert np.flatnonzero(items.known).tolist() == [1, 4]
    items.forget(np.array([True, False, False, False, True]))
    assert np.flatnonzero(items.known).tolist() == [1]
    assert not items.state()["vectors"][:1].any()
    items.forget(np.ones(99, np.bool_))
    assert not any(array.any() for array in items.state().values())


def test_state_holds_no_row_beyond_the_last_known() -> None:
    items = ItemVectors(2, rate=0.1)
    items.grow(100)
    items.update(np.array([7]), torch.ones(1, 2), gradients(0)[:1])
    items.forget(np.zeros(3, np.bool_))
    assert {len(array) for array in items.state().values()} == {8}


def test_rows_can_begin_as_after_many_updates() -> None:
    items = ItemVectors(2, rate=0.1)
    items.begin(torch.ones(2, 2), torch.full((2, 2), 4.0))
    assert items.known.tolist() == [True, True]
    items.grow(3)
    items.update(np.array([0, 2]), items.vectors[[0, 2]], gradients(0)[:2])
    assert torch.equal(items.vectors[1], torch.ones(2))
    rate = 0.1 / (1 + 10_001 / 300) ** 0.5
    step = rate * 0.1 * 1.0 / 2.0  # a tenth of the gradient by the root of what was usual
    assert float(1 - items.vectors[0, 0]) == pytest.approx(step, rel=0.01)
    assert float(-items.vectors[2, 0]) == pytest.approx(0.1, rel=0.01), "a first step"
