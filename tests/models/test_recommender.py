from collections.abc import Collection
from dataclasses import fields, replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import recommender as door
from models.base import Column, Events, Expert, Floats, Mask, Queries, Reading, Rows
from models.experts import bursts, covisitation, transitions
from models.experts.cooccurrence import Cooccurrence
from models.experts.evidence import Evidence
from models.experts.popularity import Popularity
from models.experts.repeats import Repeats
from models.gaps import Gaps
from models.metrics import MISS, hit
from models.ranking.features import GROUPS
from models.ranking.residuals import Residuals
from models.recommender import Lists, Recommender, micro_batches
from stream.snapshots import State, state_hash
from tests.models.checks import ITEMS, USERS, Stream, queries_of, ranks_in_turn, stream, take
from tests.models.tiny import DAY_S, each, query

Numbers = list[tuple[int, int, int]]


def new(silent: Collection[str] = ()) -> Recommender:
    readouts = (*transitions.READOUTS, *covisitation.READOUTS, *bursts.READOUTS)
    return Recommender(
        [
            Cooccurrence(readouts, width=ITEMS, told_by=("transitions", "covisitation", "page_burst")),
            Repeats(),
            Popularity(),
        ],
        silent,
    )


def bits(lists: Lists) -> bytes:
    parts = (lists.rows, lists.scores, *(getattr(lists.reasons, part.name) for part in fields(lists.reasons)))
    return b"".join(part.tobytes() for part in parts)


@pytest.fixture(scope="module")
def seen() -> Stream:
    """Users who take the next item of a circle in seven of ten cases."""
    return stream(events=1200)


@pytest.fixture(scope="module")
def learned(seen: Stream) -> Recommender:
    recommender = new()
    take(recommender, seen.batches)
    return recommender


def test_a_planted_pattern_ranks_first(seen: Stream, learned: Recommender) -> None:
    queries = seen.queries()
    lists = learned.recommend(queries, 10)
    expected = (queries.windows.items[:, 0] + 1) % ITEMS
    assert (lists.rows[:, 0] == expected).mean() >= 6 / 7
    assert (lists.scores[:, 0] > 0.3).all()


def test_the_ranker_is_told_residuals_and_gaps_of_what_was_tested(seen: Stream) -> None:
    recommender, residuals, gaps = new(), Residuals(), Gaps()
    first = 1 + 2 * (len(recommender.scorers) - 2) + 5  # of the plain features, after five numbers of the item
    for events in seen.batches[:6]:
        tested = recommender.test(replace(events, weights=events.weights * 0.5), queries_of(events.before))
        scored = tested.scored
        told = scored.features[:, :, first : first + 2]
        assert (told[:, :, 0] == residuals.of(scored.candidates)).all()
        assert told[:, :, 1] == pytest.approx(0.2 * gaps.of(events.before, scored.candidates))
        recommender.learn(tested)
        residuals.learn(scored.candidates, scored.sizes, scored.probabilities, tested.targets, tested.events.weights)
        gaps.learn(events)
    assert told.any(axis=(0, 1)).all()


def test_learning_improves_the_list_and_the_list_improves_on_popularity(seen: Stream) -> None:
    recommender = new()
    ranks = ranks_in_turn(recommender, seen.batches)
    quality = dict(zip(recommender.scorers, hit(ranks[-400:], 1).mean(axis=0), strict=True))
    assert quality["list"] > hit(ranks[:200, -1], 1).mean()
    assert quality["list"] > 0.5 > quality["popular_ever"]
    assert quality["list"] >= quality["mixture"] - 0.02
    assert recommender.events_learned == 1200
    assert recommender.updates_dropped == 0


@given(st.sets(st.integers(0, ITEMS + 3)))
def test_what_is_barred_is_in_no_list_and_in_no_test(barred_rows: set[int]) -> None:
    seen, learned = _learned_once()
    barred = np.zeros(ITEMS + 4, np.bool_)
    barred[list(barred_rows)] = True
    queries = replace(seen.queries(), barred=barred)
    rows = learned.recommend(queries, ITEMS).rows
    assert not barred[rows[rows >= 0]].any()
    assert (rows >= 0).any() or barred[:ITEMS].all()
    last = seen.batches[-1]
    ranks = learned.test(last, replace(queries_of(last.before), barred=barred)).ranks
    assert (ranks[barred[last.items]] == MISS).all()


