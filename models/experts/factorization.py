"""River's matrix factorisation, as the baseline that the other experts must beat.

`river.reco.BiasedMF` (biases, and a dot product of a user's and an item's vector) learns one pair at a time by gradient
descent. An event is a pair with label 1; beside it, the same user with a random known item gets label 0. Under the
logistic loss the score is then the logarithm of how much likelier the pair is than chance, and its softmax over the
catalogue a probability.

River keeps biases and vectors in dictionaries that make an entry for whoever is asked about. It asks no more of them
than ``table[row]`` and ``table[row] -= step``; so here they are parts of two matrices, one of users and one of items, a
row each with the bias behind the vector. Then nothing needs to be copied for a reading: all items are scored by one
matrix product, or in a large catalogue those of a `shortlist`; and a row is not 500 bytes but 69.

A pair takes River 20 us, more than all counting experts together take for an event; so under load it learns, as the
network does, from a share of the events.

Random numbers depend on the seed, and on the row or the number of the event that it learned alone.

Bytes: 69 for each user row and each item row (with 16 factors).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from river import optim, reco

from models.base import Column, Events, Expert, Floats, Mask, Queries, Reading
from models.experts.dense import Listed, Probabilities, listed
from models.experts.portion import Portion
from models.experts.shortlist import Shortlist
from models.network.numerics import fix_numerics
from models.tables import dead_rows, grown
from stream.kernels import kernel
from stream.snapshots import State, nest, pick

_USERS, _ITEMS, _EVENTS = range(3)  # streams of random numbers


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
        River's model, by user row and item row; rows that were never learned from are zero.
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
        self._known_users, self._known = np.zeros(0, np.bool_), np.zeros(0, np.bool_)
        self._users = self._items = np.zeros((0, config.factors + 1), np.float32)
        self._hand_over()
        self._shortlist = Shortlist(config.scored)
        self._listed: Listed | None = None  # made anew after each lesson
        self._learned = 0  # events
        self._portion = Portion()

    def read(self, queries: Queries) -> Reading:
        """See Expert."""
        users = _with_one(self._users, queries.windows.users)
        vectors = torch.from_numpy(self._items)
        if self._listed is None:
            self._listed = listed(vectors, self._known, self._shortlist.rows)
        scored = self._listed.logits(torch.from_numpy(users))
        return Probabilities(self.columns[0], queries, scored, vectors, self._known)

    def learn(self, events: Events) -> None:
        """See Expert."""
        chosen = self._portion.choose(len(events), events.training_share)
        users, items, weights = events.before.users[chosen], events.items[chosen], events.weights[chosen]
        count, config = len(chosen), self._config
        if not count:
            return
        self._grow(int(users.max()) + 1, int(items.max()) + 1)
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
        self._listed = None

    def forget_items(self, dead: Mask) -> None:
        """See Expert."""
        gone = dead_rows(dead, len(self._known))
        self._items[gone], self._known[gone] = 0, False
        self._shortlist.forget(dead)
        self._listed = None

    def forget_users(self, dead: Mask) -> None:
        """See Expert."""
        gone = dead_rows(dead, len(self._known_users))
        self._users[gone], self._known_users[gone] = 0, False

    def state(self) -> State:
        """See Expert."""
        mean = self.model.global_mean
        return {
            "learned": np.array([self._learned], np.int64),
            "credit": np.array([self._portion.credit]),
            "mean": np.array([mean.n, mean.get()]),
            **nest("shortlist", self._shortlist.state()),
            **nest("users", _packed(self._users, self._known_users)),
            **nest("items", _packed(self._items, self._known)),
        }

    def restore(self, state: State) -> None:
        """See Expert."""
        self._clear()
        self._learned = int(state["learned"][0])
        self._portion.credit = float(state["credit"][0])
        pairs, mean = state["mean"].tolist()
        if pairs:
            self.model.global_mean.update(mean, w=pairs)
        self._users, self._known_users = _unpacked(pick("users", state))
        self._items, self._known = _unpacked(pick("items", state))
        self._hand_over()
        self._shortlist.restore(pick("shortlist", state))

    def _teach(self, user: int, item: int, label: int) -> None:
        self.model.learn_one(user, item, label)  # type: ignore[no-untyped-call]  # River leaves it untyped

    def _meet(self, user: int, item: int) -> None:
        """Begin the rows of new ones, from random numbers that the state need not hold."""
        if not self._known_users[user]:
            self._users[user, :-1] = self._new_vector(_USERS, user)
            self._known_users[user] = True
        if not self._known[item]:
            self._items[item, :-1] = self._new_vector(_ITEMS, item)
            self._known[item] = True

    def _new_vector(self, kind: int, row: int) -> Floats:
        """Draw a vector of mean 0 and standard deviation `spread`, uniform."""
        uniform = self._random(kind, row, self._config.factors) / 2.0**64  # [0, 1]
        vector: Floats = ((uniform - 0.5) * np.sqrt(12) * self._config.spread).astype(np.float32)
        return vector

    def _random(self, kind: int, counter: int, count: int) -> npt.NDArray[np.uint64]:
        return np.random.Philox(key=self._seed, counter=[0, 0, counter, kind]).random_raw(count)

    def _grow(self, users: int, items: int) -> None:
        self._known_users, self._known = grown(self._known_users, users), grown(self._known, items)
        self._users, self._items = grown(self._users, users), grown(self._items, items)
        self._hand_over()

    def _hand_over(self) -> None:
        """Give River the tables as they are now."""
        river: Any = self.model  # whose types say dictionaries
        river.u_latents, river.u_biases = self._users[:, :-1], self._users[:, -1]
        river.i_latents, river.i_biases = self._items[:, :-1], self._items[:, -1]


@kernel
def _with_one(table, rows):
    """Vectors of these rows, zero where there is none, and behind each a 1, which the bias is multiplied with."""
    vectors = np.zeros((len(rows), table.shape[1]), np.float32)
    for n in range(len(rows)):
        if 0 <= rows[n] < len(table):
            vectors[n] = table[rows[n]]
        vectors[n, -1] = 1
    return vectors


def _packed(table: Floats, known: Mask) -> State:
    rows = np.flatnonzero(known).astype(np.int32)
    return {"rows": rows, "vectors": table[rows]}


def _unpacked(entries: State) -> tuple[Floats, Mask]:
    rows = entries["rows"].astype(np.int32)
    table = np.zeros((int(rows.max(initial=-1)) + 1, entries["vectors"].shape[1]), np.float32)
    known = np.zeros(len(table), np.bool_)
    table[rows], known[rows] = entries["vectors"], True
    return table, known
