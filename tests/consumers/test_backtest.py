import math
from dataclasses import replace

import numpy as np
import pytest

from consumers.backtest import backtest
from consumers.files import EventBatch
from stream.errors import FileFormatError
from tests.consumers.stream import MINUTE, NOON, round_robin, settings


def events(pairs: list[str], order: list[int] | None = None) -> list[EventBatch]:
    places = order if order is not None else list(range(len(pairs)))
    users, items = zip(*(pairs[place].split() for place in places), strict=True)
    times = NOON + MINUTE * np.array(places, np.int64)
    return [EventBatch(np.arange(len(places)), list(users), list(items), times)]


def test_a_stream_of_one_item_is_foreseen_from_the_second_event_on() -> None:
    figures = backtest(settings(), events(["u1 a"] * 20), batch=1, progress=lambda _: None).figures
    assert figures["with_history"] == {"hr@10": 1.0, "ndcg@10": 1.0, "mrr": 1.0, "events": 18}
    assert figures["published"] == figures["with_history"]
    assert (figures["events"], figures["users"], figures["items"]) == (20, 1, 1)


def test_the_first_tenth_is_not_measured_and_new_users_count_only_in_all() -> None:
    figures = backtest(settings(), events([f"u{n} a" for n in range(20)]), batch=1, progress=lambda _: None).figures
    assert (figures["all"]["events"], figures["with_history"]["events"]) == (18, 0)
    assert figures["all"]["hr@10"] == 1.0  # popularity needs no history
    assert (figures["published"]["hr@10"], figures["published"]["events"]) == (0.0, 0)


def test_new_items_are_misses() -> None:
    figures = backtest(settings(), events([f"u1 i{n}" for n in range(20)]), batch=1, progress=lambda _: None).figures
    assert figures["with_history"] == {"hr@10": 0.0, "ndcg@10": 0.0, "mrr": 0.0, "events": 18}


def test_a_file_out_of_order_is_learned_in_the_order_of_time() -> None:
    pairs = round_robin(20)
    mixed = list(np.random.default_rng(1).permutation(len(pairs)))
    straight, shuffled = (
        backtest(settings(), stream, batch=4, progress=lambda _: None).figures
        for stream in (events(pairs), events(pairs, mixed))
    )
    for key in ("all", "with_history", "published", "experts", "mixture"):
        assert straight[key] == shuffled[key]


def test_figures_have_all_that_readers_were_promised() -> None:
    calls: list[int] = []
    report = backtest(settings(), events(round_robin(20)), batch=8, progress=calls.append)
    figures = report.figures
    assert {"events", "users", "items", "all", "with_history", "published", "experts", "events_per_second"} <= set(
        figures
    )
    assert (figures["training_share"], figures["batch"], figures["seed"]) == (1.0, 8, 1)
    assert figures["settings"]["windows"]["length"] == 64
    assert {"hr@10", "ndcg@10", "mrr"} <= set(figures["experts"]["last_transition"]["with_history"])
    assert sum(calls) == figures["events"] == 60
    assert [name for name, _ in report.rows()][:2] == ["list", "mixture"]
    assert all(math.isfinite(value) for _, row in report.rows() for value in row.values())


def test_too_few_events_end_in_a_sentence() -> None:
    with pytest.raises(FileFormatError, match="give it at least 10"):
        backtest(settings(), events(["u1 a"] * 3), batch=1, progress=lambda _: None)


def test_a_stream_that_is_rejected_is_told_why() -> None:
    stream = [replace(part, times_ms=part.times_ms - 2 * NOON) for part in events(["u1 a"] * 20)]
    stream += [replace(part, users=[""] * 5) for part in events(["u1 a"] * 5)]
    with pytest.raises(
        FileFormatError, match=r"0 events .* \(25 were rejected, most often as impossible_time\), too few"
    ):
        backtest(settings(), stream, batch=4, progress=lambda _: None)
