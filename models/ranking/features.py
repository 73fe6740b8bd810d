"""What the ranker sees of a candidate: the mixture, every expert, the item itself, and the user's history with it.

``F = 1 + 2 K + PLAIN`` features in this order:

- the mixture's log probability;
- the K experts' log features;
- K shares of the best, ``exp(feature - largest feature of any candidate)``, 0 where an expert says the same of all: a
  sum of logarithms lets every expert veto, a sum of shares lets each of them vote;
- seven numbers of the item: log age in hours, log idle minutes, log count, the log odds that an event with it is a
  return (`models.items`), count <= 2, how much oftener it is met than the lists foresee (`residuals`), and how much
  likelier than others it is met after such a gap (`models.gaps`);
- for items of the window, twelve of its newest place there (met, is the last, is the second last,
  1/sqrt(1 + position), log times met, log minutes since, and since within 1 min, 10 min, 1 h, 6 h, 1 d, 7 d), and five
  of coming back to it: the log odds once more, whether anybody ever did, and where somebody did, by how much the log
  seconds since differ from those that are usual, with and without the sign; and the log of how much oftener than others
  things are come back to after what was last done with this one (`models.kinds`);
- what pairs say: the item's log lift beside the window's items, ever and in one burst (`lift`), and its log precedence
  after these, and after the likeliest candidates (`precedence`).

Log odds are those of .001 more; other logarithms are of one plus the number. Numbers are scaled by .2 so that one
learning rate fits all; flags stay 0 or 1, and what is about 1 at most, as it is: the precedence after the likeliest
candidates, and the residual.
"""

import numpy as np

from models.base import PAIRS, Floats, Queries, Rows
from models.elementary import exp_all, log1p32, log1p_all
from models.items import COUNT, FIRST_MS, LAST_MS, RETURNS, ItemStatistics
from stream.kernels import kernel

SCALE = 0.2
MIX_FLOOR = 1e-6
_ITEM, _PLACE, _BACK = 7, 12, 5
_OWN = _PLACE + _BACK
PLAIN = _ITEM + _OWN + PAIRS
GROUPS = ("item_statistics",) * _ITEM + ("own_history",) * _OWN + ("lift", "lift", "precedence", "precedence")
"""What the plain features are called in reasons."""

_IN_BURST = _ITEM + _OWN + 1  # weighed by how long ago the window's items were met
TIMES = (0, 1, _ITEM - 1, *range(_ITEM + 5, _ITEM + _PLACE), *range(_ITEM + _PLACE + 2, _ITEM + _PLACE + 4), _IN_BURST)
"""Those of them that are spans of time."""

_OF_TOLD = np.array([1, SCALE], np.float32)
_OF_PAIRS = np.array([SCALE, SCALE, SCALE, 1], np.float32)  # the weights of the last add up to 1 at most
_LOGS = 4  # of the item's numbers, which come first; the last of them are the odds of a return
_LEAST_ODDS = 1e-3  # of returns
_LOG_LEAST_ODDS = np.float32(np.log(_LEAST_ODDS))
_FARTHEST = np.float32(6)  # from the usual pause, in logarithms
_RARE = np.float32(np.log1p(2.5))  # of counts up to 2 the logarithm is less

_SINCE_MINUTES = np.array([1.0, 10.0, 60.0, 360.0, 1_440.0, 10_080.0])


def count(experts: int) -> int:
    """F, the number of features where there are so many columns of experts."""
    return 1 + 2 * experts + PLAIN


def features(
    queries: Queries,
    candidates: Rows,
    raw: Floats,
    mixture: Floats,
    pairs: Floats,
    told: Floats,
    items: ItemStatistics,
    returns: Floats,
) -> Floats:
    """Features (B, C, F) from log features `raw` (B, C, K), the mixture (B, C) and `pairs` (B, C, PAIRS).

    `told` (B, C, 2) are residuals, and log likelihood ratios of gaps; `returns` (KINDS,) are those of kinds.
    """
    windows = queries.windows
    item_rows = int(max(candidates.max(initial=-1), windows.items.max(initial=-1))) + 1
    result: Floats = _features(
        candidates, raw, mixture, pairs * _OF_PAIRS, told * _OF_TOLD,
        windows.items, windows.times_ms, windows.kinds, windows.lengths, windows.now_ms,
        items.table, items.pauses, *items.prior(), returns, item_rows,
    )  # fmt: skip
    return result


