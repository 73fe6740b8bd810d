"""River's matrix factorisation, as the baseline that the other experts must beat.

`river.reco.BiasedMF` (biases, and a dot product of a user's and an item's vector) learns one pair at a time by gradient
descent. An event is a pair with label 1; beside it, the same user with a random known item gets label 0. Under the
logistic loss the score is then the logarithm of how much likelier the pair is than chance, and its softmax over the
catalogue a probability.

Two things are done around it. River's tables make an entry for whoever is asked about, so they are only touched in
`learn`, for pairs whose entries are there: a reading looks a user up, or takes zeros. And River keeps its vectors in
dictionaries, so each item's vector is copied into the row of a matrix after it has changed: all items are scored by one
matrix product, or in a large catalogue those of a `shortlist`.

A pair takes River 20 us, more than all counting experts together take for an event; so under load it learns, as the
network does, from a share of the events.

Random numbers depend on the seed, and on the row or the number of the event that it learned alone.

Bytes: about 500 for each user row, 600 for each item row (with 16 factors).
"""

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from river import optim, reco

from models.base import Column, Events, Expert, Mask, Queries, Reading
from models.experts.dense import Listed, Probabilities, listed
from models.experts.portion import Portion
from models.experts.shortlist import Shortlist
from models.network.numerics import fix_numerics
from models.tables import dead_rows, grown
from stream.snapshots import State, nest, pick

_USERS, _ITEMS, _EVENTS = range(3)  # streams of random numbers

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FactorizationConfig:
    """Shape and steps of the factorisation."""

    factors: int = 16
    rate: float = 0.1
    shrinkage: float = 0.002  # L2 of vectors and biases
    spread: float = 0.1  # standard deviation of new vectors
    negatives: int = 2  # random items for each event
    scored: int = 2048  # items scored for every list, beside its candidates


