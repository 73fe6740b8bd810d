"""What is like what the user met: by attributes, and by the vectors of any encoder.

The other experts know an item by who met it. This one knows it by what is told of it (`catalogue`), so that an item
that nobody has met yet can be proposed at all. Two columns, each a cosine of an item with a profile of the window,
whose newest sixteen entries count ``.9^j``:

- like_attributes: over the attributes, each of weight ``log(1 + N) - log(1 + n)`` where n of the N items told of have
  it (inverse document frequency, Sparck Jones 1972);
- like_vector: over the vectors, each entry of the window of length 1.

Log feature: 8 times the cosine, where that is positive. Only fresh items that are published by then are proposed: of
all others the experts that count know more. Scored are all candidates.

Nothing is learned here; what these likenesses are worth is for mixture and ranker to learn. O(1024 * (A + D)) a query
for A attributes and D numbers an item.
"""

from collections.abc import Sequence

import numpy as np

from models.base import Column, Events, Expert, Floats, Mask, Queries, Reading, Rows
from models.catalogue import Catalogue
from models.experts.shortlist import best_listed
from stream.events import Item
from stream.kernels import kernel
from stream.snapshots import State

_NEWEST = 16
_BY_PLACE = 0.9 ** np.arange(_NEWEST, dtype=np.float32)
_SCALE = np.float32(8)
_ATTRIBUTES, _VECTOR = 0, 1
_COLUMNS = 2


class Content(Expert):
    """Two columns over a catalogue.

    Parameters
    ----------
    vector_length, seed
        See Catalogue.
    """

    name = "content"
    columns = (Column("like_attributes", 20), Column("like_vector", 20))

    def __init__(self, vector_length: int, seed: int = 1) -> None:
        self._catalogue = Catalogue(vector_length, seed)

    def read(self, queries: Queries) -> Reading:
        """See Expert."""
        return _Likeness(queries, self._catalogue)

    def learn(self, events: Events) -> None:
        """Do nothing: what is told of items is the state."""

    def stock(self, rows: Rows, items: Sequence[Item]) -> None:
        """See Expert."""
        self._catalogue.tell(rows, items)

    def forget_items(self, dead: Mask) -> None:
        """See Expert."""
        self._catalogue.forget_items(dead)

    def forget_users(self, dead: Mask) -> None:
        """Do nothing: there are no users in here."""

    def state(self) -> State:
        """See Expert."""
        return self._catalogue.state()

    def restore(self, state: State) -> None:
        """See Expert."""
        self._catalogue.restore(state)


class _Likeness(Reading):
    """Cosines with the profiles of the windows."""

    def __init__(self, queries: Queries, catalogue: Catalogue) -> None:
        self._queries, self._catalogue = queries, catalogue

    def propose(self) -> Rows:
        queries, fresh = self._queries, np.sort(self._catalogue.fresh)
        limits = np.array([column.proposals for column in Content.columns], np.int64)
        scores = self._cosines(np.tile(fresh, (len(queries), 1)))
        scores[self._catalogue.published_ms[fresh] > queries.windows.now_ms[:, None]] = 0  # not out yet
        best: Rows = best_listed(fresh, scores, limits, queries.starts, queries.excluded)
        return best

    def score(self, candidates: Rows) -> Floats:
        return self._cosines(candidates) * _SCALE

    def because(self, queries: Rows, columns: Rows, items: Rows) -> Rows:
        windows, told = self._queries.windows, self._catalogue
        positions: Rows = _most_like(
            queries, columns, items, windows.items, windows.lengths,
            told.attributes, told.log_holders, np.float32(np.log1p(len(told))), told.vectors,
        )  # fmt: skip
        return positions

    def _cosines(self, candidates: Rows) -> Floats:
        windows, told = self._queries.windows, self._catalogue
        cosines: Floats = _cosines(
            windows.items, windows.lengths, candidates,
            told.attributes, told.log_holders, np.float32(np.log1p(len(told))), told.vectors,
        )  # fmt: skip
        return cosines