@kernel
def _features(
    candidates, raw, mixture, pairs, told, items, times_ms, kinds, lengths, now_ms,
    table, pauses, prior_returns, prior_events, returns, item_rows,
):  # fmt: skip
    queries, width, experts = raw.shape
    result = np.zeros((queries, width, 1 + 2 * experts + PLAIN), np.float32)
    shares = np.empty((width, experts), np.float32)
    place = np.empty(item_rows, np.int32)  # never filled: a place counts where the candidate standing there says so
    numbers = np.empty((width, 1 + _LOGS), np.float32)
    scale = np.float32(SCALE)
    plain = 1 + 2 * experts
    own = plain + _ITEM
    for b in range(queries):
        size = 0
        while size < width and candidates[b, size] >= 0:
            size += 1
        for c in range(size):
            place[candidates[b, c]] = c
            numbers[c, 0] = mixture[b, c] / MIX_FLOOR
        _numbers_of(candidates[b], size, now_ms[b], table, prior_returns, prior_events, numbers)
        log1p_all(numbers[:size])
        _shares_of_best(raw[b, :size], shares[:size])
        for c in range(size):
            row = result[b, c]
            row[0] = scale * numbers[c, 0]
            for k in range(experts):
                row[1 + k] = scale * raw[b, c, k]
                row[1 + experts + k] = scale * shares[c, k]
            for n in range(_LOGS):
                row[plain + n] = scale * numbers[c, 1 + n]
            row[plain + _LOGS - 1] += scale * _LOG_LEAST_ODDS
            row[plain + _LOGS] = numbers[c, 3] < _RARE
            row[plain + _LOGS + 1 : own] = told[b, c]
            row[own + _OWN :] = pairs[b, c]
        for j in range(lengths[b]):
            c = place[items[b, j]]
            if not 0 <= c < size or candidates[b, c] != items[b, j]:
                continue
            row = result[b, c]
            if row[own] == 0:
                minutes = max(now_ms[b] - times_ms[b, j], 0) / 6e4
                row[own] = 1
                row[own + 1] = j == 0
                row[own + 2] = j == 1
                row[own + 3] = SCALE / np.sqrt(1.0 + j)
                row[own + 5] = scale * log1p32(np.float32(minutes))
                for k in range(len(_SINCE_MINUTES)):
                    row[own + 6 + k] = minutes < _SINCE_MINUTES[k]
                _coming_back(row, own + _PLACE, row[plain + _LOGS - 1], minutes, items[b, j], table, pauses)
                row[own + _OWN - 1] = returns[kinds[b, j]]
            row[own + 4] += 1
        for c in range(size):
            if result[b, c, own] > 0:
                result[b, c, own + 4] = scale * log1p32(result[b, c, own + 4])
    return result


@kernel
def _shares_of_best(raw, shares):
    """Fill `shares` (C, K) from log features (C, K)."""
    size, experts = raw.shape
    if size == 0:
        return
    least, most = raw[0].copy(), raw[0].copy()
    for c in range(size):
        for k in range(experts):
            least[k], most[k] = min(least[k], raw[c, k]), max(most[k], raw[c, k])
    for c in range(size):
        for k in range(experts):
            shares[c, k] = raw[c, k] - most[k]
    exp_all(shares)
    for c in range(size):
        for k in range(experts):
            shares[c, k] *= least[k] < most[k]


@kernel
def _numbers_of(items, size, now_ms, table, prior_returns, prior_events, numbers):
    """Fill the columns of `numbers` from 1 on, before the logarithm is taken."""
    for c in range(size):
        item = items[c]
        met, returned = 0.0, prior_returns
        numbers[c, 1], numbers[c, 2] = 0, 0
        if item < len(table) and table[item, COUNT] > 0:
            met, returned = table[item, COUNT], prior_returns + table[item, RETURNS]
            numbers[c, 1] = max(now_ms - table[item, FIRST_MS], 0) / 3.6e6
            numbers[c, 2] = max(now_ms - table[item, LAST_MS], 0) / 6e4
        numbers[c, 3] = met
        numbers[c, 4] = returned / ((prior_events + met - returned) * _LEAST_ODDS)


@kernel
def _coming_back(row, back, odds, minutes, item, table, pauses):
    row[back] = odds
    if item < len(table) and table[item, RETURNS] > 0:
        later = log1p32(np.float32(60 * minutes)) - pauses[item]
        later = min(max(later, -_FARTHEST), _FARTHEST)
        row[back + 1] = 1
        row[back + 2] = SCALE * later
        row[back + 3] = SCALE * abs(later)
