"""Why an item is in a list: the exact terms of its score, summed by whom they came from.

The ranker's score is a sum over features, so each feature's term is what it contributed. The mixture's term is shared
out by responsibility, the part of P(c) that each expert gave. Terms of one source are added; the largest positive ones
are the reasons, each with its share of all positive ones.
"""

from dataclasses import dataclass

import numpy as np

from models.base import Floats, Rows
from models.ranking.features import GROUPS
from stream.kernels import kernel

REASONS = 2
"""Reasons named for an item at most."""

_LEAST_TOTAL = 1e-30  # of the experts' parts


@dataclass(frozen=True, slots=True)
class Reasons:
    """Up to REASONS sources of each of k items for B queries, strongest first.

    `sources` (B, k, R) are places in the names of all sources, -1 where there is no more; `shares` (B, k, R) are in
    [0, 1]; `because` (B, k, R, 2) are positions in the query's window, -1 where the source cannot name one.
    """

    sources: Rows
    shares: Floats
    because: Rows


def contributions(features: Floats, weights: Floats, parts: Floats, queries: Rows, places: Rows) -> Floats:
    """Term of each source in the score of n candidates: (n, K + number of groups), summing to the score.

    `features` (B, C, F), `weights` (B, F) and `parts` (B, C, K) are the candidates' features, the ranker's weights and
    the experts' parts of the mixture's probability; meant are the `places` (n,) among the candidates of `queries` (n,).
    """
    terms: Floats = _contributions(features, weights, parts, queries, places, _GROUP_OF, len(source_groups()))
    return terms


def source_groups() -> tuple[str, ...]:
    """Names of the sources behind the plain features, in the order of `contributions`."""
    return tuple(dict.fromkeys(GROUPS))


_GROUP_OF = np.array([source_groups().index(group) for group in GROUPS], np.int64)


def strongest(terms: Floats) -> tuple[Rows, Floats]:
    """Pick the REASONS largest positive terms of each row, with their shares of all positive ones: (n, R) each."""
    result: tuple[Rows, Floats] = _strongest(terms)
    return result


@kernel
def _contributions(features, weights, parts, queries, places, group_of, groups):
    experts = parts.shape[2]
    terms = np.zeros((len(queries), experts + groups), np.float32)
    for n in range(len(queries)):
        b, c = queries[n], places[n]
        total = np.float32(_LEAST_TOTAL)
        for k in range(experts):
            total += parts[b, c, k]
        mixture = features[b, c, 0] * weights[b, 0] / total
        for k in range(experts):
            terms[n, k] = mixture * parts[b, c, k]
            for f in (1 + k, 1 + experts + k):
                terms[n, k] += features[b, c, f] * weights[b, f]
        for g in range(len(group_of)):
            f = 1 + 2 * experts + g
            terms[n, experts + group_of[g]] += features[b, c, f] * weights[b, f]
    return terms


@kernel
def _strongest(terms):
    sources = np.full((len(terms), REASONS), -1, np.int32)
    shares = np.zeros((len(terms), REASONS), np.float32)
    for n in range(len(terms)):
        total = np.float32(0)
        for k in range(terms.shape[1]):
            value = max(terms[n, k], np.float32(0))
            total += value
            place = REASONS
            while place > 0 and value > shares[n, place - 1]:
                if place < REASONS:
                    shares[n, place] = shares[n, place - 1]
                    sources[n, place] = sources[n, place - 1]
                place -= 1
            if place < REASONS:
                shares[n, place] = value
                sources[n, place] = k
        if total > 0:
            shares[n] /= total
    return sources, shares
