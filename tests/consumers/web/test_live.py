import json
from typing import Any

import msgspec
import numpy as np
import pytest

from consumers.pipeline import Learned, Outputs
from consumers.serving.observer import Role
from consumers.web.live import LiveView, NewestLists
from models.metrics import MISS
from stream.log import OutputRecord

NOW = 1_772_368_000_000
MISSED = int(MISS)


def sent(user: str, body: object = None) -> OutputRecord:
    return OutputRecord("out", 0, user.encode(), json.dumps({"user_id": user, "body": body}).encode())


def erased(user: str) -> OutputRecord:
    return OutputRecord("out", 0, user.encode(), None)


def learned(ranks: list[list[int]], known: list[bool], published: list[int]) -> Learned:
    """Events of which those with a rank that was published, at least 0, had a list."""
    n = len(ranks)
    zeros = np.zeros(n, np.int32)
    places = np.array(published, np.int32)
    return Learned(
        users=zeros,
        items=zeros,
        times_ms=zeros.astype(np.int64),
        ranks=np.array(ranks, np.int32),
        with_history=np.array(known),
        items_met=zeros.astype(np.int64),
        published=np.where(places < 0, MISS, places),
        list_ages_ms=np.where(places < 0, -1, 5).astype(np.int64),
    )


@pytest.fixture
def view() -> LiveView:
    view = LiveView("task", ["popular", "list"])
    view.takes(Role.LEADER)
    return view


def shown(value: object) -> Any:
    """As the page gets it."""
    return json.loads(msgspec.json.encode(value))


def test_before_anything_has_happened_all_is_empty(view: LiveView) -> None:
    now, quality = shown(view.now()), shown(view.quality())
    assert now["totals"] == {"events": 0, "lists": 0, "dead_letters": 0}
    assert (now["events_per_s"], now["end_to_end_s"], now["lists"]) == (None, {"p50": None, "p99": None}, [])
    assert quality["newest"] == {
        "events": 0,
        "scorers": {"popular": {"hr": None, "ndcg": None}, "list": {"hr": None, "ndcg": None}},
    }
    assert quality["published"] == {"events": 0, "hr": None, "ndcg": None}


def test_a_batch_is_shown_with_its_rate_its_lag_and_its_latency(view: LiveView) -> None:
    view.behind(0, None, NOW)
    dead = OutputRecord("in.dlq", 0, None, b"x")
    outputs = Outputs(
        lists=[sent("a"), sent("b")], dead=[dead], reasons=["bad_json"], accepted=2, exposures=1, duplicates=1
    )
    view.answered(outputs, [NOW - 100, NOW - 200, NOW - 400], NOW)
    view.behind(7, NOW - 1_500, NOW + 2_000)

    now = shown(view.now())
    assert now["application"] == "task"
    assert now["totals"] == {"events": 5, "lists": 2, "dead_letters": 1}
    assert now["dead_letters"] == {"bad_json": 1}
    assert now["events_per_s"] == 2.5
    assert now["end_to_end_s"]["p50"] == pytest.approx(0.2, rel=0.1)
    assert now["end_to_end_s"]["p99"] == pytest.approx(0.4, rel=0.1)
    traffic = now["traffic"]
    assert traffic["at_ms"] == [NOW, NOW + 2_000]
    assert traffic["events_per_s"] == [None, 2.5]
    assert traffic["lag_records"] == [0, 7]
    assert traffic["lag_s"] == [0.0, 3.5]
    assert traffic["p99_s"][0] is None
    assert [(one["at_ms"], one["list"]["user_id"]) for one in now["lists"]] == [(NOW, "b"), (NOW, "a")]


def test_the_rate_is_of_the_last_ten_seconds(view: LiveView) -> None:
    for second in range(60):
        view.answered(Outputs(accepted=1_000 if second < 40 else 10), [], NOW)
        view.behind(0, None, NOW + 1_000 * second)
    assert view.now()["events_per_s"] == 10


def test_looks_are_bounded(view: LiveView) -> None:
    for second in range(1_000):
        view.behind(second, None, NOW + 1_000 * second)
    lags = view.now()["traffic"]["lag_records"]
    assert len(lags) == 300
    assert lags[-1] == 999


