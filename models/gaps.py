"""After how long a gap an item is met: which items begin a visit, and which come in the middle of one.

The gap is the time since the user's event before, ``g = log(1 + seconds)``. The gaps before an item i are taken to be
normal, of mean and variance as in about the newest 1,000 (of all items 100,000), and five more such as all items have;
the log likelihood ratio ``log N(g; m_i, v_i) - log N(g; m, v)`` says how much likelier than another item i is met after
a gap g: one variable of naive Bayes. v_i is at least .05 v, and the ratio within 5 of 0. The next of a page or an album
hardly ever comes after an hour; what people come for does.

Bytes: 12 an item row; O(C) a query.
"""

import numpy as np

from models.base import Events, Floats, Mask, Rows
from models.elementary import log1p32, log32
from models.tables import dead_rows, grown
from stream.kernels import kernel
from stream.snapshots import State
from stream.windows import WindowView

_GAPS, _MEAN, _VARIANCE = range(3)
_NEWEST, _NEWEST_OF_ALL = np.float32(1_000), np.float32(100_000)  # gaps that count, about
_PRIOR = np.float32(5)  # gaps
_NARROWEST, _LEAST = np.float32(0.05), np.float32(1e-4)  # of the variance of all, at least
_SUREST = np.float32(5)


class Gaps:
    """Number, mean and variance of the gaps before each item, by item row, and before all of them."""

    def __init__(self) -> None:
        self._own = np.zeros((0, 3), np.float32)
        self._all = np.zeros(3, np.float32)

    def of(self, windows: WindowView, candidates: Rows) -> Floats:
        """Log likelihood ratios of candidates (B, C), within 5 of 0; 0 for padding, new items and new users."""
        result: Floats = _of(windows.times_ms, windows.lengths, windows.now_ms, candidates, self._own, self._all)
        return result

    def learn(self, events: Events) -> None:
        """Count the gap before each event of a user met before."""
        before = events.before
        self._own = grown(self._own, int(events.items.max(initial=-1)) + 1)
        _learn(events.items, before.times_ms, before.lengths, before.now_ms, self._own, self._all)

    def forget_items(self, dead: Mask) -> None:
        """Bring the marked items back to the start."""
        self._own[dead_rows(dead, len(self._own))] = 0

    def state(self) -> State:
        """Copy the rows up to the last with a gap, and what is known of all."""
        rows = 1 + int(np.flatnonzero(self._own[:, _GAPS]).max(initial=-1))
        return {"own": self._own[:rows].copy(), "all": self._all.copy()}

    def restore(self, state: State) -> None:
        """Take back what `state` gave."""
        self._own, self._all = state["own"].astype(np.float32), state["all"].astype(np.float32)


@kernel
def _gap(times_ms, now_ms):
    return log1p32(np.float32(max(now_ms - times_ms[0], 0) / 1000))


@kernel
def _of(times_ms, lengths, now_ms, candidates, own, every):
    result = np.zeros(candidates.shape, np.float32)
    variance = every[_VARIANCE] + _LEAST
    for b in range(len(lengths)):
        if lengths[b] == 0:
            continue
        apart = _gap(times_ms[b], now_ms[b]) - every[_MEAN]
        for c in range(candidates.shape[1]):
            if 0 <= candidates[b, c] < len(own) and own[candidates[b, c], _GAPS] > 0:
                result[b, c] = _ratio(apart, variance, own[candidates[b, c]], every)
    return result


@kernel
def _ratio(apart, variance, own, every):
    """Log likelihood ratio of a gap that is `apart` from the mean of all gaps, which are of `variance`."""
    share = own[_GAPS] / (own[_GAPS] + _PRIOR)
    shift = own[_MEAN] - every[_MEAN]
    spread = variance + share * (own[_VARIANCE] - variance + (1 - share) * shift * shift)
    spread = max(spread, _NARROWEST * variance)
    likelier = apart**2 / variance - (apart - share * shift) ** 2 / spread - log32(spread / variance)
    return min(max(likelier / 2, -_SUREST), _SUREST)


@kernel
def _learn(items, times_ms, lengths, now_ms, own, every):
    for b in range(len(items)):
        if lengths[b] > 0:
            gap = _gap(times_ms[b], now_ms[b])
            _note(own[items[b]], gap, _NEWEST)
            _note(every, gap, _NEWEST_OF_ALL)


@kernel
def _note(moments, gap, newest):
    """Take a gap into number, mean and variance (3,)."""
    moments[_GAPS] = min(moments[_GAPS] + 1, newest)
    share = 1 / moments[_GAPS]
    apart = gap - moments[_MEAN]
    moments[_MEAN] += share * apart
    moments[_VARIANCE] = (1 - share) * (moments[_VARIANCE] + share * apart * apart)
