"""The only door for consumers: recommend for a batch, test a micro-batch, learn from it.

1. Every expert reads the windows (`Expert.read`).
2. Their proposals make the candidates (`candidates`).
3. The mixture weighs the experts (`mixture`), in the context of each query (`context`).
4. The ranker makes one list of it (`features`, `ranker`), and the reasons with it (`reasons`).

`recommend` and `test` are pure. `learn` takes what `test` gave, so that mixture and ranker learn from exactly the
scores that were tested, then the experts learn: state changes there, in `stock`, which takes what the items topic
tells, and in `forget_*`, nowhere else.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from zlib import crc32

import numpy as np

from models.base import PAIRS, Events, Expert, Floats, Mask, Progress, Queries, Reading, Rows
from models.gaps import Gaps
from models.items import Counts, ItemStatistics
from models.kinds import KindStatistics
from models.metrics import MISS
from models.ranking.candidates import union
from models.ranking.context import EVIDENCE_COLUMNS, WIDTH, contexts
from models.ranking.features import count, features
from models.ranking.mixture import Mixture
from models.ranking.ranker import Ranker
from models.ranking.reasons import REASONS, Reasons, contributions, source_groups, strongest
from models.ranking.residuals import Residuals
from models.ranking.silence import silenced
from models.tables import rise
from stream.events import Item
from stream.kernels import kernel
from stream.snapshots import State, nest, pick

_STALE, _STALEST = 4_000, 1_000
"""One event in so many of those learned may be learned late; in the second so many where not everything is trained on.

