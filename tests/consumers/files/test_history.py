import numpy as np
import pytest

from consumers.files.history import history
from consumers.files.reading import EventBatch
from models.network.config import NetworkConfig
from stream.errors import FileFormatError
from tests.consumers.stream import MINUTE, NOON, settings

NETWORK = NetworkConfig(window=2)


def batch(pairs: list[str], types: list[str | None] | None = None) -> EventBatch:
    users, items = zip(*(pair.split() for pair in pairs), strict=True)
    times = NOON + MINUTE * np.arange(len(pairs), dtype=np.int64)
    return EventBatch(np.arange(len(pairs)), list(users), list(items), times, types=types)


def test_each_event_comes_with_the_window_before_it() -> None:
    pairs = ["u a", "u b", "v c", "u c", "u a"] + [f"w{n} d" for n in range(95)]
    counts: list[int] = []
    known = history(settings(), [batch(pairs)], NETWORK, counts.append)
    assert known.ids == ("a", "b", "c", "d")
    assert known.examples.targets[:5].tolist() == [0, 1, 2, 2, 0]
    assert known.examples.inputs.items[:5].tolist() == [[-1, -1], [0, -1], [-1, -1], [1, 0], [2, 1]]
    assert known.examples.users[:5].tolist() == [0, 0, 1, 0, 0]
    assert sum(counts) == 100


def test_what_the_service_would_not_learn_is_left_out() -> None:
    pairs = ["u a", "u b", "u c"] + [f"w{n} d" for n in range(100)]
    types: list[str | None] = [None, "seen", "bought", *[None] * 100]
    chosen = settings(events={"types": {"seen": "exposure", "bought": 3.0}})
    known = history(chosen, [batch(pairs, types)], NETWORK, lambda _: None)
    assert known.ids == ("a", "c", "d")
    assert known.examples.inputs.items[1].tolist() == [0, -1]
    assert known.examples.weights[:3].tolist() == [1, 3, 1]


def test_items_are_ordered_by_when_they_were_met_last() -> None:
    pairs = [f"u{n} {'abc'[n % 3]}" for n in range(120)] + ["u0 a", "u1 b"]
    known = history(settings(), [batch(pairs)], NETWORK, lambda _: None)
    assert [known.ids[row] for row in known.rows_by_last_time()] == ["c", "a", "b"]


@pytest.mark.parametrize("pairs", [[], ["u a"] * 99])
def test_too_few_events_are_said(pairs: list[str]) -> None:
    with pytest.raises(FileFormatError, match="too few events to learn from"):
        history(settings(), [batch(pairs)] if pairs else [], NETWORK, lambda _: None)
