"""What every expert promises, as checks that take a factory of experts.

Call them through `CHECKS`, so that an expert passes all of them or none::

    @pytest.mark.parametrize("check", CHECKS, ids=name_of)
    @pytest.mark.parametrize("factory", FACTORIES, ids=name_of)
    def test_contract(factory, check):
        check(factory)

A factory gives a new expert with the same settings and seed each time. Tables whose size is a setting must be small
enough to be full after a few hundred events.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from models.base import Events, Expert, Queries, Rows
from models.recommender import Recommender, Tested
from stream.snapshots import State, state_hash
from stream.windows import UserWindows, WindowView

Factory = Callable[[], Expert]
Check = Callable[[Factory], None]

USERS, ITEMS, WINDOW = 7, 30, 16
FAR = 1_000_000  # a row that no vocabulary has given out
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
START_MS = 1_700_000_000_000


@dataclass
class Stream:
    """Batches to learn from, and the windows as they are after all of them."""

    batches: list[Events]
    windows: UserWindows
    now_ms: int

    def queries(self) -> Queries:
        """One query for each user, an hour later."""
        users = np.arange(USERS, dtype=np.int32)
        return queries_of(self.windows.view(users, np.full(USERS, self.now_ms + HOUR_MS)))


def stream(events: int = 240, seed: int = 0, batch: int = 24, items: int = ITEMS) -> Stream:
    """Users who often take the next item in a circle, in sessions; many events share a second.

    The last items are the users themselves.
    """
    random = np.random.default_rng(seed)
    windows = UserWindows(WINDOW, 90 * DAY_MS)
    users = random.integers(0, USERS, events).astype(np.int32)
    gaps = random.choice([0, 1000, 60_000, 6 * HOUR_MS], events, p=[0.3, 0.3, 0.3, 0.1])
    times_ms = START_MS + np.cumsum(gaps).astype(np.int64)
    last = random.integers(0, items, USERS)
    taken = np.empty(events, np.int32)
    for n, user in enumerate(users):
        last[user] = (last[user] + 1) % items if random.random() < 0.7 else random.integers(0, items)
        taken[n] = last[user]
    kinds = random.integers(0, 3, events).astype(np.uint8)
    batches = []
    for start in range(0, events, batch):
        part = slice(start, start + batch)
        before, _ = windows.extend(users[part], taken[part], times_ms[part], kinds[part])
        weights = np.ones(len(before), np.float32)
        batches.append(Events(before, taken[part], weights, kinds=kinds[part], selves=selves_of(users[part])))
    return Stream(batches, windows, int(times_ms[-1]))


def selves_of(users: Rows) -> Rows:
    """Items that the users are."""
    selves: Rows = np.where(users < 0, -1, users + ITEMS - USERS).astype(np.int32)
    return selves


def queries_of(windows: WindowView, excluded: list[list[int]] | None = None) -> Queries:
    """Queries for these windows, and the items that each must not be offered."""
    lists = excluded or [[] for _ in range(len(windows))]
    starts = np.cumsum([0, *(len(rows) for rows in lists)]).astype(np.int64)
    return Queries(
        windows, starts, np.array([row for rows in lists for row in rows], np.int32), selves=selves_of(windows.users)
    )


def take(
    recommender: Recommender, batches: list[Events], queries: Callable[[Events], Queries] | None = None
) -> list[Tested]:
    """Test and learn each batch; everything may be offered, unless `queries` says otherwise."""
    tested = []
    for events in batches:
        tested.append(recommender.test(events, queries(events) if queries else queries_of(events.before)))
        recommender.learn(tested[-1])
    return tested


def ranks_in_turn(
    recommender: Recommender, batches: list[Events], queries: Callable[[Events], Queries] | None = None
) -> Rows:
    """Ranks of all events of what is tested and learned as by `take`."""
    return np.concatenate([tested.ranks for tested in take(recommender, batches, queries)])


def all_items(queries: Queries, items: int = ITEMS) -> Rows:
    """Every item as a candidate of every query."""
    return np.tile(np.arange(items, dtype=np.int32), (len(queries), 1))


def taught(factory: Factory, batches: list[Events]) -> Expert:
    """Return a new expert that has learned these batches."""
    expert = factory()
    for events in batches:
        expert.learn(events)
    return expert


def answers(expert: Expert, queries: Queries) -> tuple[bytes, bytes, bytes]:
    """Proposals, and scores and pairs of all items, as bytes."""
    reading, items = expert.read(queries), all_items(queries)
    pairs = reading.pairs(items, np.full(items.shape, 1 / ITEMS, np.float32))
    return reading.propose().tobytes(), reading.score(items).tobytes(), b"" if pairs is None else pairs.tobytes()


def bytes_of(state: State) -> int:
    """Size of all arrays together."""
    return sum(array.nbytes for array in state.values())


def scoring_is_pure(factory: Factory) -> None:
    seen = stream()
    expert = taught(factory, seen.batches)
    before = state_hash(expert.state())
    first = answers(expert, seen.queries())
    reading = expert.read(seen.queries())
    reading.score(all_items(seen.queries())[:, :3])
    assert reading.propose().tobytes() == reading.propose().tobytes() == first[0]
    assert answers(expert, seen.queries()) == first
    assert state_hash(expert.state()) == before


def unknown_ids_are_unknown_and_grow_nothing(factory: Factory) -> None:
    seen = stream()
    expert = taught(factory, seen.batches)
    before = state_hash(expert.state())
    windows = seen.queries().windows
    strange = replace(windows, users=np.array([-1, FAR] * USERS, np.int32)[:USERS], items=windows.items.copy())
    strange.items[:, 0] = FAR
    queries = queries_of(strange, [[FAR, FAR + 1]] * USERS)
    reading = expert.read(queries)
    assert reading.propose().max() < ITEMS
    assert not reading.score(np.array([[-1, ITEMS + 1, FAR, FAR + 2]] * USERS, np.int32)).any()
    assert state_hash(expert.state()) == before


def scores_are_finite_and_not_negative(factory: Factory) -> None:
    seen = stream()
    odd = seen.batches[0]
    expert = taught(
        factory, [*seen.batches, replace(odd, weights=np.geomspace(1e-6, 1e3, len(odd)).astype(np.float32))]
    )
    windows = seen.queries().windows
    empty = replace(windows, items=np.full_like(windows.items, -1), times_ms=np.zeros_like(windows.times_ms),
                    lengths=np.zeros_like(windows.lengths))  # fmt: skip
    moments = {
        "soon": windows,
        "at once": replace(windows, now_ms=windows.times_ms[:, 0].copy()),
        "in fifty years": replace(windows, now_ms=windows.now_ms + 50 * 365 * DAY_MS),
        "no history": empty,
    }
    for moment, window in moments.items():
        queries = queries_of(window)
        scores = expert.read(queries).score(all_items(queries))
        assert scores.dtype == np.float32
        assert scores.shape == (USERS, ITEMS, len(expert.columns))
        assert np.isfinite(scores).all(), moment
        assert (scores >= 0).all(), moment


def proposals_are_the_best_of_what_has_evidence(factory: Factory) -> None:
    seen = stream()
    expert = taught(factory, seen.batches)
    reading = expert.read(seen.queries())
    proposals = reading.propose()
    assert proposals.shape == (USERS, len(expert.columns), max(column.proposals for column in expert.columns))
    assert (proposals >= 0).any()
    for e, column in enumerate(expert.columns):
        assert (proposals[:, e, column.proposals :] == -1).all()
        scores = reading.score(np.ascontiguousarray(proposals[:, e]))[:, :, e]
        assert (scores[proposals[:, e] >= 0] > 0).all()
        assert (np.diff(scores, axis=1) <= 0).all()
        for row in proposals[:, e]:
            offered = row[row >= 0]
            assert len(np.unique(offered)) == len(offered)
            assert (row[len(offered) :] == -1).all()


def excluded_items_are_never_proposed(factory: Factory) -> None:
    seen = stream()
    expert = taught(factory, seen.batches)
    queries = seen.queries()
    best = expert.read(queries).propose()
    barred = [[int(row) for row in np.unique(best[b]) if row >= 0 and row % 2 == b % 2] for b in range(USERS)]
    assert any(barred)
    narrowed = expert.read(queries_of(queries.windows, barred)).propose()
    for b in range(USERS):
        assert not np.isin(narrowed[b], barred[b]).any()
    nothing_left = expert.read(queries_of(queries.windows, [list(range(ITEMS))] * USERS)).propose()
    assert (nothing_left == -1).all()


def the_same_events_give_the_same_bits(factory: Factory) -> None:
    seen = stream()
    one, other = taught(factory, seen.batches), taught(factory, seen.batches)
    assert state_hash(one.state()) == state_hash(other.state())
    assert answers(one, seen.queries()) == answers(other, seen.queries())


def a_restored_expert_goes_on_as_the_first_would(factory: Factory) -> None:
    seen = stream()
    first = taught(factory, seen.batches[:5])
    first.learn(replace(seen.batches[4], items=seen.batches[4].items + ITEMS))
    first.forget_items(np.arange(2 * ITEMS) >= ITEMS)  # so its tables have more room than those of a restored one
    state = first.state()
    taken = state_hash(state)
    second = taught(factory, stream(seed=1).batches)
    second.restore(state)
    assert state_hash(second.state()) == taken
    dead = np.arange(ITEMS) % 5 == 0
    for expert in (first, second):
        expert.forget_items(dead)
        expert.forget_users(np.array([True, False]))
    third = factory()
    third.restore(second.state())
    # Where an event is answered, its item may be one that is only about to be learned.
    windows = seen.queries().windows
    news = replace(windows, items=windows.items.copy())
    news.items[:, 0] = ITEMS + np.arange(USERS) % 3
    for events in seen.batches[5:]:
        for expert in (first, second, third):
            expert.learn(events)
        hashes = {state_hash(expert.state()) for expert in (first, second, third)}
        for asked in (seen.queries(), queries_of(news)):
            assert len({answers(expert, asked) for expert in (first, second, third)}) == 1
        assert len(hashes) == 1
    assert state_hash(state) == taken, "the state given away must be a copy"


def forgotten_items_have_no_evidence(factory: Factory) -> None:
    seen = stream()
    expert = taught(factory, seen.batches)
    dead = np.arange(20) % 3 == 0  # shorter than the tables: rows from 20 on live
    expert.forget_items(dead)
    seen.windows.forget_items(dead)
    queries = seen.queries()
    reading = expert.read(queries)
    scores = reading.score(all_items(queries))
    gone = np.flatnonzero(dead)
    assert not scores[:, gone].any()
    assert not np.isin(reading.propose(), gone).any()
    assert scores[:, 20:].any()
    after = state_hash(expert.state())
    expert.forget_items(dead)
    assert state_hash(expert.state()) == after
    expert.forget_items(np.ones(FAR, np.bool_))
    reading = expert.read(queries_of(seen.windows.view(np.full(1, -1, np.int32), np.full(1, seen.now_ms))))
    assert not reading.score(np.arange(ITEMS, dtype=np.int32)[None]).any()


def forgotten_users_are_strangers(factory: Factory) -> None:
    seen = stream()
    expert = taught(factory, seen.batches)
    expert.forget_users(np.arange(USERS) < 4)
    windows = seen.queries().windows
    strangers = replace(windows, users=np.arange(FAR, FAR + USERS, dtype=np.int32))
    forgotten = answers(expert, queries_of(windows.take(np.arange(4))))
    assert forgotten == answers(expert, queries_of(strangers.take(np.arange(4))))
    after = state_hash(expert.state())
    expert.forget_users(np.arange(USERS) < 4)
    assert state_hash(expert.state()) == after


def rows_can_be_used_again(factory: Factory) -> None:
    seen, later = stream(), stream(seed=2)
    expert = taught(factory, seen.batches)
    expert.forget_items(np.ones(ITEMS, np.bool_))
    expert.forget_users(np.ones(USERS, np.bool_))
    for events in later.batches:
        expert.learn(events)
    reading = expert.read(later.queries())
    assert (reading.propose() >= 0).any()
    assert np.isfinite(reading.score(all_items(later.queries()))).all()


def memory_is_bounded(factory: Factory) -> None:
    seen = stream(events=1200, items=6)
    half = len(seen.batches) // 2
    expert = taught(factory, seen.batches[:half])
    size = bytes_of(expert.state())
    for events in seen.batches[half:]:
        expert.learn(events)
    assert bytes_of(expert.state()) <= size


def no_events_and_no_queries_are_fine(factory: Factory) -> None:
    seen = stream()
    nobody = np.zeros(0, np.int64)
    for expert in (factory(), taught(factory, seen.batches)):
        before = state_hash(expert.state())
        events = seen.batches[0]
        expert.learn(Events(events.before.take(nobody), events.items[:0], events.weights[:0]))
        assert state_hash(expert.state()) == before
        queries = queries_of(events.before.take(nobody))
        assert len(expert.read(queries).propose()) == 0
        assert len(expert.read(queries).score(all_items(queries))) == 0


CHECKS: tuple[Check, ...] = (
    scoring_is_pure,
    unknown_ids_are_unknown_and_grow_nothing,
    scores_are_finite_and_not_negative,
    proposals_are_the_best_of_what_has_evidence,
    excluded_items_are_never_proposed,
    the_same_events_give_the_same_bits,
    a_restored_expert_goes_on_as_the_first_would,
    forgotten_items_have_no_evidence,
    forgotten_users_are_strangers,
    rows_can_be_used_again,
    memory_is_bounded,
    no_events_and_no_queries_are_fine,
)


def name_of(parameter: Check | Factory) -> str:
    """Name of a check or factory in the test's id."""
    return str(getattr(parameter, "__name__", parameter))