On a stream of 9,000 news reads, runs of 32 cost a third of NDCG@10; one in 1,000 costs 3 % there, and less than 1 % in
shops, music and travel.
"""

_MILESTONES = 4_096  # events: a few batches, so that a follower is mostly between the same two; costs 0.1 ms


@dataclass(frozen=True, slots=True)
class Scored:
    """B queries and everything said about their C candidates; `sizes` (B,) are the candidates that are not padding."""

    queries: Queries
    readings: tuple[Reading, ...]
    candidates: Rows  # (B, C)
    sizes: Rows  # (B,)
    raw: Floats  # (B, C, K)
    x: Floats  # (B, X)
    mixture: Floats  # (B, C)
    parts: Floats  # (B, C, K)
    features: Floats  # (B, C, F)
    probabilities: Floats  # (B, C)
    weights: Floats  # (B, F)


@dataclass(frozen=True, slots=True)
class Tested:
    """B events, and how well each was foreseen.

    `targets` (B,) is the item's place among its candidates or -1; `ranks` (B, S) its rank, 0 the best, by each of the
    recommender's `scorers`, MISS where it was not found.
    """

    events: Events
    scored: Scored
    targets: Rows
    ranks: Rows


@dataclass(frozen=True, slots=True)
class Lists:
    """The k best items of B queries: rows and probabilities (B, k), -1 behind the last, and the reasons."""

    rows: Rows
    scores: Floats
    reasons: Reasons


class Milestone(NamedTuple):
    """A checksum of what mixture and ranker have learned, taken when `events` had been learned from.

    Everything that the experts say goes into what those two learn. So two states that have learned the same have the
    same milestones, and two that differ anywhere that matters differ soon there too.
    """

    events: int
    checksum: int


class Recommender:
    """Experts, mixture and ranker as one.

    Parameters
    ----------
    experts
        Their names, and those of their columns, must be distinct.
    silent
        Names of what mixture and ranker are not told, to measure what it is worth; see `ranking.silence`.
    """

    def __init__(self, experts: Sequence[Expert], silent: Collection[str] = ()) -> None:
        self._experts = tuple(experts)
        self._columns = tuple(column.name for expert in experts for column in expert.columns)
        self.scorers = (*self._columns, "mixture", "list")
        """What is ranked in a test: every expert column, the mixture, and the final list."""
        self.sources = (*self._columns, *source_groups())
        """What a reason can name."""
        owners = [n for n, expert in enumerate(experts) for _ in expert.columns]
        self._owners = np.array([*owners, *(-1 for _ in source_groups()), -1], np.int32)  # by source; the last: none
        self._lanes = np.array([lane for expert in experts for lane in range(len(expert.columns))], np.int32)
        self._silent_x, self._silent = silenced(silent)
        self._items = ItemStatistics()
        self._mixture = Mixture(len(self._columns), WIDTH)
        self._ranker = Ranker(count(len(self._columns)), WIDTH)
        self._residuals = Residuals()
        self._gaps = Gaps()
        self._kinds = KindStatistics()
        self.events_learned = 0
        self.updates_dropped = 0
        self.milestone: Milestone | None = None  # no part of the state: the last one met since

    def progress(self) -> dict[str, Progress]:
        """How the training of those experts goes that are trained, by name."""
        return {expert.name: expert.progress for expert in self._experts if expert.progress is not None}

    def score(self, queries: Queries) -> Scored:
        """Take steps 1 to 4 for B queries, without reasons. Pure."""
        readings = tuple(expert.read(queries) for expert in self._experts)
        candidates = union(_side_by_side([reading.propose() for reading in readings]), queries.barred)
        sizes = (candidates >= 0).sum(axis=1).astype(np.int32)
        raw = _columns_together([reading.score(candidates) for reading in readings])
        x = contexts(queries, self._items, self._evidence(readings, len(queries)))
        x[:, self._silent_x] = 0
        mixture, parts = self._mixture.predict(raw, sizes, x)
        pairs = _pairs(readings, candidates, mixture)
        told = np.stack([self._residuals.of(candidates), self._gaps.of(queries.windows, candidates)], axis=-1)
        feats = features(queries, candidates, raw, mixture, pairs, told, self._items, self._kinds.returns())
        feats[:, :, self._silent] = 0
        probabilities, weights = self._ranker.predict(feats, sizes, x, queries.windows.users)
        return Scored(queries, readings, candidates, sizes, raw, x, mixture, parts, feats, probabilities, weights)

    def recommend(self, queries: Queries, k: int) -> Lists:
        """Return the `k` best items of each query, with reasons. Pure."""
        scored = self.score(queries)
        order: Rows = _best(scored.probabilities, min(k, scored.probabilities.shape[1]))
        rows = np.full((len(queries), k), -1, np.int32)
        scores = np.zeros((len(queries), k), np.float32)
        rows[:, : order.shape[1]] = np.take_along_axis(scored.candidates, order, axis=1)
        scores[:, : order.shape[1]] = np.take_along_axis(scored.probabilities, order, axis=1)
        return Lists(rows, scores, self._reasons(scored, order, rows))

    def test(self, events: Events, queries: Queries) -> Tested:
        """Rank each event's item among the candidates of the window just before it. Pure."""
        scored = self.score(queries)
        found = scored.candidates == events.items[:, None]
        targets = np.where(found.any(axis=1), found.argmax(axis=1), -1).astype(np.int32)
        ranks = _ranks(targets, scored.sizes, scored.raw, scored.mixture, scored.probabilities)
        return Tested(events, scored, targets, ranks)

    def met(self, items: Rows) -> Counts:
        """How often each of these items (n,) has been learned from."""
        return self._items.times_met(items)

    def learn(self, tested: Tested) -> None:
        """Mixture and ranker learn from the test, then every expert from the events."""
        events, scored = tested.events, tested.scored
        self.updates_dropped += self._mixture.learn(scored.raw, scored.sizes, scored.x, tested.targets, events.weights)
        self.updates_dropped += self._ranker.learn(
            scored.features, scored.sizes, scored.x, events.before.users, tested.targets, events.weights
        )
        self._residuals.learn(scored.candidates, scored.sizes, scored.probabilities, tested.targets, events.weights)
        for expert in self._experts:
            expert.learn(events)
        self._items.learn(events)
        self._gaps.learn(events)
        self._kinds.learn(events)
        self.events_learned += len(events)
        if (self.events_learned - 1) % _MILESTONES < len(events):  # after the first one, so that there is one at once
            self.milestone = Milestone(self.events_learned, self._checksum())

    def stock(self, rows: Rows, items: Sequence[Item]) -> None:
        """Take note of what is known of N items from now on, in order."""
        for expert in self._experts:
            expert.stock(rows, items)

    def forget_items(self, dead: Mask) -> None:
        """Remove every trace of the marked item rows."""
        self._items.forget_items(dead)
        self._residuals.forget_items(dead)
        self._gaps.forget_items(dead)
        for expert in self._experts:
            expert.forget_items(dead)

    def forget_users(self, dead: Mask) -> None:
        """Remove every trace of the marked user rows."""
        self._ranker.forget_users(dead)
        for expert in self._experts:
            expert.forget_users(dead)

    def state(self) -> State:
        """Copy everything that decides future lists."""
        state: State = {"events_learned": np.array([self.events_learned, self.updates_dropped], np.int64)}
        state |= nest("items", self._items.state())
        state |= nest("mixture", self._mixture.state())
        state |= nest("ranker", self._ranker.state())
        state |= nest("residuals", self._residuals.state())
        state |= nest("gaps", self._gaps.state())
        state |= nest("kinds", self._kinds.state())
        for expert in self._experts:
            state |= nest(expert.name, expert.state())
        return state

    def restore(self, state: State) -> None:
        """Take back what `state` gave."""
        self.milestone = None
        self.events_learned, self.updates_dropped = (int(count) for count in state["events_learned"])
        self._items.restore(pick("items", state))
        self._mixture.restore(pick("mixture", state))
        self._ranker.restore(pick("ranker", state))
        self._residuals.restore(pick("residuals", state))
        self._gaps.restore(pick("gaps", state))
        self._kinds.restore(pick("kinds", state))
        for expert in self._experts:
            expert.restore(pick(expert.name, state))

    def _checksum(self) -> int:
        checksum = 0
        for table in (*self._mixture.shared().values(), *self._ranker.shared().values()):
            checksum = crc32(table.tobytes(), checksum)
        return checksum

    def _evidence(self, readings: Sequence[Reading], queries: int) -> Floats:
        """Mass (B, 3) of evidence behind the context's columns; 0 for a column that is not there."""
        evidence = np.zeros((queries, len(EVIDENCE_COLUMNS)), np.float32)
        for place, name in enumerate(EVIDENCE_COLUMNS):
            if name in self._columns:
                column = self._columns.index(name)
                mass = readings[self._owners[column]].mass()
                if mass is not None:
                    evidence[:, place] = mass[:, self._lanes[column]]
        return evidence

    def _reasons(self, scored: Scored, order: Rows, rows: Rows) -> Reasons:
        """Reasons of the items at the places `order` (B, n) of the candidates, shaped as `rows` (B, k)."""
        queries, k = rows.shape
        shown = rows[:, : order.shape[1]]
        b, n = np.nonzero(shown >= 0)
        asked, items = b.astype(np.int32), shown[b, n]
        terms = contributions(scored.features, scored.weights, scored.parts, asked, order[b, n])
        sources, shares = strongest(terms)
        owners = self._owners[sources]
        because = np.full((len(b), REASONS, 2), -1, np.int32)
        for owner, reading in enumerate(scored.readings):
            entry, reason = np.nonzero(owners == owner)
            lanes = self._lanes[sources[entry, reason]]
            because[entry, reason] = reading.because(asked[entry], lanes, items[entry])
        result = Reasons(
            np.full((queries, k, REASONS), -1, np.int32),
            np.zeros((queries, k, REASONS), np.float32),
            np.full((queries, k, REASONS, 2), -1, np.int32),
        )
        result.sources[b, n], result.shares[b, n], result.because[b, n] = sources, shares, because
        return result


