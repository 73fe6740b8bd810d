import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from consumers.backtest import Trial, backtest
from consumers.durations import Duration
from consumers.files.items import read_items
from consumers.files.reading import EventBatch
from consumers.measuring.variants import Variant
from models.metrics import MISS
from stream.errors import FileFormatError
from tests.consumers.stream import MINUTE, NOON, round_robin, settings

HOUR = 60 * MINUTE


def events(pairs: list[str], order: list[int] | None = None, apart_ms: int = MINUTE) -> list[EventBatch]:
    places = order if order is not None else list(range(len(pairs)))
    users, items = zip(*(pairs[place].split() for place in places), strict=True)
    times = NOON + apart_ms * np.array(places, np.int64)
    return [EventBatch(np.arange(len(places)), list(users), list(items), times)]


def run(stream: list[EventBatch], variant: Variant | None = None, batch: int = 1) -> Trial:
    return backtest(settings(), stream, batch=batch, variant=variant, progress=lambda _: None)


def test_a_stream_of_one_item_is_foreseen_from_the_second_event_on() -> None:
    trial = run(events(["u1 a"] * 20))
    assert trial.of("list").tolist() == trial.published.tolist() == [MISS] + [0] * 19


def test_the_first_tenth_is_warm_up() -> None:
    assert run(events(["u1 a"] * 25)).measured().tolist() == [False] * 2 + [True] * 23


def test_new_users_have_no_published_list_but_are_tested() -> None:
    trial = run(events([f"u{n} a" for n in range(20)]))
    assert trial.of("list").tolist() == [MISS] + [0] * 19  # popularity needs no history
    assert (trial.published == MISS).all()


def test_new_items_are_misses() -> None:
    assert (run(events([f"u1 i{n}" for n in range(20)])).of("list") == MISS).all()


def test_users_and_items_keep_their_numbers_when_rows_are_given_away() -> None:
    pairs = [f"u{n % 30} i{n % 30}" for n in range(60)]  # more than the ten of each that there is room for
    tight = settings(windows={"users": 10}, models={"items": 10})
    trial = backtest(tight, events(pairs), batch=2, progress=lambda _: None)
    assert trial.stream.users.tolist() == trial.stream.items.tolist() == [n % 30 for n in range(60)]
    assert trial.stream.times_ms.tolist() == [NOON + n * MINUTE for n in range(60)]


def test_a_file_out_of_order_is_learned_in_the_order_of_time() -> None:
    pairs = round_robin(20)
    mixed = list(np.random.default_rng(1).permutation(len(pairs)))
    straight, shuffled = (run(stream, batch=4) for stream in (events(pairs), events(pairs, mixed)))
    assert (straight.ranks == shuffled.ranks).all()
    assert (straight.published == shuffled.published).all()


def test_progress_counts_every_event() -> None:
    calls: list[int] = []
    trial = backtest(settings(), events(round_robin(20)), batch=8, progress=calls.append)
    assert sum(calls) == len(trial) == 60
    assert max(calls) == 8


def test_what_is_deferred_is_learned_at_the_next_full_hour_of_event_time() -> None:
    trial = run(events(["u1 a", "u2 a"] * 12, apart_ms=10 * MINUTE), Variant(update_every=Duration.parse("1h")))
    # From noon six events an hour. In the first hour nothing is known; from the second on popularity is.
    assert trial.of("popular_ever").tolist() == [MISS] * 6 + [0] * 18
    # The users' own windows are up to date all the time, before anything is learned.
    assert trial.of("own_recent").tolist() == [MISS, MISS] + [0] * 22


def test_a_frozen_run_learns_the_first_part_and_follows_the_windows() -> None:
    pairs = ["u1 a", "u2 a"] * 16 + ["u3 b", "u4 b"] * 16
    trial = run(events(pairs), Variant(freeze_after=0.5))
    popular, own = trial.of("popular_ever"), trial.of("own_recent")
    assert popular[1:32].tolist() == [0] * 31
    assert popular[32:].tolist() == [MISS] * 32  # b is never learned
    assert own[34:].tolist() == [0] * 30


def test_a_batch_may_hold_what_cannot_be_read_without_an_early_lesson() -> None:
    stream = events(["u1 a", "u2 a"] * 12, apart_ms=10 * MINUTE)
    broken = replace(stream[0].take(np.array([3])), users=[""])
    trial = run([*stream, broken], Variant(update_every=Duration.parse("1h")))
    assert trial.rejected == 1
    assert trial.of("popular_ever").tolist() == [MISS] * 6 + [0] * 18


def test_too_few_events_end_in_a_sentence() -> None:
    for stream in ([], events(["u1 a"] * 3)):
        with pytest.raises(FileFormatError, match="give it at least 10"):
            run(stream)


def test_a_stream_that_is_rejected_is_told_why() -> None:
    stream = [replace(part, times_ms=part.times_ms - 2 * NOON) for part in events(["u1 a"] * 20)]
    stream += [replace(part, users=[""] * 5) for part in events(["u1 a"] * 5)]
    with pytest.raises(
        FileFormatError, match=r"0 events .* \(25 were rejected, most often as impossible_time\), too few"
    ):
        run(stream, batch=4)


def test_what_is_told_of_an_item_lets_its_first_event_be_foreseen(tmp_path: Path) -> None:
    told_of = settings(items={"topic": "items"})
    path = tmp_path / "items.jsonl.gz"
    like = '{"item_id": "%s", "published_at": %d, "attributes": {"kind": "%s"}}\n'
    last = NOON + 39 * MINUTE
    lines = [like % (item, NOON, "x" if item == "a" else "y") for item in "ab"]
    lines += [like % ("n", last, "x"), like % ("o", last + 1, "x"), '{"item_id": "c", "attributes": {"kind": "y"}}\n']
    path.write_bytes(gzip.compress("".join(lines).encode()))
    stream = events([f"u{n % 3} {'ab'[n % 2]}" for n in range(39)] + ["u1 n"])

    trial = backtest(told_of, stream, batch=4, progress=lambda _: None, items=read_items(path, told_of))

    assert trial.ranks[-1, trial.scorers.index("like_attributes")] < MISS
    assert trial.of("list")[-1] < MISS
    assert backtest(told_of, stream, batch=4, progress=lambda _: None).of("list")[-1] == MISS


def test_a_line_that_tells_of_no_item_is_named(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text('{"item_id": "a"}\n{"item_id": ""}\n')
    with pytest.raises(FileFormatError, match=r"^Line 2 of .*items\.jsonl tells of no item: `item_id` must have"):
        read_items(path, settings(items={"topic": "items"}))
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_items(tmp_path / "nowhere.jsonl", settings(items={"topic": "items"}))
