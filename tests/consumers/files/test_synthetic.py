from collections import Counter
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pytest

from consumers.files.reading import EventBatch, EventFile
from consumers.files.synthetic import main, synthetic


def whole(events: int, seed: int = 1) -> list[tuple[int, str, str]]:
    batches: list[EventBatch] = list(synthetic(events, seed))
    return list(
        chain.from_iterable(zip(batch.times_ms.tolist(), batch.users, batch.items, strict=True) for batch in batches)
    )


def test_a_seed_decides_the_stream_and_a_longer_one_begins_with_the_shorter() -> None:
    assert whole(3_000) == whole(5_000)[:3_000]
    assert whole(1_000, seed=1) != whole(1_000, seed=2)


def test_rows_count_on_and_times_never_go_back() -> None:
    batches = list(synthetic(2_000))

    assert np.concatenate([batch.rows for batch in batches]).tolist() == list(range(2_000))
    assert np.all(np.diff(np.concatenate([batch.times_ms for batch in batches])) >= 0)


def test_there_is_something_to_learn_for_each_family_of_experts() -> None:
    stream = whole(20_000)
    start, days = stream[0][0], (stream[-1][0] - stream[0][0]) / 86_400_000
    by_user: dict[str, list[tuple[int, str]]] = {}
    repeats = 0
    for time, user, item in stream:
        repeats += item in {earlier for _, earlier in by_user.get(user, [])[-20:]}
        by_user.setdefault(user, []).append((time, item))
    steps = Counter(
        (before, after)
        for events in by_user.values()
        for (earlier, before), (later, after) in pairwise(events)
        if later - earlier < 600_000
    )
    best: dict[str, int] = {}
    for (before, _), count in steps.items():
        best[before] = max(best.get(before, 0), count)
    hours = Counter(time // 3_600_000 % 24 for time, _, _ in stream)
    first_seen: dict[str, int] = {}
    for time, _, item in stream:
        first_seen.setdefault(item, time)

    assert 3 < days < 10
    assert 400 < len(by_user) <= 600
    assert 0.2 < repeats / len(stream) < 0.5
    assert sum(best.values()) / sum(steps.values()) > 0.2  # of the steps are the commonest one from their song
    assert hours[20] > 2 * hours[8]
    assert sum(first > start + 86_400_000 for first in first_seen.values()) > 20  # songs came out later


def test_as_a_file_it_is_read_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["synthetic", "700"])
    main()
    path = tmp_path / "events.csv"
    path.write_text(capsys.readouterr().out)

    read = [row for part in EventFile(path) for row in zip(part.times_ms.tolist(), part.users, part.items, strict=True)]
    assert read == whole(700)