def micro_batches(size: int, most: int, learned: int, share: float = 1.0) -> Iterator[slice]:
    """Cut `size` events into runs of at most `most`, and of at most one event in `_STALE` of all `learned` before.

    The models are as stale as a run is long. In a young stream each event says much, and it is learned alone. Whoever
    trains on a `share` of the events only has more to do than time for it: then runs are longer, down to `_STALEST`.
    """
    allowed = max(_STALEST, round(_STALE * share))
    start = 0
    while start < size:
        stop = min(size, start + min(most, max(1, (learned + start) // allowed)))
        yield slice(start, stop)
        start = stop


def _side_by_side(proposals: Sequence[Rows]) -> Rows:
    """Proposals (B, E, P) of all experts as one (B, K, P), padded to the widest."""
    columns = np.cumsum([0, *(block.shape[1] for block in proposals)])
    together = np.full((len(proposals[0]), columns[-1], max(block.shape[2] for block in proposals)), -1, np.int32)
    for first, block in zip(columns, proposals, strict=False):
        together[:, first : first + block.shape[1], : block.shape[2]] = block
    return together


def _columns_together(blocks: Sequence[Floats]) -> Floats:
    """Scores (B, C, E) of all experts as one (B, C, K). NumPy moves runs as short as these one by one."""
    queries, width, _ = blocks[0].shape
    together = np.empty((queries, width, sum(block.shape[2] for block in blocks)), np.float32)
    _put(tuple(np.ascontiguousarray(block) for block in blocks), together)
    return together


@kernel
def _put(blocks, together):
    for b in range(together.shape[0]):
        first = 0
        for block in blocks:
            for c in range(block.shape[1]):
                for e in range(block.shape[2]):
                    together[b, c, first + e] = block[b, c, e]
            first += block.shape[2]


@kernel
def _best(values, k):
    """Places of the k largest of each row, ties in order: (B, k)."""
    best = np.empty((len(values), k), np.int32)
    found = np.empty(k, np.float32)
    for b in range(len(values)):
        for c in range(values.shape[1]):
            if c < k or values[b, c] > found[k - 1]:
                rise(best[b], found, min(c, k - 1), c, values[b, c])
    return best


def _pairs(readings: Sequence[Reading], candidates: Rows, likely: Floats) -> Floats:
    """Ask every expert that counts pairs what they tell of the candidates: (B, C, PAIRS)."""
    pairs = np.zeros((*candidates.shape, PAIRS), np.float32)
    for reading in readings:
        part = reading.pairs(candidates, likely)
        if part is not None:
            pairs += part
    return pairs


@kernel
def _rank(scores, size, target):
    """Rank of `target`, ties against it; MISS without evidence or when its score is not a number."""
    mine = scores[target]
    if not (np.isfinite(mine) and mine > 0):
        return MISS
    rank = 0
    for c in range(size):
        rank += c != target and not scores[c] < mine
    return rank


@kernel
def _ranks(targets, sizes, raw, mixture, probabilities):
    experts = raw.shape[2]
    ranks = np.full((len(targets), experts + 2), MISS, np.int32)
    for b in range(len(targets)):
        if targets[b] < 0:
            continue
        for k in range(experts):
            ranks[b, k] = _rank(raw[b, :, k], sizes[b], targets[b])
        ranks[b, experts] = _rank(mixture[b], sizes[b], targets[b])
        ranks[b, experts + 1] = _rank(probabilities[b], sizes[b], targets[b])
    return ranks
