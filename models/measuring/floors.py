"""Floors: ten ways of plain counting that a learned recommender must clear, or it is not worth its cost.

Each ranks the whole catalogue for every event of a stream, from what was counted before it. As in every test here a
score that is not above 0 is a miss, ties count against, and where items are never offered twice (`unseen`) the user's
earlier items are not in the ranking.

- Popularity with a half-life: ``pop[i]``, the events of item i, each fading.
- Co-visitation with a prior: ``sum_{j<W} d^j C[h_j, i] / (n[h_j]^a + 5) + b pop[i] / sum(pop)``, h_j being the user's
  last items, newest first. Learning an event of item t adds ``d^j`` to ``C[h_j, t]`` and to ``n[h_j]``, and where it
  counts both ways to ``C[t, h_j]`` and ``n[t]``; pop has a half-life of 3 days.
- Own items: ``sum_{j<50} .9^j [h_j = i]``; not where items are never offered twice.

Nothing is bounded: this is for measuring, on a stream that ends. An event costs the rows of the user's last W items and
the logarithm of the catalogue; memory is about 32 bytes for each pair of items that met.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from models.measuring.pairs import ALL, add, add_row, pool_of
from models.measuring.streams import Stream
from models.metrics import MISS, Ranks
from stream.kernels import kernel

HOUR_S, DAY_S = 3_600.0, 86_400.0
_LARGEST_EXPONENT = 60.0
_SMOOTHING = 5.0
_LEAST_MASS = 1e-9


class Floor(Protocol):
    """One baseline."""

    def ranks(self, stream: Stream, *, unseen: bool) -> Ranks:
        """Rank of each event's item (n,), just before the event was counted."""


@dataclass(frozen=True, slots=True)
class Counting:
    """Co-visitation from the last `window` items, with popularity as a prior; without a window popularity alone."""

    window: int = 0
    decay: float = 1.0
    discount: float = 1.0
    prior: float = 1.0
    half_life_s: float = 3 * DAY_S
    both_ways: bool = False

    def ranks(self, stream: Stream, *, unseen: bool) -> Ranks:
        """See Floor."""
        result: Ranks = _count(
            *stream, self.window, self.decay, self.discount, self.prior, self.half_life_s, self.both_ways, unseen
        )
        return result


@dataclass(frozen=True, slots=True)
class OwnItems:
    """The user's own last `window` items, recent ones first."""

    window: int = 50
    decay: float = 0.9

    def ranks(self, stream: Stream, *, unseen: bool) -> Ranks:
        """See Floor."""
        result: Ranks = _return(stream.users, stream.items, self.window, self.decay)
        return result


def floors(*, unseen: bool) -> dict[str, Floor]:
    """All baselines by name."""
    own: dict[str, Floor] = {} if unseen else {"own_items": OwnItems()}
    return {
        "popularity_6h": Counting(half_life_s=6 * HOUR_S),
        "popularity_1d": Counting(half_life_s=DAY_S),
        "popularity_7d": Counting(half_life_s=7 * DAY_S),
        "popularity_10y": Counting(half_life_s=3650 * DAY_S),
        **own,
        "covisitation_1": Counting(1, 1.0, 1.0, 0.1),
        "covisitation_5": Counting(5, 0.8, 0.7, 0.3),
        "covisitation_10": Counting(10, 0.8, 0.7, 1.0),
        "covisitation_20": Counting(20, 0.9, 1.0, 0.5),
        "covisitation_20_both_ways": Counting(20, 0.9, 0.7, 0.5, both_ways=True),
    }


