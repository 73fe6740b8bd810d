import numpy as np
import pytest

from models.experts.ages import Ages
from stream.events import Item
from tests.models.checks import CHECKS, Check, bytes_of, name_of
from tests.models.tiny import DAY_S, HOUR_S, MONDAY_S, each, log_features, query, teach

MINUTE_S = 60


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
def test_contract(check: Check) -> None:
    check(Ages)


def scores(expert: Ages, now_s: int, items: int) -> list[float]:
    """Scores of the items 0, 1, ... by the mean of those when the leaders were chosen."""
    found = log_features(expert.read(query([], now_s=now_s)), expert.columns, "by_age", items)[0]
    return [float(score) for score in np.expm1(found)]


def test_a_rate_is_what_an_item_would_have_had_it_been_there_for_ever() -> None:
    expert = Ages()
    # Item 0 is there for a day, item 1 for an hour; of each four events within the last hour, and nothing told of ages.
    old = [(0, 0, -DAY_S)]
    teach(
        expert, sorted([*old, *[(0, item, 600 * n) for n in range(4) for item in (0, 1)]], key=lambda event: event[2])
    )
    state = expert.state()
    state["ages"][:] = 0
    expert.restore(state)
    one_day, one_hour = scores(expert, HOUR_S, 2)
    weights = np.exp2(np.array([600 * n for n in range(4)]) / (6 * HOUR_S)).sum() + np.array([2.0**-4, 0])
    rates = weights / (1 - np.exp2(-np.array([25, 1]) / 6))
    assert one_hour / one_day == pytest.approx(rates[1] / rates[0], rel=0.2)  # ages fall into bins of half an octave
    assert one_hour > 5 * one_day


def test_where_only_what_is_new_is_met_age_says_so() -> None:
    expert = Ages()
    # Every hour an item appears, is met eight times within eight minutes, and never again.
    teach(expert, [(0, hour, hour * HOUR_S + MINUTE_S * minute) for hour in range(60) for minute in range(8)])
    teach(expert, [(0, 60, 60 * HOUR_S)])
    ages = expert.state()["ages"]
    assert ages[0, :2].sum() > 0.99 * ages[0].sum(), "events meet the youngest"
    assert ages[1, :2].sum() < 0.3 * ages[1].sum(), "which are few among all"
    # Five minutes later the new one, met once, is before the last one, met eight times.
    assert expert.read(query([], now_s=60 * HOUR_S + 5 * MINUTE_S)).propose()[0, 0, :2].tolist() == [60, 59]


def test_where_items_are_met_at_any_age_it_says_nothing() -> None:
    expert = Ages()
    teach(expert, [(0, n * 7 % 10, MINUTE_S * n) for n in range(3_000)])
    ages = expert.state()["ages"]
    often = ages.min(axis=0) > 100
    assert often.any()
    assert ages[0, often] / ages[1, often] == pytest.approx(1, abs=0.25)


def test_an_age_begins_with_the_publication_where_that_is_told() -> None:
    expert = Ages()
    hour_ago = int((MONDAY_S - HOUR_S) * 1000)
    expert.stock(
        np.array([2, 1], np.int32),
        [Item(item_id="x", available=True, published_ms=hour_ago), Item(item_id="y", available=True)],
    )
    assert not expert.read(query([], now_s=0)).score(np.array([[0, 1, 2]], np.int32)).any(), "nobody has met them"
    teach(expert, [(0, 1, 0), (0, 2, 0)])
    assert expert.state()["table"][1:, 0].tolist() == [MONDAY_S * 1000, hour_ago]
    assert scores(expert, 0, 3)[1] > scores(expert, 0, 3)[2] > 0
    first = expert.state()["table"].tobytes()
    late = Item(item_id="y", available=True, published_ms=MONDAY_S * 1000 + 1)
    expert.stock(np.array([1], np.int32), [late])
    assert expert.state()["table"].tobytes() == first, "met before it was published: it is as old as its first event"
    expert.forget_items(np.array([False, True, True]))
    teach(expert, [(0, 2, 60)])
    assert expert.state()["table"][2, 0] == (MONDAY_S + 60) * 1000


def leaders(expert: Ages) -> list[int]:
    return [row for row in expert.state()["leaders"].tolist() if row >= 0]


@pytest.mark.parametrize(("days", "left"), [(15, 2.0**-60), (10 * 365, 0)])
def test_after_a_silence_only_what_is_met_now_counts(days: int, left: float) -> None:
    expert = Ages()
    teach(expert, [(0, n % 2, 0) for n in range(8)])
    assert leaders(expert) == [0, 1]
    teach(expert, [(0, 2, days * DAY_S)])
    weights = expert.state()["table"][:, 1]
    assert weights.tolist() == pytest.approx([4 * left, 4 * left, 1], rel=1e-9)
    assert leaders(expert)[0] == 2
    found = scores(expert, days * DAY_S, 3)
    assert np.isfinite(found).all()
    assert found[2] > 1 > found[0]


def of_a_long_stream() -> Ages:
    """Return one that has learned so much that its leaders, the items 0 and 1, are rarely chosen anew."""
    expert = Ages()
    teach(expert, [(0, n % 2, 0) for n in range(8)])
    state = expert.state()
    state["learned"][:] = 200_000
    expert.restore(state)
    return expert


def test_leaders_of_a_long_stream_are_chosen_after_128_events() -> None:
    expert, restored = of_a_long_stream(), of_a_long_stream()
    teach(expert, [(0, 2, 10)] * 127)
    assert leaders(expert) == [0, 1]
    restored.restore(expert.state())
    for one in (expert, restored):
        teach(one, [(0, 2, 10)])
        assert leaders(one) == [2, 0, 1]


def test_leaders_of_a_long_stream_are_chosen_after_three_quarters_of_an_hour() -> None:
    expert = of_a_long_stream()
    teach(expert, [(0, 2, 45 * MINUTE_S)])
    assert leaders(expert) == [0, 1]
    teach(expert, [(0, 2, 45 * MINUTE_S + 1)])
    assert sorted(leaders(expert)) == [0, 1, 2]


def test_what_comes_late_does_not_turn_back_the_time() -> None:
    on_time, late = Ages(), Ages()
    stream = [(0, n // 4, n * HOUR_S // 4) for n in range(200)]
    teach(on_time, stream)
    teach(late, [*stream, (0, 0, 0)])
    now_s = 50 * HOUR_S
    assert leaders(late) == leaders(on_time)
    assert scores(late, now_s, 50)[40:] == pytest.approx(scores(on_time, now_s, 50)[40:], rel=0.01)


def test_events_weigh_as_they_are_told_to() -> None:
    expert = Ages()
    for events in [*each([(0, 0, 0)], weight=3), *each([(0, 1, 0)])]:
        expert.learn(events)
    assert expert.state()["table"][:, 1].tolist() == [3, 1]
    assert leaders(expert) == [0, 1]


def test_forgotten_leaders_lead_no_more() -> None:
    expert = Ages()
    teach(expert, [(0, n % 3, n) for n in range(9)])
    expert.forget_items(np.array([True, False, True]))
    assert leaders(expert) == [1]
    assert expert.read(query([], now_s=9)).propose()[0, 0, :2].tolist() == [1, -1]


def test_bytes_of_an_item() -> None:
    expert = Ages()
    teach(expert, [(0, 0, 0)])
    one = bytes_of(expert.state())
    teach(expert, [(0, item, 1) for item in range(1, 500)])
    assert bytes_of(expert.state()) - one == 499 * 16