@cache
def _learned_once() -> tuple[Stream, Recommender]:
    stream_, recommender = stream(), new()
    take(recommender, stream_.batches)
    return stream_, recommender


def test_lists_are_probabilities_in_order(seen: Stream, learned: Recommender) -> None:
    lists = learned.recommend(seen.queries(), 10)
    assert (np.diff(lists.scores, axis=1) <= 0).all()
    assert (lists.scores.sum(axis=1) <= 1 + 1e-6).all()
    assert all(len(set(row)) == 10 for row in lists.rows.tolist())


def test_reasons_name_sources_and_the_items_behind_them(seen: Stream, learned: Recommender) -> None:
    queries = seen.queries()
    lists = learned.recommend(queries, 5)
    reasons = lists.reasons
    assert reasons.sources.shape == reasons.shares.shape == (USERS, 5, 2)
    assert reasons.because.shape == (USERS, 5, 2, 2)
    assert (reasons.sources[:, 0, 0] >= 0).all()
    assert (reasons.shares[:, :, 0] >= reasons.shares[:, :, 1]).all()
    assert (reasons.shares.sum(axis=2) <= 1 + 1e-6).all()
    pairwise = [learned.sources.index(name) for name in ("last_transition", "transitions", "recent_transitions")]
    best = np.isin(reasons.sources[:, 0], pairwise)
    assert best.any()
    assert (reasons.because[:, 0][best, 0] == 0).mean() > 0.5, "the newest item leads to the next one"
    sourceless = reasons.sources == -1
    assert (reasons.because[sourceless] == -1).all()
    assert (reasons.because < queries.windows.lengths[:, None, None, None]).all()


def test_what_is_excluded_is_not_in_the_list(seen: Stream, learned: Recommender) -> None:
    windows = seen.queries().windows
    barred = [list(range(b, ITEMS, 3)) for b in range(USERS)]
    lists = learned.recommend(queries_of(windows, barred), 10)
    for b in range(USERS):
        assert not np.isin(lists.rows[b], barred[b]).any()
        assert (lists.rows[b] >= 0).any()


def test_a_list_may_be_shorter_than_asked_for_and_empty(seen: Stream, learned: Recommender) -> None:
    windows = seen.queries().windows
    lists = learned.recommend(queries_of(windows, [list(range(2, ITEMS))] * USERS), 10)
    assert (np.sort(lists.rows[:, :2]) == [0, 1]).all()
    assert (lists.rows[:, 2:] == -1).all()
    assert not lists.scores[:, 2:].any()
    nothing = learned.recommend(queries_of(windows, [list(range(ITEMS))] * USERS), 10)
    assert (nothing.rows == -1).all()
    assert (nothing.reasons.sources == -1).all()
    assert (new().recommend(queries_of(windows), 3).rows[windows.lengths == 0] == -1).all()


def test_no_queries_and_no_events(seen: Stream, learned: Recommender) -> None:
    events = seen.batches[0]
    windows = events.before.take(np.zeros(0, np.int64))
    assert learned.recommend(queries_of(windows), 10).rows.shape == (0, 10)
    before = state_hash(learned.state())
    tested = learned.test(Events(windows, events.items[:0], events.weights[:0]), queries_of(windows))
    learned.learn(tested)
    assert tested.ranks.shape == (0, len(learned.scorers))
    assert state_hash(learned.state()) == before


def test_recommending_and_testing_change_nothing(seen: Stream, learned: Recommender) -> None:
    before, queries = state_hash(learned.state()), seen.queries()
    strange = replace(queries.windows, users=np.arange(-1, USERS - 1, dtype=np.int32) * 1000)
    first = bits(learned.recommend(queries, 10))
    learned.recommend(queries_of(strange, [[10**6]] * USERS), 10)
    learned.test(seen.batches[3], queries_of(seen.batches[3].before))
    assert bits(learned.recommend(queries, 10)) == first
    assert state_hash(learned.state()) == before


def test_the_size_of_a_batch_of_queries_does_not_change_a_list(seen: Stream, learned: Recommender) -> None:
    windows = seen.queries().windows
    together = learned.recommend(queries_of(windows), 10)
    for b in range(USERS):
        alone = learned.recommend(queries_of(windows.take(np.array([b]))), 10)
        assert (alone.rows[0] == together.rows[b]).all()
        assert (alone.scores[0] == together.scores[b]).all()


