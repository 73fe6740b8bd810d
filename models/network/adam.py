"""The step of Adam (Kingma and Ba 2015, https://arxiv.org/abs/1412.6980), as one function over plain tensors.

`rows` takes the same step for some rows of a table; `pretraining` adds weight decay.

PyTorch's own optimisers keep their state by parameter object and count steps for all rows of a table together; here
state must go to arrays and back, and each item vector has its own count. They also import PyTorch's compiler, which
doubles the time to start.
"""

from torch import Tensor

FAST, SLOW = 0.9, 0.999
EPSILON = 1e-8
MANY = 10_000
"""Updates after which moments need no correction any more."""


def adam_step(values: Tensor, gradients: Tensor, first: Tensor, second: Tensor, steps: int, rate: float) -> None:
    """Move `values` against `gradients`; update the `first` and `second` moments. All three change in place.

    `steps` counts the updates with this one.
    """
    first.lerp_(gradients, 1 - FAST)
    second.lerp_(gradients.square(), 1 - SLOW)
    size = mean_squares(second, steps).sqrt_().add_(EPSILON)
    values.sub_(rate * (first / (1 - FAST**steps)) / size)


def mean_squares(second: Tensor, steps: int) -> Tensor:
    """Return the mean squares of the gradients of `steps` updates, from their `second` moments."""
    return second / (1 - SLOW**steps)
