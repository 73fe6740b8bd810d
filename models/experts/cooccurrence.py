"""Who goes with whom, learned by counting.

When a user meets an item t, each of the user's last items q meets it too. The row of q then counts t, the row of t
counts q (`neighbours`), each with several weights at once: by position in the window, by time between the two, forwards
only or both ways. A `Readout` defines one such weight and how it is read back as a score; `transitions`, `covisitation`
and `bursts` hold the readouts, which share one table, its learning loop and its scan.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.base import PAIRS, Column, Events, Expert, Floats, Mask, Queries, Reading, Rows
from models.experts.evidence import Evidence
from models.experts.neighbours import Neighbours
from models.tables import rise
from stream.kernels import kernel
from stream.snapshots import State
from stream.windows import WindowView

_Places = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]

_NOTHING = -1
_LARGEST_EXPONENT = 40.0
"""Of growing weights: e^40 times a billion meetings is far inside single precision."""

_NEAR = 20  # window items whose pairs with the candidates are looked at
_BY_POSITION = np.float32(0.9) ** np.arange(_NEAR, dtype=np.float32)
_LEAST = 1e-3  # of bursts: weights below would cost as much as others
_LIKELIEST = 10  # candidates whose pairs with the others are looked at


class Readout(ABC):
    """One way to weigh a meeting, and to read the weights back as a score.

    The score of item i is ``sum_j weight(j) * counter[h_j, i] * factor(norm[i])`` over the window's items h_j.
    `positions` (n,) are the j, newest 0; `ages_s` (n,) are seconds between h_j and the event or query, of n entries of
    any windows.
    """

    column: Column
    prior: float = 0.0
    """See `evidence`; 0 where counters fade, as their unit then changes with time."""

    half_life_s: float | None = None
    """Half-life of the counters, or None when they never fade."""

    @abstractmethod
    def meeting(self, positions: Floats, ages_s: Floats) -> tuple[Floats, Floats, Floats]:
        """Say what a meeting adds (n,): to the later item in the earlier one's row, the other way, to both norms."""

    @abstractmethod
    def weight(self, positions: Floats, ages_s: Floats, norms: Floats) -> Floats:
        """Weight (n,) of each window item's row, given that item's norm."""

    def factor(self, norms: Floats) -> Floats | None:
        """Factor (n,) of each scored item, given its norm; None for 1."""
        return None