class FactorizationExpert(Expert):
    """BiasedMF on events against chance.

    Attributes
    ----------
    model
        River's model; asking it to predict for an id that it has not met makes an entry.
    """

    name = "factorization"
    columns = (Column("factorization", 20),)

    def __init__(self, config: FactorizationConfig | None = None, seed: int = 0) -> None:
        self._config = config or FactorizationConfig()
        self._seed = seed
        fix_numerics()
        self._clear()

    def _clear(self) -> None:
        config = self._config
        self._loss = optim.losses.Log()
        self.model = reco.BiasedMF(
            n_factors=config.factors,
            bias_optimizer=optim.SGD(config.rate),
            latent_optimizer=optim.SGD(config.rate),
            loss=self._loss,
            l2_bias=config.shrinkage,
            l2_latent=config.shrinkage,
        )
        self._vectors = torch.zeros(1, config.factors + 1)  # the model's item vectors, by row, and behind each its bias
        self._known = np.zeros(1, np.bool_)
        self._shortlist = Shortlist(config.scored)
        self._listed: Listed | None = None  # made anew after each lesson
        self._learned = 0  # events
        self._portion = Portion()

    def read(self, queries: Queries) -> Reading:
        """See Expert."""
        nobody = np.zeros(self._config.factors)
        users = np.ones((len(queries), self._config.factors + 1), np.float32)  # one: what the bias is multiplied with
        for row, user in zip(users, queries.windows.users.tolist(), strict=True):
            row[:-1] = self.model.u_latents.get(user, nobody)
        if self._listed is None:
            self._listed = listed(self._vectors, self._known, self._shortlist.rows)
        scored = self._listed.logits(torch.from_numpy(users))
        return Probabilities(self.columns[0], queries, scored, self._vectors, self._known)

    def learn(self, events: Events) -> None:
        """See Expert."""
        chosen = self._portion.choose(len(events), events.training_share)
        users, items, weights = events.before.users[chosen], events.items[chosen], events.weights[chosen]
        count, config = len(chosen), self._config
        if not count:
            return
        self._grow(int(items.max(initial=0)) + 1)
        pool = np.flatnonzero(self._known)  # negatives: what was known before these events
        draws = self._random(_EVENTS, self._learned, count * config.negatives).reshape(count, config.negatives)
        negatives = pool[draws % np.uint64(len(pool))] if len(pool) else np.zeros((count, 0), np.int64)
        pairs = zip(users.tolist(), items.tolist(), weights.tolist(), strict=True)
        for (user, item, weight), others in zip(pairs, negatives.tolist(), strict=True):
            self._meet(user, item)
            self._loss.weight_pos = self._loss.weight_neg = weight
            self._teach(user, item, 1)
            for other in others:
                if other != item:
                    self._teach(user, other, 0)
        self._learned += count
        self._shortlist.enter(items)
        self._mirror(np.union1d(items, negatives).tolist())
        self._listed = None

    def forget_items(self, dead: Mask) -> None:
        """See Expert."""
        for row in dead_rows(dead, len(self._known)).tolist():
            self.model.i_latents.pop(row, None)
            self.model.i_biases.pop(row, None)
            self._vectors[row] = 0
            self._known[row] = False
        self._shortlist.forget(dead)
        self._listed = None

    def forget_users(self, dead: Mask) -> None:
        """See Expert."""
        for row in np.flatnonzero(dead).tolist():
            self.model.u_latents.pop(row, None)
            self.model.u_biases.pop(row, None)

    def state(self) -> State:
        """See Expert."""
        model = self.model
        return {
            "learned": np.array([self._learned], np.int64),
            "credit": np.array([self._portion.credit]),
            "mean": np.array([model.global_mean.n, model.global_mean.get()]),
            **nest("shortlist", self._shortlist.state()),
            **nest("users", _entries(model.u_latents, model.u_biases)),
            **nest("items", _entries(model.i_latents, model.i_biases)),
        }

    def restore(self, state: State) -> None:
        """See Expert."""
        self._clear()
        model = self.model
        self._learned = int(state["learned"][0])
        self._portion.credit = float(state["credit"][0])
        pairs, mean = state["mean"].tolist()
        if pairs:
            model.global_mean.update(mean, w=pairs)
        _enter(model.u_latents, model.u_biases, pick("users", state))
        _enter(model.i_latents, model.i_biases, pick("items", state))
        items = state["items.rows"].tolist()
        self._grow(1 + max(items, default=0))
        self._known[items] = True
        self._mirror(items)
        self._shortlist.restore(pick("shortlist", state))

    def _teach(self, user: int, item: int, label: int) -> None:
        self.model.learn_one(user, item, label)  # type: ignore[no-untyped-call]  # River leaves it untyped

    def _meet(self, user: int, item: int) -> None:
        """Make the entries that River would otherwise make, from random numbers that the state need not hold."""
        if user not in self.model.u_latents:
            self.model.u_latents[user] = self._new_vector(_USERS, user)
        if not self._known[item]:
            self.model.i_latents[item] = self._new_vector(_ITEMS, item)
            self._known[item] = True

    def _new_vector(self, kind: int, row: int) -> Doubles:
        """Draw a vector of mean 0 and standard deviation `spread`, uniform."""
        uniform = self._random(kind, row, self._config.factors) / 2.0**64  # [0, 1]
        vector: Doubles = (uniform - 0.5) * np.sqrt(12) * self._config.spread
        return vector

    def _random(self, kind: int, counter: int, count: int) -> npt.NDArray[np.uint64]:
        return np.random.Philox(key=self._seed, counter=[0, 0, counter, kind]).random_raw(count)

    def _grow(self, rows: int) -> None:
        held = len(self._known)
        self._known = grown(self._known, rows)
        added = len(self._known) - held
        if added:
            self._vectors = torch.cat([self._vectors, torch.zeros(added, self._config.factors + 1)])

    def _mirror(self, items: list[int]) -> None:
        """Copy the model's vectors and biases of known item rows."""
        if items:
            vectors = self._vectors.numpy()
            vectors[items, :-1] = [self.model.i_latents[row] for row in items]
            vectors[items, -1] = [self.model.i_biases[row] for row in items]


def _entries(vectors: dict[Hashable, Doubles], biases: dict[Hashable, float]) -> State:
    rows = np.fromiter(vectors, np.int32, len(vectors))
    order = np.argsort(rows)
    numbers = np.concatenate([*vectors.values()]).reshape(len(rows), -1) if len(rows) else np.zeros((0, 0))
    own_biases = np.fromiter(map(biases.__getitem__, vectors), np.float64, len(rows))
    return {"rows": rows[order], "vectors": numbers[order], "biases": own_biases[order]}


def _enter(vectors: dict[Hashable, Doubles], biases: dict[Hashable, float], entries: State) -> None:
    rows = entries["rows"].tolist()
    vectors.update(zip(rows, np.array(entries["vectors"]), strict=True))
    biases.update(zip(rows, entries["biases"].tolist(), strict=True))
