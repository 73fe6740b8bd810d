import msgspec
import numpy as np
import pytest

from consumers.pipeline import Decisions, Outputs, Pipeline
from models.base import Queries
from models.experts.popularity import Popularity
from models.measuring.lateness import DeferredRecommender
from models.metrics import MISS
from models.recommender import Lists
from stream.events import Decoded
from stream.recommendations import RECEIPT_HEADER, Receipt, rec_id
from stream.snapshots import state_hash
from stream.windows import UserWindows
from tests.consumers.stream import (
    DECISIONS,
    MINUTE,
    NOON,
    interactions,
    items,
    lists,
    message,
    round_robin,
    run,
    settings,
)
from tests.stream.poison import poison
from tests.stream.records import record


def test_each_event_is_answered_once_under_its_own_name() -> None:
    pipeline = Pipeline(settings(), epoch=3)
    batch = interactions(pipeline, ["u1 a", "u2 a", "u1 b"])

    outputs = run(pipeline, batch)

    answers = list(lists(outputs))
    assert [answer.rec_id for answer in answers] == [
        rec_id("springtide", 3, "interactions", 0, offset, 0) for offset in range(3)
    ]
    assert [output.key for output in outputs.lists] == [b"u1", b"u2", b"u1"]
    assert [answer.trigger.offset for answer in answers] == [0, 1, 2]
    assert (outputs.accepted, outputs.learned, outputs.dead) == (3, 3, [])


def test_answers_keep_the_partition_of_their_event() -> None:
    pipeline = Pipeline(settings())
    body = {"user_id": "u1", "item_id": "a", "event_time": NOON}
    outputs = run(pipeline, [message(pipeline, 7, body, partition=2), message(pipeline, 7, body, partition=0)])
    assert [output.partition for output in outputs.lists] == [2, 0]


def test_what_follows_an_item_is_learned_and_explained() -> None:
    pipeline = Pipeline(settings())
    run(pipeline, interactions(pipeline, round_robin(12)))

    (answer,) = lists(run(pipeline, interactions(pipeline, ["u9 b"], first=36)))

    assert items(answer)[0] == "c"
    assert answer.items[0].score > 0.25  # above chance among four
    because = {item for reason in answer.items[0].reasons for item in reason.because}
    assert because == {"b"}
    assert sum(item.score for item in answer.items) + answer.rest == pytest.approx(1, abs=1e-5)
    assert [item.rank for item in answer.items] == list(range(1, len(answer.items) + 1))


def test_a_batch_is_answered_by_the_models_as_they_were_before_it() -> None:
    pipeline = Pipeline(settings())
    answers = list(lists(run(pipeline, interactions(pipeline, round_robin(12)))))
    assert {answer.model.events_learned for answer in answers} == {0}
    assert all(
        not reason.expert.startswith("last_transition") for one in answers for i in one.items for reason in i.reasons
    )
    assert [item for answer in answers for item in items(answer) if item not in "abcd"] == []


def test_learning_tests_before_it_teaches() -> None:
    pipeline = Pipeline(settings(models={"micro_batch": 1}))
    pipeline.recommend(interactions(pipeline, ["u1 a", "u2 a", "u2 b", "u1 b"]), DECISIONS)

    learned = pipeline.learn()

    popular = pipeline.recommender.scorers.index("popular_ever")
    assert learned.ranks[:, popular].tolist() == [MISS, 0, MISS, 1]  # a is ahead: two events against one
    assert learned.with_history.tolist() == [False, False, True, True]
    assert [pipeline.admission.users.id_of(row) for row in learned.users] == ["u1", "u2", "u2", "u1"]
    assert [pipeline.admission.items.id_of(row) for row in learned.items] == ["a", "a", "b", "b"]
    assert learned.times_ms.tolist() == [NOON + place * MINUTE for place in range(4)]