def test_a_user_has_the_newest_list_and_nobody_else_s(view: LiveView) -> None:
    view.answered(Outputs(lists=[sent("a", 1), sent("b", 2), sent("a", 3)]), [], NOW)
    assert shown(view.list_of("a"))["list"]["body"] == 3
    assert shown(view.list_of("b"))["list"]["body"] == 2
    assert view.list_of("c") is None


def test_an_erased_user_is_gone_with_the_commit_of_the_erasure(view: LiveView) -> None:
    view.answered(Outputs(lists=[sent("a"), sent("b")]), [], NOW)
    view.answered(Outputs(lists=[erased("a"), erased("never seen")]), [], NOW)
    assert view.list_of("a") is None
    now = shown(view.now())
    assert [one["list"]["user_id"] for one in now["lists"]] == ["b"]
    assert now["totals"]["lists"] == 2

    view.answered(Outputs(lists=[sent("b"), erased("b"), sent("b", "of a new user")]), [], NOW)
    assert shown(view.list_of("b"))["list"]["body"] == "of a new user"


@pytest.mark.parametrize("role", [Role.RECOVERING, Role.STANDBY])
def test_who_leads_no_more_shows_no_list(view: LiveView, role: Role) -> None:
    view.answered(Outputs(lists=[sent("a")]), [], NOW)
    view.behind(0, None, NOW)
    view.takes(role)
    now = shown(view.now())
    assert view.list_of("a") is None
    assert now["lists"] == []
    assert now["traffic"]["at_ms"] == []
    assert now["totals"]["lists"] == 1


def test_lists_are_bounded_by_their_bytes_and_the_oldest_go_first() -> None:
    lists = NewestLists(most_bytes=100)
    for number in range(10):
        lists.add([OutputRecord("out", 0, b"u%d" % number, b'"%s"' % (b"x" * 28))], number)
    assert [one.at_ms for one in lists.newest(10)] == [9, 8, 7]
    lists.add([OutputRecord("out", 0, b"u7", b'"%s"' % (b"y" * 28))], 10)
    lists.add([OutputRecord("out", 0, b"u10", b'"%s"' % (b"x" * 28))], 11)
    assert [one.at_ms for one in lists.newest(2)] == [11, 10]
    assert lists.of("u8") is None
    lists.add([OutputRecord("out", 0, b"huge", b'"%s"' % (b"x" * 200))], 12)
    assert lists.newest(10) == []
    lists.add([OutputRecord("out", 0, b"small", b'""')], 13)
    assert [one.at_ms for one in lists.newest(10)] == [13]


def test_quality_is_of_users_met_before_and_of_lists_that_were_out(view: LiveView) -> None:
    view.learned(learned([[0, 1], [20, 0], [0, 0], [MISSED, MISSED]], [True, True, False, True], [0, -1, -1, 12]))
    quality = shown(view.quality())
    assert quality["newest"]["events"] == 3
    assert quality["newest"]["scorers"] == {
        "popular": {"hr": 0.3333, "ndcg": 0.3333},
        "list": {"hr": 0.6667, "ndcg": round((1 + 1 / np.log2(3)) / 3, 4)},
    }
    assert quality["events"] == [3]
    assert quality["curves"]["list"]["hr"] == [0.6667]
    assert quality["published"] == {"events": 2, "hr": 0.5, "ndcg": 0.5}


def test_a_curve_shows_how_it_went_and_the_table_how_it_goes(view: LiveView) -> None:
    for rank in (30, 0):
        for _ in range(50):
            view.learned(learned([[rank, rank]] * 50, [True] * 50, [-1] * 50))
    quality = shown(view.quality())
    assert quality["newest"]["events"] == 2_000
    assert quality["newest"]["scorers"]["list"]["hr"] == 1.0
    assert quality["events"][-1] == 5_000
    assert quality["curves"]["list"]["hr"] == [0.0] * 50 + [1.0] * 50


def test_what_is_sent_stays_small_however_long_it_runs() -> None:
    view = LiveView("task", [f"expert_{number}" for number in range(30)] + ["list"])
    for _ in range(2_000):
        view.learned(learned([[3] * 31] * 64, [True] * 64, [3] * 64))
    assert len(msgspec.json.encode(view.quality())) < 100_000