class Cooccurrence(Expert):
    """All readouts over one `table`.

    Parameters
    ----------
    readouts
        Each is one column.
    width
        Neighbours kept for an item at most.
    depth
        Newest window items that are read and learned from, D below; at most 256.
    seed
        Of the sampling in full rows.
    told_by
        Names of three columns, with which readings say all that `Reading.pairs` promises, and only the first number
        without: of followers, of the same counts both ways, and of bursts.
    """

    name = "cooccurrence"

    def __init__(
        self,
        readouts: Sequence[Readout],
        width: int = 1024,
        depth: int = 100,
        seed: int = 0,
        told_by: tuple[str, str, str] | None = None,
    ) -> None:
        self._readouts = tuple(readouts)
        self.columns = tuple(readout.column for readout in readouts)
        names = [column.name for column in self.columns]
        self._told_by = None if told_by is None else [names.index(name) for name in told_by]
        self._priors = [readout.prior for readout in readouts]
        self._depth = depth
        self.table = Neighbours(len(readouts), width, seed)
        self._origin_ms = np.full(len(readouts), _NOTHING, np.int64)

    def read(self, queries: Queries) -> Reading:
        """See Expert."""
        items, entries, positions, ages_s = self._window(queries.windows)
        norms = self.table.norms(items[entries])
        weights = np.zeros((*items.shape, len(self._readouts)), np.float32)
        weights[entries] = np.stack(
            [r.weight(positions, ages_s, norms[:, lane]) for lane, r in enumerate(self._readouts)], axis=1
        )
        starts, rows, scores = self.table.scan(items, weights, queries.starts, queries.excluded)
        norms = self.table.norms(rows)
        for lane, readout in enumerate(self._readouts):
            factor = readout.factor(norms[:, lane])
            if factor is not None:
                scores[:, lane] *= factor

        def because(queries: Rows, columns: Rows, rows: Rows) -> Rows:
            return self.table.strongest(queries, columns, rows, items, weights)

        def pairs(candidates: Rows, likely: Floats) -> Floats:
            near = items[:, :_NEAR]
            by_position = np.broadcast_to(_BY_POSITION[: near.shape[1]], near.shape)
            said = np.zeros((*candidates.shape, PAIRS), np.float32)
            met = self.table.together(near, candidates)
            said[:, :, 0] = self.table.lift(met, by_position, least=1)
            if self._told_by is not None:
                followers, companions, burst = self._told_by
                in_burst = np.zeros(items.shape, np.float32)
                in_burst[entries] = self._readouts[burst].meeting(positions, ages_s)[0]
                in_burst[in_burst < _LEAST] = 0
                said[:, :, 1] = self.table.lift(met, in_burst[:, :_NEAR], least=0.5, lane=burst)
                said[:, :, 2] = self.table.precedence(met, by_position, followers, companions)
                others, shares = _likeliest(candidates, likely, _LIKELIEST)
                said[:, :, 3] = self.table.precedence(
                    self.table.together(others, candidates), shares, followers, companions
                )
            return said

        return Evidence(self.columns, self._priors, starts, rows, scores, because, pairs)

    def learn(self, events: Events) -> None:
        """See Expert."""
        if not len(events):
            return
        items, entries, positions, ages_s = self._window(events.before)
        forward = np.zeros((*items.shape, len(self._readouts)), np.float32)
        mirrored, norm = np.zeros_like(forward), np.zeros_like(forward)
        gains = [
            (readout.meeting(positions, ages_s), self._fading(lane, readout, events.before.now_ms)[entries[0]])
            for lane, readout in enumerate(self._readouts)
        ]
        forward[entries] = np.stack([later * scale for (later, _, _), scale in gains], axis=1)
        mirrored[entries] = np.stack([earlier * scale for (_, earlier, _), scale in gains], axis=1)
        norm[entries] = np.stack([both for (_, _, both), _ in gains], axis=1)
        self.table.meet(items, events.items, events.weights, forward, mirrored, norm)

    def forget_items(self, dead: Mask) -> None:
        """See Expert."""
        self.table.forget(dead)

    def forget_users(self, dead: Mask) -> None:
        """Do nothing: counts of items hold no user."""

    def state(self) -> State:
        """See Expert."""
        return {**self.table.state(), "origin_ms": self._origin_ms.copy()}

    def restore(self, state: State) -> None:
        """See Expert."""
        self.table.restore(state)
        self._origin_ms = state["origin_ms"].astype(np.int64)

    def _window(self, windows: WindowView) -> tuple[Rows, _Places, Floats, Floats]:
        """Newest item rows, as many as the longest window needs (B, D), and where in them the n entries stand.

        Then positions and ages in seconds (n,) of these. Most windows are far shorter than the longest.
        """
        longest = int(windows.lengths.max(initial=0))
        deep = min(self._depth, max(longest, 1))
        items = windows.items[:, :deep]
        owners, positions = np.nonzero(items >= 0)
        ages = np.maximum(windows.now_ms[owners] - windows.times_ms[owners, positions], 0)
        return items, (owners, positions), positions.astype(np.float32), (ages / 1000).astype(np.float32)

    def _fading(self, lane: int, readout: Readout, now_ms: npt.NDArray[np.int64]) -> Floats:
        """Weight (B,) that grows with time where counters should fade: the same ratios, and no sweep an event.

        Before the weights grow out of range, all counters are brought to the new origin.
        """
        if readout.half_life_s is None:
            return np.ones(len(now_ms), np.float32)
        rate = np.log(2.0) / readout.half_life_s / 1000
        if self._origin_ms[lane] == _NOTHING:
            self._origin_ms[lane] = now_ms[0]
        newest = int(now_ms.max())
        passed = (newest - self._origin_ms[lane]) * rate
        if passed > _LARGEST_EXPONENT:
            self.table.fade(lane, np.exp(-passed))
            self._origin_ms[lane] = newest
        scale: Floats = np.exp((now_ms - self._origin_ms[lane]) * rate).astype(np.float32)
        return scale


@kernel
def _likeliest(candidates, likely, most):
    """Find the likeliest of candidates (B, C): item rows, -1 behind the last, and how likely, (B, most) each."""
    rows = np.full((len(candidates), most), -1, np.int32)
    values = np.zeros((len(candidates), most), np.float32)
    for b in range(len(candidates)):
        for c in range(candidates.shape[1]):
            if candidates[b, c] >= 0 and likely[b, c] > values[b, most - 1]:
                rise(rows[b], values[b], most - 1, candidates[b, c], likely[b, c])
    return rows, values
