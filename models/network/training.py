"""The network as an expert: it learns while the stream runs, one small batch after the other.

Each live event becomes an example: its window just before it, and its item. Examples wait until `TrainingConfig.batch`
of them have gathered, however the stream was cut into batches; then one update takes them, and several times as many
old ones from the replay buffer, each with some of its window hidden. Learned again as they were, old examples would be
known by heart; every time with other gaps they go on teaching, and a stream that is met once is learned nearly as if it
were met many times (the gaps are the item mask of Xie et al. 2022, https://arxiv.org/abs/2010.14395):

1. *Rows*: the item rows of the update are all known ones, or in a large catalogue those that occur in its examples and
   a random sample of the others. Only their vectors are read and changed, so an update costs the same at any size.
2. *Forward*: context vectors of the windows. An item met for the first time starts where the context vector points that
   met it, and so among the items that are met in such circumstances.
3. *Loss*: softmax cross-entropy over the rows, by weight of the events; half of it is that of the live examples. A
   sampled row counts as many times as there are rows that it stands for, which keeps the sum in the softmax unbiased.
4. *Guards*: a gradient that is not finite changes nothing, is counted, and its live examples are dropped; a large one
   is clipped.
5. *Step*: Adam, with a larger rate for item vectors than for the network, and smaller ones for what has been learned
   from history before (`pretraining`).

Random numbers depend on the seed and the number of the update alone.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from models.base import Column, Events, Expert, Mask, Progress, Queries, Reading, Rows, Run
from models.experts.dense import Logits, Probabilities, listed
from models.experts.portion import Places, Portion
from models.experts.shortlist import Shortlist
from models.network.adam import MANY, adam_step
from models.network.checkpoint import Checkpoint
from models.network.config import NetworkConfig
from models.network.encoders import new_encoder
from models.network.numerics import fix_numerics
from models.network.replay import Examples, Inputs, ReplayBuffer, inputs_of
from models.network.rows import ItemVectors
from stream.snapshots import State, nest, pick
from stream.windows import WindowView

_BIRTH_SCALE = 0.2
"""Length of a new item's vector in units of its context vector: strong enough to be offered, weak enough to turn."""

_HIDDEN = np.uint64(0.35 * 2**64)
"""The part of the events of old windows that are hidden, of 2**64."""

_AHEAD = 256
"""Windows read at once at most, 16 KiB each."""


@dataclass(frozen=True, slots=True)
class _Foreseen:
    """What the network, as it is, says to the windows of a run from place `first` on."""

    run: Run
    first: int
    scored: Logits

    def of(self, run: Run, count: int) -> Logits | None:
        """Return the part for `count` windows from where `run` stands, where all of it is here."""
        start = run.first - self.first
        here = run.windows is self.run.windows and 0 <= start <= len(self.scored.values) - count
        return self.scored.part(start, start + count) if here else None


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """How the network is trained."""

    batch: int = 16  # live examples of an update
    old: int = 80  # old examples of an update
    replay_capacity: int = 200_000  # examples
    softmax_rows: int = 4_096  # catalogues up to this size are never sampled
    scored: int = 4_096  # items scored for every list, beside its candidates
    vector_rate: float = 0.01
    network_rate: float = 0.001
    tuning: float = 0.2  # share of that for what begins with a checkpoint
    largest_gradient: float = 1.0  # norm of all gradients of an update together