def test_a_restored_recommender_goes_on_bit_for_bit(seen: Stream) -> None:
    first, second = new(), new()
    take(first, seen.batches[:20])
    take(second, seen.batches[30:33])
    state = first.state()
    hash_given = state_hash(state)
    second.restore(state)
    dead_items, dead_users = np.arange(ITEMS) % 7 == 0, np.arange(USERS) == 3
    for recommender in (first, second):
        take(recommender, seen.batches[20:25])
        recommender.forget_items(dead_items)
        recommender.forget_users(dead_users)
    third = new()
    third.restore(second.state())
    for events in seen.batches[25:40]:
        ranks = [take(recommender, [events])[0].ranks.tobytes() for recommender in (first, second, third)]
        lists = [bits(recommender.recommend(seen.queries(), 10)) for recommender in (first, second, third)]
        assert len(set(ranks)) == len(set(lists)) == 1
    assert len({state_hash(recommender.state()) for recommender in (first, second, third)}) == 1
    assert state_hash(state) == hash_given


def test_forgotten_items_are_gone_until_they_come_again(seen: Stream) -> None:
    recommender = new()
    take(recommender, seen.batches)
    dead = np.arange(ITEMS) < 20
    recommender.forget_items(dead)
    fresh = query([], now_s=0)
    assert (recommender.recommend(fresh, 10).rows >= 20).all()
    take(recommender, each([(0, 3, 0)]))
    assert 3 in recommender.recommend(fresh, 30).rows


ODD_STREAMS: dict[str, Numbers] = {
    "one user, one item": [(0, 0, 60 * n) for n in range(50)],
    "all in one second": [(n % 3, n * 7 % 11, 0) for n in range(80)],
    "months of silence": [(n % 2, n % 3, n * 120 * DAY_S) for n in range(20)],
    "only new items": [(n % 4, n, 30 * n) for n in range(100)],
    "years too late": [(n % 2, n % 5, -n * 400 * DAY_S) for n in range(30)],
    "a far row": [(0, 0, 0), (200_000, 50_000, 10), (0, 50_000, 20), (0, 1, 30)],
}


