"""Streams and windows small enough to work out by hand; times are whole seconds after a Monday midnight (UTC)."""

from collections.abc import Sequence

import numpy as np

from models.base import Column, Events, Expert, Floats, Queries, Reading, Rows
from models.measuring.wrapped import Wrapped
from stream.windows import UserWindows, WindowView

MONDAY_S = 1_735_516_800  # 2024-12-30T00:00Z
LENGTH = 8
HOUR_S = 3_600
DAY_S = 86_400

Entry = tuple[int, int]  # item, seconds


def view(
    *histories: Sequence[Entry], now_s: int, users: Sequence[int] | None = None, kinds: Sequence[Sequence[int]] = ()
) -> WindowView:
    """One window for each history, newest entry first, all seen at `now_s`.

    Users are 0, 1, ... and kinds 0 unless given.
    """
    items = np.full((len(histories), LENGTH), -1, np.int32)
    times_ms = np.zeros((len(histories), LENGTH), np.int64)
    for b, history in enumerate(histories):
        for j, (item, second) in enumerate(history):
            items[b, j], times_ms[b, j] = item, (MONDAY_S + second) * 1000
    done = np.zeros(items.shape, np.uint8)
    for b, of_one in enumerate(kinds):
        done[b, : len(of_one)] = of_one
    return WindowView(
        np.array(range(len(histories)) if users is None else users, np.int32),
        np.full(len(histories), (MONDAY_S + now_s) * 1000, np.int64),
        items,
        times_ms,
        np.array([len(history) for history in histories], np.int32),
        done,
    )


def query(
    *histories: Sequence[Entry], now_s: int, excluded: Sequence[int] = (), kinds: Sequence[Sequence[int]] = ()
) -> Queries:
    """Queries for windows as in `view`; `excluded` holds for each of them."""
    windows = view(*histories, now_s=now_s, kinds=kinds)
    starts = np.arange(len(histories) + 1, dtype=np.int64) * len(excluded)
    return Queries(windows, starts, np.tile(np.array(excluded, np.int32), len(histories)))


def each(stream: Sequence[tuple[int, ...]], weight: float = 1.0) -> list[Events]:
    """Events (user, item, seconds[, kind]), each a batch of its own, with the windows that the earlier ones make."""
    windows = UserWindows(LENGTH, 3650 * DAY_S * 1000)
    batches = []
    for user, item, second, *said in stream:
        items, times_ms = np.array([item], np.int32), np.array([(MONDAY_S + second) * 1000], np.int64)
        kinds = np.array(said or [0], np.uint8)
        before, _ = windows.extend(np.array([user], np.int32), items, times_ms, kinds)
        batches.append(Events(before, items, np.array([weight], np.float32), kinds=kinds))
    return batches


def teach(expert: Expert, stream: Sequence[tuple[int, int, int]]) -> None:
    """Let an expert learn a stream of (user, item, seconds), one by one."""
    for events in each(stream):
        expert.learn(events)


class Reader(Wrapped):
    """An expert that learns nothing, and the one whose table it reads, as one."""

    def __init__(self, reader: Expert, learner: Expert) -> None:
        super().__init__(learner)
        self._reader = reader
        self.name, self.columns = reader.name, reader.columns

    def read(self, queries: Queries) -> Reading:
        """See Expert."""
        return self._reader.read(queries)


def log_features(reading: Reading, columns: Sequence[Column], name: str, items: int) -> Floats:
    """Log features (B, items) of the items 0, 1, ... in the column of that name."""
    e = [column.name for column in columns].index(name)
    queries = len(reading.propose())
    candidates: Rows = np.tile(np.arange(items, dtype=np.int32), (queries, 1))
    features: Floats = reading.score(candidates)[:, :, e]
    return features


def sparse(scores: Sequence[float], prior: float = 0.0) -> Floats:
    """Log features of raw scores as `models.experts.evidence` defines them."""
    raw = np.array(scores)
    features: Floats = (np.log(raw / (raw.sum() + prior) + 1e-4) - np.log(1e-4)).astype(np.float32)
    return features


def hours(counts: list[list[int]], first: int = 0) -> list[tuple[int, int, int]]:
    """Events (user, item, seconds) of hours with these counts of the items 0, 1, ..."""
    return [
        (0, item, (first + hour) * HOUR_S + n)
        for hour, row in enumerate(counts)
        for item, count in enumerate(row)
        for n in range(count)
    ]
