from collections import Counter

import pytest

from consumers.measuring.subscriber import Subscriber
from consumers.pipeline import Pipeline
from models.metrics import MISS
from tests.consumers.stream import DECISIONS, NOON, interactions, items, lists, message, round_robin, settings


def test_an_item_is_looked_up_in_the_list_that_answered_the_users_event_before() -> None:
    one = settings()
    pipeline, subscriber = Pipeline(one), Subscriber(one.events.policy(), one.publish.k)
    history = interactions(pipeline, round_robin(12))
    subscriber.read(history, pipeline.recommend(history, DECISIONS).lists)
    pipeline.learn()

    batch = interactions(pipeline, ["u9 b", "u8 a", "u9 c", "u9 d"], first=36)
    outputs = pipeline.recommend(batch, DECISIONS)
    ranks = subscriber.read(batch, outputs.lists).ranks.tolist()

    of_nine, _, next_of_nine, _ = (items(answer) for answer in lists(outputs))
    assert ranks == [MISS, MISS, of_nine.index("c"), next_of_nine.index("d")]


def test_what_is_not_learned_is_not_looked_up_and_has_a_list() -> None:
    one = settings(events={"types": {"dismiss": "negative"}})
    pipeline, subscriber = Pipeline(one), Subscriber(one.events.policy(), one.publish.k)
    history = interactions(pipeline, round_robin(12))
    subscriber.read(history, pipeline.recommend(history, DECISIONS).lists)
    pipeline.learn()
    body: dict[str, object] = {"user_id": "u9", "item_id": "b", "event_time": NOON}
    dismissed = message(pipeline, 36, body | {"event_type": "dismiss"})
    ignored = message(pipeline, 37, body | {"event_type": "impression"})
    taken = message(pipeline, 38, body | {"item_id": "a"})

    outputs = pipeline.recommend([dismissed, ignored, taken], DECISIONS)

    (offered, _) = (items(answer) for answer in lists(outputs))
    assert subscriber.read([dismissed, ignored, taken], outputs.lists).ranks.tolist() == [offered.index("a")]


def test_scores_and_places_are_those_of_the_lists() -> None:
    one = settings()
    pipeline, subscriber = Pipeline(one), Subscriber(one.events.policy(), 12)
    batch = interactions(pipeline, ["u1 a", "u1 b"])
    outputs = pipeline.recommend(batch, DECISIONS)
    (first, second) = lists(outputs)
    found = subscriber.read(batch, outputs.lists).scores
    assert found.shape == (2, 12)
    assert not found[0].any()  # there was none before
    assert found[1].tolist() == pytest.approx([item.score for item in first.items] + [0] * (12 - len(first.items)))
    assert subscriber.shown == Counter(items(first) + items(second))