def test_published_is_the_place_in_the_list_that_was_out_before_the_batch() -> None:
    pipeline = Pipeline(settings())
    run(pipeline, interactions(pipeline, round_robin(12)))
    run(pipeline, interactions(pipeline, ["u9 b"], first=36))  # now a list is out for u9, c first

    pipeline.recommend(interactions(pipeline, ["u9 c", "u9 d", "u8 a"], first=37), DECISIONS)
    learned = pipeline.learn()

    assert learned.published.tolist()[0] == 0
    assert learned.list_ages_ms.tolist() == [MINUTE, 2 * MINUTE, -1]
    assert learned.published.tolist()[2] == MISS


def test_bad_records_become_dead_letters_with_their_bytes_and_the_rest_goes_on() -> None:
    pipeline = Pipeline(settings())
    kinds = poison()
    bad = [
        pipeline.decoder.decode(record(kind.value, offset=offset, key=kind.key, headers=kind.headers))
        for offset, kind in enumerate(kinds)
    ]
    outputs = run(pipeline, [*bad, *interactions(pipeline, ["u1 a"], first=len(bad))])

    assert len(outputs.lists) == 1
    assert [(dead.key, dead.value) for dead in outputs.dead] == [(kind.key, kind.value) for kind in kinds]
    assert all(
        dead.headers[: len(kind.headers)] == kind.headers for dead, kind in zip(outputs.dead, kinds, strict=True)
    )
    assert len(outputs.reasons) == len(kinds)


def test_a_repeated_delivery_is_counted_and_not_answered() -> None:
    pipeline = Pipeline(settings())
    body = {"user_id": "u1", "item_id": "a", "event_time": NOON, "event_id": "e1"}
    outputs = run(pipeline, [message(pipeline, 0, body), message(pipeline, 1, body)])
    assert (len(outputs.lists), outputs.duplicates, outputs.dead) == (1, 1, [])


def test_repeats_are_known_as_far_back_as_the_settings_say() -> None:
    pipeline = Pipeline(settings(cleaning={"dedupe_ids": 1}))
    ids = ["e1", "e1", "e2", "e1"]
    body = {"user_id": "u1", "item_id": "a", "event_time": NOON}
    outputs = run(pipeline, [message(pipeline, n, body | {"event_id": id_}) for n, id_ in enumerate(ids)])
    assert (len(outputs.lists), outputs.duplicates) == (3, 1)


def test_a_request_is_answered_without_being_learned() -> None:
    pipeline = Pipeline(settings())
    run(pipeline, interactions(pipeline, round_robin(12)))
    before = pipeline.recommender.events_learned
    body: dict[str, object] = {"type": "request", "user_id": "u1", "event_time": NOON + 60 * MINUTE}

    outputs = run(
        pipeline,
        [
            message(pipeline, 40, body | {"k": 2}),
            message(pipeline, 41, body | {"exclude": ["a", "nobody knows"]}),
        ],
    )

    two, without = lists(outputs)
    assert len(two.items) == 2
    assert "a" not in items(without)
    assert {"b", "c", "d"} <= set(items(without))
    assert pipeline.recommender.events_learned == before
    assert outputs.requests == 2


def test_a_list_is_made_for_the_moment_when_its_user_usually_comes_again() -> None:
    pipeline = Pipeline(settings())
    run(pipeline, interactions(pipeline, round_robin(12)))  # each user every three minutes
    asks: dict[str, object] = {"type": "request", "user_id": "u0"}

    outputs = run(
        pipeline,
        [
            *interactions(pipeline, ["u0 c"], first=36),
            message(pipeline, 37, asks | {"event_time": NOON + 36 * MINUTE}),
            message(pipeline, 38, asks | {"event_time": NOON + 39 * MINUTE}),
        ],
    )

    waits, now, later = ([(item.item_id, item.score) for item in answer.items] for answer in lists(outputs))
    assert waits == later
    assert waits != now


def test_what_was_turned_down_is_not_offered_again() -> None:
    pipeline = Pipeline(settings())
    run(pipeline, interactions(pipeline, round_robin(12)))
    body = {"user_id": "u1", "item_id": "c", "event_time": NOON + 60 * MINUTE, "event_type": "remove_from_cart"}

    (answer,) = lists(run(pipeline, [message(pipeline, 40, body)]))
    assert "c" not in items(answer)
    (later,) = lists(run(pipeline, interactions(pipeline, ["u1 b"], first=70)))
    assert "c" not in items(later)
    (other,) = lists(run(pipeline, interactions(pipeline, ["u2 b"], first=80)))
    assert items(other)[0] == "c"