@kernel
def _count(users, items, times_ms, window, decay, discount, prior, half_life_s, both_ways, unseen):
    catalogue, rate = items.max() + 1, np.log(2.0) / half_life_s
    ranks = np.full(len(items), MISS, np.int32)
    last = np.full((users.max() + 1, max(window, 1)), -1, np.int32)
    # Events in which the user had an item first: each one's predecessor, and the newest of each user.
    had, newest = np.full(len(items), -1, np.int64), np.full(users.max() + 1, -1, np.int64)
    had_at = np.full(catalogue, -1, np.int64)
    popularity, mass, origin_s = np.zeros(catalogue), 0.0, times_ms[0] / 1000
    order, place = np.arange(catalogue), np.arange(catalogue)  # items by popularity, and where each of them is
    pool, norms = pool_of(catalogue), np.zeros(catalogue)
    scores, touched = np.zeros(catalogue + 1), np.empty(catalogue + 1, np.int32)
    scores[catalogue] = 1
    for n in range(len(items)):
        user, item, passed_s = users[n], items[n], times_ms[n] / 1000 - origin_s
        if passed_s * rate > _LARGEST_EXPONENT:
            popularity *= np.exp(-passed_s * rate)
            mass *= np.exp(-passed_s * rate)
            origin_s += passed_s
            passed_s = 0.0
        event = newest[user]
        while event >= 0:
            had_at[items[event]] = n
            event = had[event]

        count = _score(pool, norms, last[user, :window], decay, discount, scores, touched)
        popular = prior / (_LEAST_MASS + mass)
        mine = scores[item] + popular * popularity[item]
        if 0 < mine < np.inf:
            if count == ALL:
                ranks[n] = _rank_among_all(item, mine, scores, popularity, popular, had_at, n)
            else:
                ranks[n] = _rank_by_popularity(item, mine, order, popularity, popular, newest[user], had, items)
                ranks[n] += _overtaken(item, mine, touched[:count], scores, popularity, popular, had_at, n)
        if count == ALL:
            scores[:catalogue] = 0
        else:
            scores[touched[:count]] = 0

        pool = _learn(pool, norms, last[user, :window], item, decay, both_ways)
        last[user, 1:] = last[user, :-1].copy()
        last[user, 0] = item
        if unseen and had_at[item] != n:
            had[n], newest[user] = newest[user], n
        gain = np.exp(rate * passed_s)
        popularity[item] += gain
        mass += gain
        _raise(item, popularity, order, place)
    return ranks


@kernel
def _score(pool, norms, last, decay, discount, scores, touched):
    """Add up what met the items of `last`; return how many items that touches."""
    count = 0
    for j in range(len(last)):
        if last[j] >= 0:
            weight = decay**j / (norms[last[j]] ** discount + _SMOOTHING)
            count = add_row(pool, last[j], weight, scores, touched, count)
    return count


@kernel
def _learn(pool, norms, last, item, decay, both_ways):
    """Count that `item` met those of `last`; return the pool to go on with."""
    for j in range(len(last)):
        if last[j] >= 0:
            pool = add(pool, last[j], item, decay**j)
            norms[last[j]] += decay**j
            if both_ways:
                pool = add(pool, item, last[j], decay**j)
                norms[item] += decay**j
    return pool


@kernel
def _rank_among_all(item, mine, scores, popularity, popular, had_at, n):
    """How many others have a score of at least `mine`, asking each."""
    rank = 0
    for other in range(len(popularity)):
        rank += (scores[other] + popular * popularity[other] >= mine) & (had_at[other] != n) & (other != item)
    return rank


@kernel
def _rank_by_popularity(item, mine, order, popularity, popular, event, had, items):
    """How many others would have a score of at least `mine` for their popularity alone, had nobody been touched."""
    low, high = 0, len(order)
    while low < high:
        middle = (low + high) // 2
        if popular * popularity[order[middle]] >= mine:
            low = middle + 1
        else:
            high = middle
    rank = low - (popular * popularity[item] >= mine)
    while event >= 0:
        rank -= items[event] != item and popular * popularity[items[event]] >= mine
        event = had[event]
    return rank


@kernel
def _overtaken(item, mine, touched, scores, popularity, popular, had_at, n):
    """How many more others have a score of at least `mine`, as they were touched."""
    more = 0
    for other in touched:
        if other != item and had_at[other] != n:
            by_popularity = popular * popularity[other]
            more += (scores[other] + by_popularity >= mine) - (by_popularity >= mine)
    return more


@kernel
def _raise(item, popularity, order, place):
    """Move an item up to its place in the order by falling popularity."""
    here = place[item]
    while here > 0 and popularity[order[here - 1]] < popularity[item]:
        order[here] = order[here - 1]
        place[order[here]] = here
        here -= 1
    order[here], place[item] = item, here


@kernel
def _return(users, items, window, decay):
    ranks = np.empty(len(items), np.int32)
    last = np.full((users.max() + 1, window), -1, np.int32)
    scores, scored_at = np.zeros(items.max() + 1), np.full(items.max() + 1, -1)
    own = np.empty(window, np.int32)
    for n in range(len(items)):
        user, item = users[n], items[n]
        some = 0
        for j in range(window):
            other = last[user, j]
            if other < 0:
                break
            if scored_at[other] != n:
                scored_at[other] = n
                scores[other] = 0
                own[some] = other
                some += 1
            scores[other] += decay**j
        ranks[n] = MISS
        if scored_at[item] == n:
            ranks[n] = (scores[own[:some]] >= scores[item]).sum() - 1
        last[user, 1:] = last[user, :-1].copy()
        last[user, 0] = item
    return ranks
