"""Streams that nobody plans for: lists are sound, state is finite and bounded, and no update is dropped."""

import math
from collections.abc import Iterable

import numpy as np
import pytest

from consumers.pipeline import Pipeline
from consumers.settings import Settings
from stream.events import MAX_ID_BYTES
from tests.consumers.stream import DECISIONS, MINUTE, NOON, items, lists, message, settings

DAY = 24 * 60 * MINUTE
Visit = tuple[str, str, int]
"""User, item and event time."""


def walk(visits: int, start_ms: int, step_ms: int) -> list[Visit]:
    """Four users who walk a -> b -> ... -> h in turns."""
    return [(f"u{n % 4}", "abcdefgh"[(n // 4 + n % 4) % 8], start_ms + n * step_ms) for n in range(visits)]


def noise(visits: int, users: int, things: int) -> Iterable[Visit]:
    """Anybody, anything, at once or hours later."""
    random = np.random.default_rng(5)
    time_ms = NOON
    for user, item, gap_ms in zip(
        random.integers(0, users, visits), random.zipf(1.3, visits) % things, random.pareto(0.7, visits), strict=True
    ):
        time_ms += min(int(1_000 * gap_ms), DAY)
        yield f"u{user}", f"i{item}", time_ms


def play(pipeline: Pipeline, visits: Iterable[Visit], size: int = 16) -> list[list[str]]:
    """Run a stream through the pipeline, look at every list, and return the lists."""
    found: list[list[str]] = []
    visits = list(visits)
    for start in range(0, len(visits), size):
        batch = [
            message(pipeline, start + n, {"user_id": user, "item_id": item, "event_time": time_ms})
            for n, (user, item, time_ms) in enumerate(visits[start : start + size])
        ]
        outputs = pipeline.recommend(batch, DECISIONS)
        learned = pipeline.learn()
        assert outputs.accepted == len(batch)
        assert (learned.ranks >= 0).all()
        for recommendation in lists(outputs):
            scores = [item.score for item in recommendation.items]
            assert all(math.isfinite(score) and 0 <= score <= 1 for score in scores)
            assert scores == sorted(scores, reverse=True)
            assert math.isclose(sum(scores) + recommendation.rest, 1, abs_tol=1e-3)
            assert len(set(items(recommendation))) == len(scores)
            for item in recommendation.items:
                assert all(math.isfinite(reason.weight) for reason in item.reasons)
            found.append(items(recommendation))
    assert pipeline.recommender.updates_dropped == 0
    assert all(progress.skipped == 0 for progress in pipeline.recommender.progress().values())
    assert not [name for name, array in pipeline.state().items() if not np.isfinite(array).all()]
    return found


@pytest.fixture(params=[False, True], ids=["counting", "network"])
def pipeline(request: pytest.FixtureRequest) -> Pipeline:
    return Pipeline(Settings(network={"enabled": request.param}))  # type: ignore[arg-type]


def test_months_of_silence(pipeline: Pipeline) -> None:
    play(pipeline, walk(160, NOON, MINUTE))
    after = play(pipeline, walk(32, NOON + 240 * DAY, MINUTE))
    assert set(after[0][:3]) <= set("abcdefgh")
    assert after[-1][0] in "abcdefgh"


def test_silences_of_every_length(pipeline: Pipeline) -> None:
    visits = walk(200, 0, 0)
    times_ms = NOON + np.cumsum([int(1.12**n) for n in range(200)])
    play(pipeline, [(user, item, int(time_ms)) for (user, item, _), time_ms in zip(visits, times_ms, strict=True)])


def test_all_events_in_one_second(pipeline: Pipeline) -> None:
    found = play(pipeline, walk(400, NOON, 2))
    hits = [best[:2].count("abcdefgh"[(n // 4 + n % 4 + 1) % 8]) for n, best in enumerate(found)]
    assert sum(hits[-80:]) > 60, "the walk was not learned from its order alone"


def test_all_events_at_the_same_instant(pipeline: Pipeline) -> None:
    play(pipeline, walk(200, NOON, 0))


def test_one_user(pipeline: Pipeline) -> None:
    found = play(pipeline, [("u", "abcd"[n % 4], NOON + n * MINUTE) for n in range(200)])
    assert found[-1][0] == "a"


def test_one_item(pipeline: Pipeline) -> None:
    found = play(pipeline, [(f"u{n % 5}", "a", NOON + n * MINUTE) for n in range(100)])
    assert found[-1] == ["a"]


def test_only_new_items(pipeline: Pipeline) -> None:
    found = play(pipeline, [(f"u{n % 5}", f"i{n}", NOON + n * MINUTE) for n in range(300)])
    met = {f"i{n}" for n in range(300)}
    assert all(best and set(best) <= met for best in found[16:])


def test_only_new_users(pipeline: Pipeline) -> None:
    found = play(pipeline, [(f"u{n}", "aaab"[n % 4], NOON + n * MINUTE) for n in range(200)])
    assert set(found[-1]) == {"a", "b"}


def test_ids_as_long_as_allowed(pipeline: Pipeline) -> None:
    longest = {name: (name * MAX_ID_BYTES)[:MAX_ID_BYTES] for name in "abcdefgh"}
    user = "é" * (MAX_ID_BYTES // 2)
    found = play(pipeline, [(user, longest[item], time_ms) for _, item, time_ms in walk(40, NOON, MINUTE)])
    assert set(found[-1]) <= set(longest.values())


def test_noise_is_bounded_by_the_settings() -> None:
    pipeline = Pipeline(settings(windows={"users": 200}, models={"items": 300}))
    visits = list(noise(4_000, users=2_000, things=3_000))
    sizes = []
    for start in range(0, len(visits), 1_000):
        play(pipeline, visits[start : start + 1_000], size=100)
        tables = pipeline.state().items()  # but for the log of the newest events, which 500,000 would fill
        sizes.append(sum(table.nbytes for name, table in tables if not name.startswith("recommender.sessions")))
    assert len(pipeline.admission.users) <= 200
    assert len(pipeline.admission.items) <= 300
    assert pipeline.admission.expired_users > 500
    assert pipeline.admission.expired_items > 100
    assert sizes[-1] < 1.1 * sizes[1], f"state grows in a stream without end: {sizes}"