def test_what_is_come_back_to_depends_on_what_was_done() -> None:
    """Of two items of a visit one is looked at and the other bought, in either order; the first is come back to."""
    pipeline = Pipeline(settings())

    def visit(user: str, minute: int, *turns: tuple[str, str]) -> Outputs:
        bodies = [
            {"user_id": user, "item_id": item, "event_type": done, "event_time": NOON + (minute + n) * MINUTE}
            for n, (item, done) in enumerate(turns)
        ]
        return run(pipeline, [message(pipeline, minute + n, body) for n, body in enumerate(bodies)])

    for n in range(80):
        looked, bought = "abcdef"[n % 6], "abcdef"[(n // 6 + n + 1) % 6]
        if looked != bought:
            both = [(looked, "look"), (bought, "buy")]
            visit(f"u{n}", 10 * n, *(both if n // 2 % 2 else both[::-1]), (looked, "look"))

    def odds(answers: Outputs) -> float:
        scores = {item.item_id: item.score for item in list(lists(answers))[-1].items}
        return scores["a"] / scores["b"]

    one, other = (visit(f"v{n}", 900, *turns) for n, turns in enumerate((
        (("a", "look"), ("b", "buy")),
        (("a", "buy"), ("b", "look")),
    )))  # fmt: skip
    assert odds(one) > 10 * odds(other)


def test_who_learns_later_has_the_same_windows() -> None:
    """Some events are no lessons: requests, and what was only shown."""
    chosen = settings()
    late = DeferredRecommender([Popularity()], UserWindows(chosen.windows.length, chosen.windows.span.ms))
    pipeline = Pipeline(chosen, recommender=late)
    body = {"type": "request", "user_id": "u1", "event_time": NOON}
    types = ["view", "buy", "impression", "like", ""]
    batch = [message(pipeline, 0, body)]
    for n in range(1, 40):
        body = {"user_id": f"u{n % 3}", "item_id": "abcd"[n % 4], "event_type": types[n % 5], "event_time": NOON + n}
        batch.append(message(pipeline, n, body))
    run(pipeline, batch[:25])
    run(pipeline, batch[25:])
    late.catch_up()

    ours, theirs = pipeline._windows.state(), late._windows.state()
    assert len(set(ours["kinds"].tolist())) == 4
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_never_again_holds_within_one_batch_and_beyond_the_window() -> None:
    pipeline = Pipeline(settings(serving={"repeats": "never"}, windows={"length": 2}))
    run(pipeline, interactions(pipeline, [f"u0 {item}" for item in "abcdef"]))

    answers = list(lists(run(pipeline, interactions(pipeline, [f"u1 {item}" for item in "abcde"], first=6))))

    assert [set(items(answer)) & set("abcdef"[: n + 1]) for n, answer in enumerate(answers)] == [set()] * 5
    assert items(answers[-1]) == ["f"]


def test_a_user_who_asks_to_be_forgotten_leaves_no_trace() -> None:
    pipeline, stranger = Pipeline(settings()), "somebody-in-particular"
    run(pipeline, interactions(pipeline, round_robin(4)))
    run(pipeline, interactions(pipeline, [f"{stranger} a", f"{stranger} b"], first=12))
    assert any(stranger.encode() in array.tobytes() for array in pipeline.state().values())

    batch = interactions(pipeline, [f"{stranger} c"], first=14)
    batch.append(message(pipeline, 15, {"type": "erase", "user_id": stranger, "event_time": NOON + 15 * MINUTE}))
    outputs = run(pipeline, batch)

    assert [(output.key, output.value) for output in outputs.lists] == [(stranger.encode(), None)]
    assert not any(stranger.encode() in array.tobytes() for array in pipeline.state().values())
    pipeline.recommend(interactions(pipeline, [f"{stranger} d"], first=20), DECISIONS)
    assert pipeline.learn().with_history.tolist() == [False]


def erasure(pipeline: Pipeline, offset: int, user: str, partition: int = 0) -> Decoded:
    body: dict[str, object] = {"type": "erase", "user_id": user, "event_time": NOON + offset * MINUTE}
    return message(pipeline, offset, body, partition=partition)


def test_each_erasure_has_a_receipt_that_does_not_name_the_user() -> None:
    pipeline = Pipeline(settings(), epoch=3)
    run(pipeline, interactions(pipeline, ["somebody a"]))

    batch = [
        erasure(pipeline, 1, "somebody", partition=2),
        erasure(pipeline, 2, "nobody"),
        *interactions(pipeline, ["nobody a"], first=3),
        erasure(pipeline, 4, "nobody"),
        erasure(pipeline, 5, "somebody"),
    ]
    outputs = run(pipeline, batch)

    assert [(one.key, one.partition, one.value) for one in outputs.lists] == [
        (b"somebody", 2, None),
        (b"nobody", 0, None),
        (b"nobody", 0, None),
        (b"somebody", 0, None),
    ]
    assert [name for one in outputs.lists for name, _ in one.headers] == [RECEIPT_HEADER] * 4
    written = [one.headers[0][1] or b"" for one in outputs.lists]
    receipts = [msgspec.json.decode(value, type=Receipt) for value in written]
    assert [(one.trigger.partition, one.trigger.offset, one.known) for one in receipts] == [
        (2, 1, True),
        (0, 2, False),
        (0, 4, True),
        (0, 5, False),
    ]
    assert [one.rec_id for one in receipts] == [
        rec_id("springtide", 3, "interactions", one.trigger.partition, one.trigger.offset, 0) for one in receipts
    ]
    assert not any(name in value for value in written for name in (b"somebody", b"nobody"))
    assert outputs.erased == 4


def test_when_all_users_are_erased_nothing_by_user_is_left() -> None:
    pipeline = Pipeline(settings(network={"enabled": True}))
    run(pipeline, interactions(pipeline, round_robin(20)))
    run(pipeline, interactions(pipeline, round_robin(20), first=60))
    turned_down = {"item_id": "e", "event_type": "skip", "event_time": NOON + 120 * MINUTE, "event_id": "one"}
    run(pipeline, [message(pipeline, 120 + user, turned_down | {"user_id": f"u{user}"}) for user in range(3)])
    before = pipeline.state()

    run(pipeline, [erasure(pipeline, 200 + user, f"u{user}") for user in range(3)])

    after = pipeline.state()
    by_user = [
        *("windows.counts", "windows.items", "windows.times_ms", "consumed.heads", "published.items"),
        *("published.times_ms", "recommender.ranker.users", "recommender.ranker.user_squares"),
        *("recommender.factorization.users.rows", "recommender.factorization.users.vectors"),
        *("recommender.sequence.replay.items", "recommender.sequence.replay.users"),
    ]
    assert all(before[name].size for name in by_user)
    assert not any(after[name].size for name in by_user)
    assert not (before["consumed.ring"][:, 0] == -1).any()
    assert (after["consumed.ring"][:, 0] == -1).all()
    assert before["met"].any()
    assert not after["met"].any()
    assert after["cleaner.seen"].tobytes() == b"[]"
    assert after["admission.users.ids"].tobytes() == b"[null,null,null]"
    assert (after["admission.users.last_used"] == -1).all()


def test_who_comes_back_after_an_erasure_is_a_new_user() -> None:
    pipeline, other = (Pipeline(settings(network={"enabled": True}, serving={"repeats": "never"})) for _ in range(2))
    run(pipeline, interactions(pipeline, round_robin(20)))
    run(pipeline, [erasure(pipeline, 100, "u1")])
    other.restore(pipeline.state())

    (returned,) = lists(run(pipeline, interactions(pipeline, ["u1 b"], first=101)))
    (stranger,) = lists(run(other, interactions(other, ["u7 b"], first=101)))

    assert returned.items
    assert msgspec.structs.replace(returned, user_id="u7") == stranger
    states = [one.state() for one in (pipeline, other)]
    names = {name: [state.pop(name).tobytes() for state in states] for name in ("cleaner.seen", "admission.users.ids")}
    assert names["admission.users.ids"][0].replace(b"u1", b"u7") == names["admission.users.ids"][1]
    assert state_hash(states[0]) == state_hash(states[1])


def test_old_records_are_learned_and_only_requests_among_them_answered() -> None:
    pipeline = Pipeline(settings())
    batch = interactions(pipeline, ["u1 a", "u1 b"])
    batch.append(message(pipeline, 2, {"type": "request", "user_id": "u1", "event_time": NOON}))
    outputs = run(pipeline, batch, Decisions(publish_after_ms=NOON + MINUTE))
    assert [answer.trigger.offset for answer in lists(outputs)] == [1, 2]
    assert (outputs.learned, outputs.unpublished) == (2, 1)


def test_coalescing_answers_the_last_event_of_each_user() -> None:
    pipeline = Pipeline(settings())
    batch = interactions(pipeline, ["u1 a", "u2 a", "u1 b", "u2 c", "u1 d"])
    outputs = run(pipeline, batch, Decisions(coalesce=True))
    assert [answer.trigger.offset for answer in lists(outputs)] == [3, 4]
    assert outputs.coalesced == 3


def test_state_is_bounded_and_reused_rows_start_afresh() -> None:
    pipeline = Pipeline(settings(windows={"users": 10}, models={"items": 10}))
    for start in range(0, 400, 8):
        outputs = run(pipeline, interactions(pipeline, [f"u{n} i{n}" for n in range(start, start + 8)], first=start))
        assert len(outputs.lists) == 8
    assert len(pipeline.admission.users) <= 10
    assert len(pipeline.admission.items) <= 10
    assert max(array.size for array in pipeline.state().values()) < 50_000
    offered = {item for answer in lists(outputs) for item in items(answer)}
    assert all(int(item[1:]) >= 380 for item in offered)


@pytest.mark.parametrize("encoder", ["transformer", "lstm"])
def test_windows_may_be_shorter_than_what_the_network_reads(encoder: str) -> None:
    models = {"dynamics": True, "demand": True, "item_transformer": True}
    short = Pipeline(settings(windows={"length": 2}, network={"encoder": encoder}, models=models))
    for first in range(0, 90, 30):
        outputs = short.recommend(interactions(short, round_robin(10), first=first), DECISIONS)
        ranks = short.learn().ranks
    assert len(outputs.lists) == 30
    assert (ranks[:, short.recommender.scorers.index("sequence")] < MISS).any()


def test_a_batch_that_is_larger_than_the_vocabulary_does_not_stop_the_stream() -> None:
    pipeline = Pipeline(settings(windows={"users": 10}, models={"items": 10}))
    outputs = run(pipeline, interactions(pipeline, [f"u{n} i{n}" for n in range(15)]))
    assert (len(outputs.lists), len(outputs.dead), set(outputs.reasons)) == (10, 5, {"no_room"})


def test_what_found_no_room_is_no_repeat_when_it_is_sent_again() -> None:
    pipeline = Pipeline(settings(windows={"users": 10}, models={"items": 10}))
    bodies = [{"user_id": f"u{n}", "item_id": "a", "event_time": NOON, "event_id": "1"} for n in range(11)]
    batch = [message(pipeline, n, body) for n, body in enumerate(bodies)]
    assert run(pipeline, batch).reasons == ["no_room"]

    again = run(pipeline, [message(pipeline, 11, bodies[0]), message(pipeline, 12, bodies[10])])

    assert (again.duplicates, [one.key for one in again.lists]) == (1, [b"u10"])


def test_a_restored_pipeline_goes_on_bit_for_bit() -> None:
    chosen = settings(network={"enabled": True}, serving={"repeats": "learned"})
    one, other = Pipeline(chosen), Pipeline(chosen)
    run(one, interactions(one, round_robin(20)))
    other.restore(one.state())
    assert state_hash(other.state()) == state_hash(one.state())

    for start in (60, 90):
        batch = interactions(one, round_robin(10), first=start)
        assert run(one, batch).lists == run(other, batch).lists
    assert state_hash(other.state()) == state_hash(one.state())


def test_how_a_stream_is_cut_into_batches_changes_no_test_of_a_window() -> None:
    chosen = settings(models={"micro_batch": 1})
    whole, cut = Pipeline(chosen), Pipeline(chosen)
    batch = interactions(whole, round_robin(10))
    whole.recommend(batch, DECISIONS)
    ranks = []
    for one in batch:
        cut.recommend([one], DECISIONS)
        ranks.append(cut.learn().ranks)
    assert np.array_equal(whole.learn().ranks, np.concatenate(ranks))


def test_an_empty_batch_is_nothing() -> None:
    pipeline = Pipeline(settings())
    assert run(pipeline, []).lists == []


def test_learning_comes_once_after_recommending() -> None:
    pipeline = Pipeline(settings())
    with pytest.raises(RuntimeError, match="once for each batch"):
        pipeline.learn()
    pipeline.recommend(interactions(pipeline, ["u1 a"]), DECISIONS)
    with pytest.raises(RuntimeError, match="whole only after learn"):
        pipeline.state()


def conversations(rounds: int) -> list[str]:
    """Four pairs of people; who was turned to turns back."""
    return [f"{'ab'[turn % 2]}{pair} {'ba'[turn % 2]}{pair}" for turn in range(rounds) for pair in range(4)]


def by_replies(outputs: Outputs) -> dict[str, set[str]]:
    """Who is offered to whom because of replies."""
    return {
        answer.user_id: {
            item.item_id
            for item in answer.items
            if {reason.expert for reason in item.reasons} & {"replies", "unanswered"}
        }
        for answer in lists(outputs)
    }


@pytest.mark.parametrize("wish", [[], ["a3"]])
def test_who_came_to_a_user_is_offered_to_him(wish: list[str]) -> None:
    pipeline = Pipeline(settings())
    talk = conversations(40)
    run(pipeline, interactions(pipeline, [*talk, "b3 a0", "a1 b0"]))  # each talked with somebody else until now
    now = len(talk) + 2
    asked: list[dict[str, object]] = [
        {"type": "request", "user_id": user, "request_id": user, "event_time": NOON + now * MINUTE, "exclude": wish}
        for user in ("a2", "a0", "stranger", "a1", "b0")
    ]
    answers = by_replies(run(pipeline, [message(pipeline, now + n, body) for n, body in enumerate(asked)]))
    assert "b3" in answers["a0"]
    assert "a1" in answers["b0"]
    assert not answers["stranger"]
    assert not answers["a2"] & {"b3", "a1"}
    assert "b0" not in answers["a1"], "he has not turned back"


@pytest.mark.parametrize("coalesce", [False, True])
def test_a_list_is_asked_for_with_who_its_user_is_and_whether_he_is_away(
    coalesce: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = Pipeline(settings())
    run(pipeline, interactions(pipeline, ["u1 u0", "u2 u1"]))
    seen: list[Queries] = []
    recommend = pipeline.recommender.recommend

    def noted(queries: Queries, k: int) -> Lists:
        seen.append(queries)
        return recommend(queries, k)

    monkeypatch.setattr(pipeline.recommender, "recommend", noted)
    bodies: list[dict[str, object]] = [
        {"user_id": "u3", "item_id": "u2"},
        {"user_id": "u1", "item_id": "u2"},
        {"user_id": "u0", "item_id": "u1", "event_type": "skip"},
        {"type": "request", "user_id": "u2", "request_id": "r", "exclude": ["u1"]},
        {"user_id": "u3", "item_id": "u1"},
    ]
    batch = [message(pipeline, 2 + n, body | {"event_time": NOON + (2 + n) * MINUTE}) for n, body in enumerate(bodies)]
    run(pipeline, batch, msgspec.structs.replace(DECISIONS, coalesce=coalesce))

    (queries,) = seen
    users = [pipeline.admission.users.id_of(row) for row in queries.windows.users]
    assert users == ["u3", "u1", "u0", "u2", "u3"][coalesce:]
    assert queries.selves is not None
    selves = [pipeline.admission.items.id_of(row) if row >= 0 else None for row in queries.selves]
    assert selves == [None, "u1", "u0", "u2", None][coalesce:]
    assert queries.ahead is not None
    assert queries.ahead.tolist() == [True, True, False, False, True][coalesce:]
