"""A small Transformer over an item's recent counts: it says how much the item will be asked for next.

A period's count becomes a token: how far its logarithm is from the item's level, plus a vector for how long ago it was.
One more token stands for the period to come, and it alone is asked. The item's level is its mean count, fading with a
half-life of three periods; the network says by what factor the next count will differ from it, and as its last layer
begins at zero, an untrained one says that it will not. So what a day's rhythm, a rise or an end looks like is learned
from all items together, and each item keeps its own level.

Once a period it learns what the one that has ended was for the items that were followed: the likelihood of the counts
under Poisson's law, by a few steps of Adam. No step is taken where something is not finite.

Bytes: 110 KB of weights and moments; 216 for each item followed. Time: 20 ms when a period ends.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from models.base import Column, Floats, Progress, Rows
from models.experts.forecasts import Forecaster
from models.network.adam import adam_step
from models.network.numerics import fix_numerics
from models.network.sequence import Block
from models.series import LENGTH, Counts
from stream.snapshots import State

_READ = LENGTH - 2  # newest ended periods that are read: a day of hours
_WIDTH, _HEADS = 32, 2
_FOLLOWED = 128
_STEPS = 2  # of Adam, for each period
_RATE = 0.003
_LARGEST_GRADIENT = 1.0  # norm
_FADING = torch.exp2(-torch.arange(_READ) / 3.0)
_LEAST = 0.1  # events, added to a level so that its logarithm is one
_LARGEST = 12.0  # log count that is forecast at most


class CountEncoder(nn.Module):
    """Counts in, logarithms of the next counts out."""

    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Linear(1, _WIDTH)
        self.place = nn.Parameter(torch.randn(_READ, _WIDTH) * 0.3)
        self.next = nn.Parameter(torch.randn(_WIDTH) * 0.3)
        self.level = nn.Linear(1, _WIDTH)
        self.block = Block(_WIDTH, _HEADS)
        self.factor = nn.Linear(_WIDTH, 1)
        nn.init.zeros_(self.factor.weight)
        nn.init.zeros_(self.factor.bias)

    def forward(self, counts: Tensor) -> Tensor:
        """Logarithm of the next count (N,) after `counts` (N, READ), the newest first."""
        level = torch.log((counts * _FADING).sum(dim=1) / _FADING.sum() + _LEAST)  # (N,)
        values = torch.log(counts + _LEAST) - level[:, None]
        events = self.value(values[:, :, None]) + self.place  # (N, READ, D)
        now = self.next + self.level(level[:, None])  # (N, D)
        tokens = torch.cat([now[:, None], events], dim=1)
        valid = torch.ones(tokens.shape[:2], dtype=torch.bool)
        found = self.block(tokens, valid, 1)[:, 0]
        logs: Tensor = level + self.factor(found)[:, 0]
        return logs.clamp(max=_LARGEST)


class ItemTransformer(Forecaster):
    """One column over the forecasts of a `CountEncoder`.

    Parameters
    ----------
    followed
        How many items are followed at most.
    seed
        Of the first weights.
    """

    def __init__(self, followed: int = _FOLLOWED, seed: int = 0) -> None:
        super().__init__(Column("item_transformer", 20), followed)
        fix_numerics()
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(seed)
            self._encoder = CountEncoder().eval()
        self._parameters = list(self._encoder.parameters())
        self._weights = parameters_to_vector(self._parameters).detach()
        vector_to_parameters(self._weights, self._parameters)  # from now on the parameters are parts of this vector
        self._moments = (torch.zeros_like(self._weights), torch.zeros_like(self._weights))
        self._updates, self._skipped, self._loss = 0, 0, float("nan")

    @property
    def progress(self) -> Progress:
        """See Expert."""
        return Progress(self._updates, self._skipped, self._loss)

    def _learn(self, items: Rows, history: Counts, ended: int, season: int) -> None:
        if not len(items):
            return
        counts = torch.from_numpy(history.astype(np.float32))
        for _ in range(_STEPS):
            logs = self._encoder(counts[:, 1:])
            loss = functional.poisson_nll_loss(logs, counts[:, 0])
            gradient = parameters_to_vector(torch.autograd.grad(loss, self._parameters))
            norm = float(gradient.norm())
            if not np.isfinite(norm):
                self._skipped += 1
                return
            self._updates += 1
            self._loss = float(loss.detach())
            clip = min(1.0, _LARGEST_GRADIENT / max(norm, 1e-12))
            adam_step(self._weights, gradient * clip, *self._moments, self._updates, _RATE)

    def _forecast(self, items: Rows, history: Counts, season: int) -> Floats:
        with torch.inference_mode():
            logs = self._encoder(torch.from_numpy(history[:, :_READ].astype(np.float32)))
        expected: Floats = logs.exp().numpy()
        return expected

    def state(self) -> State:
        """See Expert."""
        return super().state() | {
            "counters": np.array([self._updates, self._skipped], np.int64),
            "loss": np.array([self._loss]),
            "weights": self._weights.numpy().copy(),
            "first_moments": self._moments[0].numpy().copy(),
            "second_moments": self._moments[1].numpy().copy(),
        }

    def restore(self, state: State) -> None:
        """See Expert."""
        super().restore(state)
        self._updates, self._skipped = state["counters"].tolist()
        self._loss = float(state["loss"][0])
        tables = (self._weights, *self._moments)
        for table, name in zip(tables, ("weights", "first_moments", "second_moments"), strict=True):
            table.copy_(torch.tensor(state[name]))
