"""A model that raises, in the whole pipeline: what is left out, and that nothing else is lost."""

import pytest

from consumers.pipeline import Decisions, Pipeline
from consumers.serving.core import done, done_singly, place_of
from consumers.settings import Settings
from stream.events import Decoded
from stream.snapshots import state_hash
from tests.consumers.brittle import BOOM_MS, brittle, brittle_settings
from tests.consumers.stream import DECISIONS, MINUTE, NOON, interactions, lists, message, round_robin, run

SETTINGS = brittle_settings(Settings())


def batch_of(pipeline: Pipeline) -> list[Decoded]:
    """Forty interactions, of which one raises as it is answered and two as they are learned; one record is bad."""
    batch = interactions(pipeline, round_robin(14), first=36)[:40]
    at = {place: NOON + (36 + place) * MINUTE for place in (3, 17, 35)}
    boom: dict[str, object] = {"user_id": "u1", "item_id": "e", "event_type": "boom"}
    batch[3] = message(pipeline, 39, boom | {"event_time": at[3]})
    batch[17] = message(pipeline, 53, {"user_id": "u2", "item_id": "e", "event_time": at[17] + BOOM_MS})
    batch[35] = message(pipeline, 71, boom | {"event_time": at[35]})
    batch[5] = message(pipeline, 41, {"user_id": "u1"})
    return batch


@pytest.fixture
def pipeline() -> Pipeline:
    pipeline = brittle(SETTINGS)
    run(pipeline, interactions(pipeline, round_robin(12)))
    return pipeline


def test_what_a_model_raises_on_is_left_out_and_all_else_is_answered_and_learned(pipeline: Pipeline) -> None:
    learned = pipeline.recommender.events_learned
    batch = batch_of(pipeline)

    result = done_singly(pipeline, batch, DECISIONS)

    assert [(place_of(one.decoded)[2], repr(one.error)) for one in result.raised] == [
        (39, "FloatingPointError('learning')"),
        (53, "ZeroDivisionError('reading')"),
        (71, "FloatingPointError('learning')"),
    ]
    assert result.decisions == Decisions(singly=True, skipped=tuple(("interactions", 0, n) for n in (39, 53, 71)))
    assert [one.trigger.offset for one in lists(result.outputs)] == [
        n for n in range(36, 76) if n not in {39, 41, 53, 71}
    ]
    assert (result.outputs.accepted, result.outputs.reasons) == (36, ["missing_field"])
    assert pipeline.recommender.events_learned == learned + 36
    assert sum(len(one.items) for one in result.learned) == 36


def test_whoever_follows_what_was_decided_has_the_same_state_and_tries_nothing(pipeline: Pipeline) -> None:
    follower = brittle(SETTINGS)
    follower.restore(pipeline.state())
    decided = done_singly(pipeline, batch_of(pipeline), DECISIONS)

    outputs = done(follower, batch_of(follower), decided.decisions)

    assert outputs.lists == decided.outputs.lists
    assert state_hash(follower.state()) == state_hash(pipeline.state())


def test_without_a_model_that_raises_record_by_record_is_a_batch_for_each(pipeline: Pipeline) -> None:
    other = brittle(SETTINGS)
    other.restore(pipeline.state())
    batch = interactions(pipeline, round_robin(14), first=36)

    result = done_singly(pipeline, batch, DECISIONS)
    for one in batch:
        run(other, [one])

    assert result.decisions == Decisions(singly=True)
    assert state_hash(other.state()) == state_hash(pipeline.state())


def test_a_letter_names_the_exception_and_can_be_sent_again(pipeline: Pipeline) -> None:
    batch = batch_of(pipeline)
    result = done_singly(pipeline, batch, DECISIONS)
    letter = pipeline.dead_letter(*result.raised[0])

    headers = {name.removeprefix("__springtide.errors."): value for name, value in letter.headers}
    assert (headers["stage"], headers["exception.class.name"]) == (b"model", b"FloatingPointError")
    assert letter.value == batch[3].record.value
    named = message(pipeline, 80, {"user_id": "u1", "item_id": "e", "event_time": NOON, "event_id": "1", "value": 1})
    marked = message(
        pipeline, 81, {"user_id": "u1", "item_id": "e", "event_type": "boom", "event_time": NOON, "event_id": "2"}
    )
    assert len(done_singly(pipeline, [named, marked], DECISIONS).raised) == 1
    again = message(pipeline, 82, {"user_id": "u1", "item_id": "e", "event_time": NOON, "event_id": "2"})
    outputs = run(pipeline, [named, again])
    assert (outputs.duplicates, outputs.accepted) == (1, 1)
