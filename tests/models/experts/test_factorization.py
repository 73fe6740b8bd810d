from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from models.base import Events
from models.experts.factorization import FactorizationConfig, FactorizationExpert
from tests.models.checks import CHECKS, FAR, ITEMS, USERS, Check, all_items, name_of, queries_of, stream, taught

CONFIG = FactorizationConfig(factors=4)


def small() -> FactorizationExpert:
    return FactorizationExpert(CONFIG, seed=3)


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
def test_contract(check: Check) -> None:
    check(small)


def test_scores_are_the_softmax_of_what_river_predicts() -> None:
    seen = stream()
    expert = small()
    for events in seen.batches:
        expert.learn(events)
    river = expert.model
    predict: Callable[[int, int], float] = river.predict_one  # River leaves it untyped
    queries = seen.queries()
    scores = expert.read(queries).score(all_items(queries))[:, :, 0]
    logits = np.array([[predict(user, item) for item in range(ITEMS)] for user in range(USERS)])
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(scores, np.log1p(shares * 1e6), rtol=1e-4)


def test_what_was_taken_is_not_taught_as_left_out() -> None:
    """Where one item is all that is known, every draw of others is that item."""
    view = stream().batches[0].before.take(np.zeros(6, np.int32))
    states = []
    for negatives in (0, 3):
        expert = FactorizationExpert(replace(CONFIG, negatives=negatives), seed=3)
        for _ in range(4):
            expert.learn(Events(view, np.full(6, 5, np.int32), np.ones(6, np.float32)))
        states.append(expert.state())
    assert states[0].keys() == states[1].keys()
    assert all(np.array_equal(array, states[1][name]) for name, array in states[0].items())


def test_whoever_is_only_asked_about_stays_unknown() -> None:
    seen = stream()
    expert = small()
    for events in seen.batches:
        expert.learn(events)
    before = expert.state()
    assert before["users.rows"].tolist() == list(range(USERS))
    assert before["items.rows"].tolist() == list(range(ITEMS))
    view = seen.windows.view(np.array([FAR, -1], np.int32), np.full(2, seen.now_ms))
    scores = expert.read(queries_of(view)).score(np.array([[FAR, 1, -1]] * 2, np.int32))[:, :, 0]
    assert (scores[:, [0, 2]] == 0).all()
    assert (scores[:, 1] > 0).all()
    after = expert.state()
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_a_user_who_always_takes_the_same_items_is_offered_them() -> None:
    seen = stream()
    before = seen.batches[0].before
    users = np.arange(24, dtype=np.int32) % 2
    taken = (users * 10 + np.arange(24) // 2 % 5).astype(np.int32)  # user 0 takes items 0 to 4, user 1 items 10 to 14
    batch = Events(replace(before, users=users), taken, np.ones(24, np.float32))
    expert = taught(small, [batch] * 40)
    queries = queries_of(batch.before.take(np.arange(2)))
    best = expert.read(queries).propose()[:, 0, :5]
    assert set(best[0]) == set(range(5))
    assert set(best[1]) == set(range(10, 15))


def test_an_event_of_little_weight_moves_little() -> None:
    events = stream().batches[0]
    light = Events(events.before, events.items, events.weights * 1e-6)
    moved = {}
    for name, batch in {"full": events, "light": light}.items():
        expert = taught(small, [batch])
        assert isinstance(expert, FactorizationExpert)
        moved[name] = float(np.abs(expert.state()["items.vectors"][:, -1]).max())
    assert 0 < moved["light"] < 1e-4 * moved["full"]
