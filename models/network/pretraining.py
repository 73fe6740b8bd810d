"""Training on history: several passes over what has happened, before the stream begins.

Online learning sees each event once or twice, in order. History can be read as often as it helps. Two things are asked
of the encoder, and one loss is the mean of both:

- *Next item*: what came after a window, as it is asked online.
- *Masked item*: what stood at a place inside the window, from all that stands around it, before and after (the Cloze
  task of BERT4Rec, Sun et al. 2019, https://arxiv.org/abs/1904.06690). One place a window, chosen anew in each pass.

The loss is the softmax cross-entropy over all items, or in a large catalogue over those of the batch and a random
sample of the others that counts for all of them, as in `training`. The optimiser is AdamW (Loshchilov and Hutter 2019,
https://arxiv.org/abs/1711.05101).

1. *Split*: the newest part of history is held out; the rest is what is learned.
2. *Passes*: over the rest in random order, each followed by the next-item loss on what is held out, until that has not
   become better for a while. The best pass counts.
3. *The newest part*: one pass over what was held out, in order of time: a network that starts a stream must know what
   was there just before it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import inf, log
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.base import Floats, Mask
from models.network.adam import adam_step, mean_squares
from models.network.checkpoint import Weights
from models.network.config import NetworkConfig
from models.network.encoders import new_encoder
from models.network.numerics import fix_numerics
from models.network.replay import Examples

Places = npt.NDArray[np.int64]

_START_SCALE = 0.1
"""Standard deviation of the numbers in an untrained item vector: as long as one that is born online."""


@dataclass(frozen=True, slots=True)
class PretrainingConfig:
    """How history is read."""

    batch: int = 256  # examples of an update
    passes: int = 20  # at most
    patience: int = 2  # passes without a better loss on what is held out
    held_out: float = 0.1  # part of the examples, the newest ones
    held_out_most: int = 20_000  # examples; those that are more are learned
    softmax_rows: int = 4_096  # catalogues up to this size are never sampled
    vector_rate: float = 0.003
    network_rate: float = 0.001
    weight_decay: float = 0.01


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass over history came to: losses are cross-entropies in nats."""

    number: int  # from 1 on
    learned: float  # mean loss of both objectives while it went on
    held_out: float  # mean next-item loss on what is held out
    best: bool  # whether no pass before had a lower one


@dataclass(frozen=True, slots=True)
class Pretrained:
    """What came of it: the weights of the encoder by name, and the vectors (I, D) of all items of the examples.

    `squares` are the mean squares of the gradients of both; see Checkpoint.
    """

    weights: Weights
    vectors: Floats
    weight_squares: Weights
    vector_squares: Floats
    best: Pass


def pretrain(
    examples: Examples,
    items: int,
    network: NetworkConfig,
    config: PretrainingConfig,
    seed: int,
    passed: Callable[[Pass], None] = lambda _: None,
    progress: Callable[[int], None] = lambda _: None,
) -> Pretrained:
    """Train a new network on examples in order of time.

    Parameters
    ----------
    examples
        N of them, whose items are rows in [0, items).
    items
        I, the number of items.
    network, config, seed
        What is trained, how, and where random numbers come from.
    passed
        Is told of each pass.
    progress
        Is told how many examples were learned since the last call.
    """
    fix_numerics()
    count = len(examples.targets)
    held = min(int(count * config.held_out), config.held_out_most)
    rest, newest = examples.part(0, count - held), examples.part(count - held, count)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        trainer = _Trainer(items, network, config, seed)
        best = Pass(0, inf, inf, best=True)
        kept, learned_items = trainer.copy(), _items_of(rest, items)
        measurable = learned_items[newest.targets].any()
        for number in range(1, config.passes + 1):
            order = np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, 1, number])).permutation(count - held)
            learned = trainer.learn(rest, order, progress)
            loss = trainer.next_item_loss(newest, learned_items) if measurable else learned
            this = Pass(number, learned, loss, best=loss < best.held_out)
            passed(this)
            if this.best:
                best, kept = this, trainer.copy()
            elif number - best.number >= config.patience:
                break
        trainer.take_back(kept)
        trainer.learn(newest, np.arange(held), progress)
    return trainer.result(best)