class SequenceExpert(Expert):
    """A Transformer or an LSTM over the window, trained online.

    Parameters
    ----------
    network, training, seed
        What is trained, how, and where random numbers come from.
    start
        What it begins with, of the same shape; its items are at the rows [0, I), in order.

    Attributes
    ----------
    updates, skipped
        Updates made, and updates left out because something in them was not finite.
    loss
        Mean cross-entropy of the last update made; NaN before the first.
    """

    name = "sequence"
    columns = (Column("sequence", 20),)

    def __init__(
        self,
        network: NetworkConfig | None = None,
        training: TrainingConfig | None = None,
        seed: int = 0,
        start: Checkpoint | None = None,
    ) -> None:
        fix_numerics()
        self._network = network or NetworkConfig()
        self._training = training or TrainingConfig()
        self._seed = seed
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(seed)
            self._encoder = new_encoder(self._network).eval()  # in training only while an update computes
        if start is not None:
            self._encoder.load_state_dict({name: torch.tensor(array) for name, array in start.weights.items()})
        share = 1.0 if start is None else self._training.tuning
        self._former = 0 if start is None else MANY  # updates before the first one here
        self._network_rate = self._training.network_rate * share
        self._parameters = list(self._encoder.parameters())
        self._weights = parameters_to_vector(self._parameters).detach()
        vector_to_parameters(self._weights, self._parameters)  # from now on the parameters are parts of this vector
        self._moments = (torch.zeros_like(self._weights), torch.zeros_like(self._weights))
        self._items = ItemVectors(self._network.width, self._training.vector_rate)
        self._replay = ReplayBuffer(self._training.replay_capacity, self._network.window)
        self._shortlist = Shortlist(self._training.scored)
        self._foreseen: _Foreseen | None = None
        self._waiting = 0  # newest examples of the buffer, not yet part of an update
        self._portion = Portion()
        self.updates = 0
        self.skipped = 0
        self.loss = float("nan")
        if start is not None:
            squares = [torch.tensor(start.weight_squares[name]) for name, _ in self._encoder.named_parameters()]
            self._moments[1].copy_(parameters_to_vector(squares))
            self._items.begin(torch.tensor(start.vectors), torch.tensor(start.vector_squares))
            self._shortlist.enter(np.arange(len(start.ids), dtype=np.int32))

    @property
    def progress(self) -> Progress:
        """See Expert."""
        return Progress(self.updates, self.skipped, self.loss)

    def read(self, queries: Queries) -> Reading:
        """See Expert."""
        scored = self._scored(queries.windows) if queries.run is None else self._ahead(queries.run, len(queries))
        return Probabilities(self.columns[0], queries, scored, self._items.vectors, self._items.known)

    def learn(self, events: Events) -> None:
        """See Expert."""
        chosen = self._portion.choose(len(events), events.training_share)
        inputs = inputs_of(events.before.take(chosen), self._network.window)
        examples = Examples(inputs, events.items[chosen], events.weights[chosen], events.before.users[chosen])
        start = 0
        while start < len(chosen):
            stop = min(len(chosen), start + self._training.batch - self._waiting)
            self._replay.append(examples.part(start, stop))
            self._waiting += stop - start
            start = stop
            if self._waiting == self._training.batch:
                self._update()
                self._waiting = 0

    def forget_items(self, dead: Mask) -> None:
        """See Expert."""
        self._foreseen = None
        self._items.forget(dead)
        self._shortlist.forget(dead)
        self._forget_examples(items=dead, users=np.zeros(0, np.bool_))

    def forget_users(self, dead: Mask) -> None:
        """See Expert."""
        self._forget_examples(items=np.zeros(0, np.bool_), users=dead)

    def state(self) -> State:
        """See Expert."""
        return {
            "counters": np.array([self.updates, self.skipped, self._waiting], np.int64),
            "fractions": np.array([self._portion.credit, self.loss], np.float64),
            "weights": self._weights.numpy().copy(),
            "first_moments": self._moments[0].numpy().copy(),
            "second_moments": self._moments[1].numpy().copy(),
            **nest("items", self._items.state()),
            **nest("shortlist", self._shortlist.state()),
            **nest("replay", self._replay.state()),
        }

    def restore(self, state: State) -> None:
        """See Expert."""
        self._foreseen = None
        self.updates, self.skipped, self._waiting = (int(count) for count in state["counters"])
        self._portion.credit, self.loss = (float(value) for value in state["fractions"])
        self._items.restore(pick("items", state))
        self._shortlist.restore(pick("shortlist", state))
        self._replay.restore(pick("replay", state))
        tables = (self._weights, *self._moments)
        for table, name in zip(tables, ("weights", "first_moments", "second_moments"), strict=True):
            table.copy_(torch.tensor(state[name]))

    def _scored(self, windows: WindowView) -> Logits:
        """Read windows by the network as it is."""
        inputs = inputs_of(windows, self._network.window)
        with torch.inference_mode():
            contexts = self._contexts(inputs, self._items.vectors, inputs.items, self._valid(inputs.items))
            return listed(self._items.vectors, self._items.known, self._shortlist.rows).logits(contexts)

    def _ahead(self, run: Run, count: int) -> Logits:
        """Read `count` windows of a run, and with them those that will be read before the next update.

        How many these are follows from the state and the run alone, because it may change the last bit of a score.
        """
        found = None if self._foreseen is None else self._foreseen.of(run, count)
        if found is None:
            left = (self._training.batch - self._waiting - self._portion.credit) / max(run.training_share, 1e-9)
            ahead = int(min(left + count, _AHEAD))
            self._foreseen = _Foreseen(
                run, run.first, self._scored(run.windows.part(run.first, run.first + max(ahead, count)))
            )
            found = self._foreseen.scored.part(0, count)
        return found

    def _forget_examples(self, items: Mask, users: Mask) -> None:
        dropped = self._replay.forget(items, users)
        self._waiting -= int(dropped[: self._waiting].sum())

    def _valid(self, items: Rows) -> Mask:
        """Which of `items` have a vector."""
        known = self._items.known
        valid: Mask = (items >= 0) & (items < len(known))
        valid[valid] = known[items[valid]]
        return valid

    def _contexts(self, inputs: Inputs, vectors: Tensor, slots: Rows | Places, valid: Mask) -> Tensor:
        """Context vectors (B, D) of windows whose items stand in the given slots of `vectors`."""
        index = torch.from_numpy(np.where(valid, slots, 0))
        tokens = functional.embedding(index, vectors)  # (B, W, D)
        gaps, ages = torch.from_numpy(inputs.gaps).int(), torch.from_numpy(inputs.ages).int()
        hours = torch.from_numpy(inputs.hours).int()
        contexts: Tensor = self._encoder(tokens, gaps, ages, hours, torch.from_numpy(valid))
        return contexts

    def _update(self) -> None:
        """Take one step with the waiting examples and some old ones, numbered as in the module's docstring."""
        self._foreseen = None
        batch, old, step = self._training.batch, self._training.old, self.updates + self.skipped + 1
        chance = np.random.Philox(key=self._seed, counter=[0, 0, 0, step])
        ages = (chance.random_raw(old) % np.uint64(len(self._replay))).astype(np.int64)
        examples = self._replay.take(np.concatenate([np.arange(batch), ages]))

        # 1. Rows
        self._items.grow(int(examples.targets.max()) + 1)
        valid = self._valid(examples.inputs.items)
        met = np.unique(np.concatenate([examples.inputs.items[valid], examples.targets])).astype(np.int64)
        others, stands_for = self._others(met, chance.random_raw(self._training.softmax_rows))
        rows = np.concatenate([met, others])
        slots, targets = np.searchsorted(met, examples.inputs.items), np.searchsorted(met, examples.targets)

        # 2. Forward
        shown = valid.copy()
        shown[batch:] &= chance.random_raw(valid[batch:].size).reshape(old, -1) >= _HIDDEN
        vectors = self._items.vectors.index_select(0, torch.from_numpy(rows)).requires_grad_()
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(chance.random_raw())
            self._encoder.train()
            contexts = self._contexts(examples.inputs, vectors, slots, shown)
            self._encoder.eval()
        started = vectors + self._births(rows, targets, contexts.detach())

        # 3. Loss
        logits = contexts @ started.T  # (batch + old, rows)
        logits[:, len(met) :] += float(np.log(stands_for))
        losses = functional.cross_entropy(logits, torch.from_numpy(targets), reduction="none")
        losses = losses * torch.from_numpy(examples.weights)
        loss = (losses[:batch].mean() + losses[batch:].mean()) / 2

        # 4. Guards
        row_gradients, *gradients = torch.autograd.grad(loss, [vectors, *self._parameters])
        gradient = parameters_to_vector(gradients)
        norm = float(torch.hypot(gradient.norm(), row_gradients.norm()))
        if not np.isfinite(norm):
            self.skipped += 1
            self._replay.drop(batch)  # or they would spoil later updates
            self._items.trim()
            return
        clip = min(1.0, self._training.largest_gradient / max(norm, 1e-12))

        # 5. Step
        self.updates += 1
        self.loss = float(loss.detach())
        adam_step(self._weights, gradient * clip, *self._moments, self._former + self.updates, self._network_rate)
        self._items.update(rows, started.detach(), row_gradients * clip)
        self._shortlist.enter(examples.targets[:batch][::-1])  # live ones, oldest first

    def _others(self, met: Places, bits: npt.NDArray[np.uint64]) -> tuple[Places, float]:
        """Known rows beside `met`, or a sample of them where they are too many; and how many each stands for."""
        beside = self._items.known.copy()
        beside[met] = False
        rows = np.flatnonzero(beside)
        room = max(self._training.softmax_rows - len(met), 1)
        if len(rows) <= room:
            return rows, 1.0
        drawn = np.unique(rows[bits[:room] % np.uint64(len(rows))])
        return drawn, len(rows) / len(drawn)

    def _births(self, rows: Places, targets: Places, contexts: Tensor) -> Tensor:
        """Where the unknown ones of `rows` start: at the first context that met them; zeros for all others."""
        births = contexts.new_zeros(len(rows), contexts.shape[1])
        known = self._items.known
        slots, first = np.unique(targets, return_index=True)
        new = ~known[rows[slots]]
        births[torch.from_numpy(slots[new])] = _BIRTH_SCALE * contexts[torch.from_numpy(first[new])]
        return births
