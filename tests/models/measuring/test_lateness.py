import numpy as np
import pytest

from models.base import Events, Expert, Queries, Rows
from models.experts import transitions
from models.experts.cooccurrence import Cooccurrence
from models.experts.popularity import Popularity
from models.experts.repeats import Repeats
from models.experts.replies import Replies
from models.measuring.lateness import DeferredRecommender, FrozenRecommender
from models.recommender import Recommender
from stream.snapshots import state_hash
from stream.windows import UserWindows
from tests.models.checks import DAY_MS, ITEMS, USERS, WINDOW, Stream, queries_of, ranks_in_turn, stream


def members() -> list[Expert]:
    return [Cooccurrence(transitions.READOUTS, width=ITEMS), Repeats(), Popularity(), Replies(0, 0)]


def deferred() -> DeferredRecommender:
    return DeferredRecommender(members(), UserWindows(WINDOW, 90 * DAY_MS))


def queries(events: Events) -> Queries:
    """No item may be offered to the user of the same number."""
    return queries_of(events.before, [[int(user)] for user in events.before.users])


def take(recommender: Recommender, batches: list[Events]) -> Rows:
    return ranks_in_turn(recommender, batches, queries)


@pytest.fixture(scope="module")
def seen() -> Stream:
    return stream(events=240)


def test_what_is_put_aside_teaches_nothing_until_it_catches_up_and_then_all_of_it(seen: Stream) -> None:
    at_once, late, never = Recommender(members()), deferred(), Recommender(members())
    ranks = take(late, seen.batches)

    assert late.events_learned == 0
    assert (ranks == np.concatenate([never.test(events, queries(events)).ranks for events in seen.batches])).all()
    assert state_hash(late.state()) == state_hash(never.state())

    late.catch_up()
    take(at_once, seen.batches)
    assert state_hash(late.state()) == state_hash(at_once.state())


def test_catching_up_on_the_way_is_the_same_as_at_the_end_for_what_is_learned(seen: Stream) -> None:
    once, often = deferred(), deferred()
    take(once, seen.batches)
    once.catch_up()
    for batch in seen.batches:
        take(often, [batch])
        often.catch_up()
    assert state_hash(once.state()) == state_hash(often.state())


def test_rows_are_given_away_only_after_what_waits_for_them_was_learned(seen: Stream) -> None:
    late, at_once = deferred(), Recommender(members())
    dead_users, dead_items = np.arange(USERS) == 2, np.arange(ITEMS) < 5
    for recommender in (late, at_once):
        take(recommender, seen.batches[:5])
        recommender.forget_users(dead_users)
        recommender.forget_items(dead_items)
    assert state_hash(late.state()) == state_hash(at_once.state())


def test_a_frozen_recommender_learns_so_many_events_and_stays(seen: Stream) -> None:
    frozen, short = FrozenRecommender(members(), last=48), Recommender(members())
    take(frozen, seen.batches)
    take(short, seen.batches[:2])
    assert frozen.events_learned == 48
    assert state_hash(frozen.state()) == state_hash(short.state())