class _Sample(NamedTuple):
    """Items of one softmax: rows (R,) and vectors (R, D); the first `met` are in order and hold all targets.

    Each of the others counts e to `stands_for` times.
    """

    rows: Places
    vectors: Tensor
    met: int
    stands_for: float


class _Trained(NamedTuple):
    """A tensor, its learning rate, and its moments."""

    values: Tensor
    rate: float
    first: Tensor
    second: Tensor

    @classmethod
    def of(cls, values: Tensor, rate: float) -> "_Trained":
        return cls(values, rate, torch.zeros_like(values), torch.zeros_like(values))

    @property
    def parts(self) -> tuple[Tensor, Tensor, Tensor]:
        """All that changes."""
        return self.values, self.first, self.second

    def squares(self, steps: int) -> Floats:
        """Mean squares of the gradients of so many steps."""
        found: Floats = mean_squares(self.second, steps).numpy()
        return found


class _Copy(NamedTuple):
    """The parts of everything that is trained, after so many steps."""

    steps: int
    parts: list[list[Tensor]]


class _Trainer:
    """Encoder, item vectors and optimiser."""

    def __init__(self, items: int, network: NetworkConfig, config: PretrainingConfig, seed: int) -> None:
        self._config = config
        self._seed = seed
        self._updates = 0
        self._encoder = new_encoder(network)
        self._vectors = nn.Parameter(torch.randn(items, network.width) * _START_SCALE)
        self._steps = 0
        self._trained = [
            *(_Trained.of(one, config.network_rate) for one in self._encoder.parameters()),
            _Trained.of(self._vectors, config.vector_rate),
        ]

    def copy(self) -> _Copy:
        """Return what has been learned so far."""
        return _Copy(self._steps, [[part.detach().clone() for part in one.parts] for one in self._trained])

    def take_back(self, kept: _Copy) -> None:
        """Go back to where a copy was made."""
        self._steps = kept.steps
        with torch.no_grad():
            for one, parts in zip(self._trained, kept.parts, strict=True):
                for part, former in zip(one.parts, parts, strict=True):
                    part.copy_(former)

    def result(self, best: Pass) -> Pretrained:
        """Return what was learned."""
        *weights, vectors = self._trained
        names = [name for name, _ in self._encoder.named_parameters()]
        return Pretrained(
            {name: one.values.detach().numpy() for name, one in zip(names, weights, strict=True)},
            vectors.values.detach().numpy(),
            {name: one.squares(self._steps) for name, one in zip(names, weights, strict=True)},
            vectors.squares(self._steps),
            best,
        )

    def learn(self, examples: Examples, order: Places, progress: Callable[[int], None]) -> float:
        """Take one pass in the given order; return the mean loss."""
        self._encoder.train()
        losses = []
        for part in _parts(examples, order, self._config.batch):
            self._updates += 1
            loss = self._loss(part)
            self._step(torch.autograd.grad(loss, [one.values for one in self._trained]))
            losses.append(float(loss.detach()))
            progress(len(part.targets))
        return float(np.mean(losses)) if losses else inf

    def next_item_loss(self, examples: Examples, learned: Mask) -> float:
        """Mean loss, over all items, of the examples whose item has been learned."""
        self._encoder.eval()
        losses = [np.zeros(0, np.float32)]
        with torch.inference_mode():
            for part in _parts(examples, np.flatnonzero(learned[examples.targets]), self._config.batch):
                scores = self._contexts(part) @ self._vectors.T  # (B, I)
                losses.append(functional.cross_entropy(scores, _long(part.targets), reduction="none").numpy())
        together = np.concatenate(losses)
        return float(together.mean())

    def _loss(self, part: Examples) -> Tensor:
        """Mean of both objectives over a batch."""
        count, lengths = len(part.targets), (part.inputs.items >= 0).sum(axis=1)
        bits = np.random.Philox(key=self._seed, counter=[0, 0, 0, self._updates]).random_raw(
            count + self._config.softmax_rows
        )
        fuller = np.flatnonzero(lengths > 1)  # beside a masked item there must be something to read
        asked = (bits[fuller] % lengths[fuller].astype(np.uint64)).astype(np.int64)
        masked = part.take(fuller)
        hidden = masked.inputs.items[np.arange(len(fuller)), asked]
        sample = self._sample(np.concatenate([part.targets, hidden]), bits[count:])
        weights = torch.from_numpy(part.weights)
        of_next = self._cross_entropy(self._contexts(part), part.targets, sample) * weights
        if not len(fuller):
            return of_next.mean()
        of_masked = self._cross_entropy(self._contexts(masked, asked), hidden, sample) * weights[fuller]
        return (of_next.mean() + of_masked.sum() / count) / 2

    def _contexts(self, part: Examples, asked: Places | None = None) -> Tensor:
        """Context vectors (B, D) for what comes next, or for the item at the place `asked` (B,), which is hidden."""
        inputs = part.inputs
        valid = inputs.items >= 0
        if asked is not None:
            valid[np.arange(len(asked)), asked] = False
        tokens = functional.embedding(_long(np.where(valid, inputs.items, 0)), self._vectors)  # (B, W, D)
        times = [torch.from_numpy(column).int() for column in (inputs.gaps, inputs.ages, inputs.hours)]
        contexts: Tensor = self._encoder(
            tokens, *times, torch.from_numpy(valid), None if asked is None else torch.from_numpy(asked)
        )
        return contexts

    def _sample(self, targets: npt.NDArray[np.int32], bits: npt.NDArray[np.uint64]) -> _Sample:
        """Items of the softmax: all, or where they are too many the targets and a sample of the others."""
        items = len(self._vectors)
        met = np.unique(targets).astype(np.int64)
        room = max(self._config.softmax_rows - len(met), 1)
        if items - len(met) <= room:
            return _Sample(np.arange(items), self._vectors, items, 0.0)
        beside = np.ones(items, np.bool_)
        beside[met] = False
        others = np.flatnonzero(beside)
        drawn = np.unique(others[bits[:room] % np.uint64(len(others))])
        rows = np.concatenate([met, drawn])
        vectors = self._vectors.index_select(0, torch.from_numpy(rows))
        return _Sample(rows, vectors, len(met), log(len(others) / len(drawn)))

    def _cross_entropy(self, contexts: Tensor, targets: npt.NDArray[np.int32], sample: _Sample) -> Tensor:
        """Loss (B,) of `targets`."""
        scores = contexts @ sample.vectors.T  # (B, R)
        scores[:, sample.met :] += sample.stands_for
        places = np.searchsorted(sample.rows[: sample.met], targets)
        return functional.cross_entropy(scores, torch.from_numpy(places), reduction="none")

    def _step(self, gradients: Sequence[Tensor]) -> None:
        """Take one step of AdamW: Adam, and beside it every number shrinks by a share of its rate."""
        self._steps += 1
        with torch.no_grad():
            for one, gradient in zip(self._trained, gradients, strict=True):
                one.values.mul_(1 - one.rate * self._config.weight_decay)
                adam_step(one.values, gradient, one.first, one.second, self._steps, one.rate)


def _parts(examples: Examples, order: Places, batch: int) -> Iterator[Examples]:
    for start in range(0, len(order), batch):
        yield examples.take(order[start : start + batch])


def _items_of(examples: Examples, items: int) -> Mask:
    """Which items (I,) the examples have."""
    known = np.zeros(items, np.bool_)
    known[examples.targets] = True
    return known


def _long(column: npt.NDArray[np.integer]) -> Tensor:
    return torch.from_numpy(column.astype(np.int64))