@pytest.mark.parametrize("weight", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("name", ODD_STREAMS)
def test_odd_streams_give_finite_scores(name: str, weight: float) -> None:
    recommender = new()
    for tested in take(recommender, each(ODD_STREAMS[name], weight)):
        scored = tested.scored
        for part in (scored.raw, scored.x, scored.mixture, scored.features, scored.probabilities, scored.weights):
            assert np.isfinite(part).all()
        sums = scored.probabilities.sum(axis=1)
        assert sums == pytest.approx(np.where(scored.sizes > 0, 1, 0), abs=1e-5)
    assert recommender.updates_dropped == 0
    lists = recommender.recommend(query([(0, 0)], [], now_s=365 * DAY_S), 5)
    assert np.isfinite(lists.scores).all()
    assert (lists.rows[:, 0] >= 0).all()
    assert all(np.isfinite(array).all() for array in recommender.state().values())


def test_heavy_events_count_for_more() -> None:
    recommender = new()
    for events in [*each([(0, 0, 0), (0, 1, 1)], 5.0), *each([(1, 0, 0), (1, 2, 1)], 1.0)]:
        take(recommender, [events])
    assert recommender.recommend(query([(0, 5)], now_s=6), 2).rows.tolist()[0][0] == 1


class Stubborn(Expert):
    """Gives the items 0, 1, 2 ... the log features it was made with, whatever it has seen."""

    columns = (Column("stubborn", 5),)

    def __init__(self, features: list[float]) -> None:
        self.name = "stubborn"
        self._features = np.array(features, np.float32)

    def read(self, queries: Queries) -> Reading:
        return _Given(self._features, len(queries))

    def learn(self, events: Events) -> None:
        pass

    def forget_items(self, dead: Mask) -> None:
        pass

    def forget_users(self, dead: Mask) -> None:
        pass

    def state(self) -> State:
        return {}

    def restore(self, state: State) -> None:
        pass


class _Given(Reading):
    def __init__(self, features: Floats, queries: int) -> None:
        self._features, self._queries = features, queries

    def propose(self) -> Rows:
        return np.tile(np.arange(len(self._features), dtype=np.int32), (self._queries, 1, 1))

    def score(self, candidates: Rows) -> Floats:
        scores: Floats = np.where(candidates >= 0, self._features[candidates], 0)[:, :, None].astype(np.float32)
        return scores


def ranks_of(features: list[float], item: int) -> list[int]:
    recommender = Recommender([Stubborn(features)])
    events = each([(0, item, 0)])[0]
    ranks: list[int] = recommender.test(events, queries_of(events.before)).ranks[0].tolist()
    return ranks


@pytest.mark.parametrize(
    ("features", "item", "rank"),
    [
        ([3, 2, 1], 1, 1),
        ([2, 2, 2], 0, 2),  # ties count against
        ([3, 0, 1], 1, MISS),  # no evidence, though a candidate
        ([3, 2, 1], 7, MISS),  # not a candidate
        ([3, float("nan"), 1], 1, MISS),
        ([float("nan"), 2, 1], 2, 2),  # what is not a number stands above
    ],
)
def test_ranks_are_never_flattered(features: list[float], item: int, rank: int) -> None:
    assert ranks_of(features, item)[0] == rank


def test_a_score_that_is_not_a_number_is_a_miss_for_everyone() -> None:
    assert ranks_of([float("nan"), 2, 1], 1)[1:] == [MISS, MISS]


def test_names_of_scorers_and_sources() -> None:
    recommender = Recommender([Repeats()])
    own = ("own_recent", "own_hour", "own_weekpart", "own_sequence")
    assert recommender.scorers == (*own, "mixture", "list")
    assert recommender.sources == (*own, "item_statistics", "own_history", "lift", "precedence")


@pytest.mark.parametrize(("size", "cuts"), [(0, []), (3, [(0, 3)]), (4, [(0, 4)]), (9, [(0, 4), (4, 8), (8, 9)])])
def test_micro_batches_cover_all_events_once(size: int, cuts: list[tuple[int, int]]) -> None:
    assert [(part.start, part.stop) for part in micro_batches(size, 4, learned=1_000_000)] == cuts


def milestones(recommender: Recommender, batches: list[Events]) -> set[door.Milestone]:
    met = set()
    for events in batches:
        recommender.learn(recommender.test(events, queries_of(events.before)))
        if recommender.milestone is not None:
            met.add(recommender.milestone)
    return met


def test_who_has_learned_the_same_has_the_same_milestones(seen: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "_MILESTONES", 300)
    met = milestones(new(), seen.batches)
    assert [one.events // 300 for one in sorted(met)] == [0, 1, 2, 3]
    assert len({one.checksum for one in met}) == 4
    assert milestones(new(), seen.batches) == met

    other = seen.batches[0]
    batches = [replace(other, items=(other.items + 1) % ITEMS), *seen.batches[1:]]
    assert {one.checksum for one in milestones(new(), batches)}.isdisjoint({one.checksum for one in met})


def test_micro_batches_grow_with_what_has_been_learned() -> None:
    assert [part.stop - part.start for part in micro_batches(5, 32, learned=0)] == [1] * 5
    assert [part.stop - part.start for part in micro_batches(9, 32, learned=11_999)] == [2, 3, 3, 1]


@pytest.mark.parametrize(("share", "longest"), [(1.0, 2), (0.5, 4), (0.25, 8), (0.05, 8), (0.0, 8)])
def test_micro_batches_are_longer_where_less_is_trained_on(share: float, longest: int) -> None:
    cuts = [part.stop - part.start for part in micro_batches(40, 32, learned=8_000, share=share)]
    assert set(cuts[:-1]) == {longest}


def test_candidates_are_as_likely_as_the_mixture_says(seen: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    recommender = new()
    take(recommender, seen.batches[:10])
    asked: list[Floats] = []
    monkeypatch.setattr(Evidence, "pairs", lambda _, __, likely: asked.append(likely))
    scored = recommender.score(seen.queries())
    assert asked
    assert all(np.array_equal(likely, scored.mixture) for likely in asked)


@pytest.mark.parametrize("group", sorted(set(GROUPS)))
def test_a_silent_group_of_features_is_zero_and_the_others_are_not(seen: Stream, group: str) -> None:
    silent = new(silent=[group])
    take(silent, seen.batches[:10])
    plain = silent.score(seen.queries()).features[:, :, -len(GROUPS) :]
    spoke = {name for place, name in enumerate(GROUPS) if plain[:, :, place].any()}
    assert spoke == set(GROUPS) - {group}
