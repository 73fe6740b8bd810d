"""The step of Adam (Kingma and Ba 2015, https://arxiv.org/abs/1412.6980), as one function over plain tensors.

PyTorch's own optimisers keep their state by parameter object and count steps for all rows of a table together; here
state must go to arrays and back, and each item vector has its own count. They also import PyTorch's compiler, which
doubles the time to start.
"""

from torch import Tensor

_FAST, _SLOW = 0.9, 0.999
_EPSILON = 1e-8


def adam_step(
    values: Tensor, gradients: Tensor, first: Tensor, second: Tensor, steps: Tensor | float, rate: float
) -> None:
    """Move `values` against `gradients`; update the `first` and `second` moments. All three change in place.

    `steps` counts the updates of the values with this one: a number, or a tensor that broadcasts against them.
    """
    first.lerp_(gradients, 1 - _FAST)
    second.lerp_(gradients.square(), 1 - _SLOW)
    size = (second / (1 - _SLOW**steps)).sqrt_().add_(_EPSILON)
    values.sub_(rate * (first / (1 - _FAST**steps)) / size)