@kernel
def _cosines(items, lengths, candidates, attributes, log_holders, log_told, vectors):
    """Cosines (B, C, 2) of the candidates with the profiles of the windows, 0 where they are not positive."""
    queries, width = candidates.shape
    cosines = np.zeros((queries, width, _COLUMNS), np.float32)
    profile = np.zeros(len(log_holders), np.float32)  # takes memory where it is written to
    direction = np.zeros(vectors.shape[1], np.int32)
    for b in range(queries):
        newest = min(lengths[b], _NEWEST)
        liked = _add_attributes(items[b, :newest], attributes, log_holders, log_told, profile)
        _set_direction(items[b, :newest], vectors, direction)
        length = _squares(direction)
        for c in range(width):
            item = candidates[b, c]
            if not 0 <= item < len(attributes):
                continue
            if liked > 0:
                shared, own = np.float32(0), np.float32(0)
                for a in attributes[item]:
                    if a < 0:
                        break
                    rarity = log_told - log_holders[a]
                    shared += rarity * profile[a]
                    own += rarity * rarity
                if shared > 0:
                    cosines[b, c, _ATTRIBUTES] = shared / np.sqrt(own * liked)
            if length > 0:
                met = np.int32(0)
                own_length = np.int32(0)
                for d in range(len(direction)):
                    number = np.int32(vectors[item, d])
                    met += number * direction[d]
                    own_length += number * number
                if met > 0:
                    cosines[b, c, _VECTOR] = met / np.sqrt(np.float64(own_length) * length)
        for j in range(newest):
            _clear(items[b, j], attributes, profile)
    return cosines


@kernel
def _add_attributes(items, attributes, log_holders, log_told, profile):
    """Add what the items of a window have to an empty `profile`; return its squared length."""
    for j in range(len(items)):
        if 0 <= items[j] < len(attributes):
            for a in attributes[items[j]]:
                if a >= 0:
                    profile[a] += _BY_PLACE[j] * (log_told - log_holders[a])
    squares = np.float32(0)
    for j in range(len(items)):  # the same once more, times what all of them have: the sum is that of the squares
        if 0 <= items[j] < len(attributes):
            for a in attributes[items[j]]:
                if a >= 0:
                    squares += _BY_PLACE[j] * (log_told - log_holders[a]) * profile[a]
    return squares


@kernel
def _clear(item, attributes, profile):
    if 0 <= item < len(attributes):
        for a in attributes[item]:
            if a >= 0:
                profile[a] = 0


@kernel
def _squares(numbers):
    total = np.int64(0)
    for number in numbers:
        total += np.int64(number) * number
    return total


@kernel
def _set_direction(items, vectors, direction):
    """Set `direction` to the mean direction of the items' vectors, in whole numbers up to 127."""
    mean = np.zeros(len(direction), np.float64)
    for j in range(len(items)):
        if 0 <= items[j] < len(vectors):
            length = _squares(vectors[items[j]])
            if length > 0:
                weight = _BY_PLACE[j] / np.sqrt(length)
                for d in range(len(mean)):
                    mean[d] += weight * vectors[items[j], d]
    most = 0.0
    for d in range(len(mean)):
        most = max(most, abs(mean[d]))
    for d in range(len(mean)):
        direction[d] = np.int32(np.rint(mean[d] / most * 127)) if most > 1e-9 else 0


@kernel
def _most_like(queries, columns, rows, items, lengths, attributes, log_holders, log_told, vectors):
    """Find the two window positions that speak most for each row, -1 where there is none: (N, 2)."""
    positions = np.full((len(rows), 2), -1, np.int32)
    for n in range(len(rows)):
        if not 0 <= rows[n] < len(attributes):
            continue
        first, second = 0.0, 0.0
        for j in range(min(lengths[queries[n]], _NEWEST)):
            met = items[queries[n], j]
            if not 0 <= met < len(attributes):
                continue
            likeness = 0.0
            if columns[n] == _VECTOR:
                length = np.sqrt(np.float64(_squares(vectors[met])))
                for d in range(vectors.shape[1]):
                    likeness += np.int32(vectors[rows[n], d]) * np.int32(vectors[met, d])
                likeness /= max(length, 1.0)
            else:
                for a in attributes[rows[n]]:
                    for other in attributes[met]:
                        if a == other and a >= 0:
                            likeness += (log_told - log_holders[a]) ** 2
            likeness *= _BY_PLACE[j]
            if likeness > first:
                first, second = likeness, first
                positions[n, 1], positions[n, 0] = positions[n, 0], j
            elif likeness > second:
                second = likeness
                positions[n, 1] = j
    return positions
