from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.base import Events, Floats, Queries
from models.experts.recurrence import Recurrence
from stream.windows import UserWindows
from tests.models.checks import CHECKS, Check, name_of, queries_of
from tests.models.tiny import DAY_S, each, log_features, query, sparse, teach


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
def test_contract(check: Check) -> None:
    check(Recurrence)


def features(expert: Recurrence, queries: Queries, items: int = 3) -> Floats:
    found: Floats = log_features(expert.read(queries), Recurrence.columns, "recurrence", items)[0]
    return found


def history(*items: int) -> list[tuple[int, int]]:
    """Window of these items, newest first, ten seconds apart."""
    return [(item, 100 - 10 * j) for j, item in enumerate(items)]


def log_feature(probability: float) -> float:
    return float(np.log(probability + 1e-4) - np.log(1e-4))


def shares_of(probabilities: Sequence[float], there: int) -> list[float]:
    """Shares of the first depths, of what can come: these and new."""
    some = [float(p) for p in probabilities[:there]]
    return [p / (1 - sum(probabilities) + sum(some)) for p in some]


def test_at_first_the_newest_are_the_likeliest() -> None:
    """Item 2 was met last, then 0 and once more 2, then 1, at depth 2."""
    expected = shares_of([(d + 3) ** -1.5 for d in range(20)], there=3)
    assert features(Recurrence(), query(history(2, 0, 2, 1), now_s=200)) == pytest.approx(
        [log_feature(expected[depth]) for depth in (1, 2, 0)], rel=1e-5
    )


def test_a_depth_is_foreseen_from_the_last_two() -> None:
    """By hand: new, then depth 1, then new; somebody stands where depth 1 came, as the last two were new."""
    expert = Recurrence()
    teach(expert, [(0, 0, 0), (0, 1, 10), (0, 0, 20), (0, 2, 30)])
    shares = [(d + 3) ** -1.5 for d in range(20)]
    # without a context three depths were learned: new, 1, new; where the last one was new the first two of them did
    # come, and where the one before had been none, or new, one each
    for met, events in ((1, 3), (1, 2), (1, 1)):
        shares = [(met * (d == 1) + 3 * p) / (events + 3) for d, p in enumerate(shares)]
    found = expert.read(query(history(9, 8), now_s=200)).score(np.array([[9, 8]], np.int32))[0, :, 0]
    assert found == pytest.approx([log_feature(p) for p in shares_of(shares, there=2)], rel=1e-5)


@pytest.mark.parametrize(("loop", "deep"), [((0, 1), 1), ((0, 1, 2), 2)])
def test_who_goes_round_is_expected_to(loop: tuple[int, ...], deep: int) -> None:
    expert = Recurrence()
    teach(expert, [(0, loop[n % len(loop)], n) for n in range(300)])
    window = history(*reversed([loop[n % len(loop)] for n in range(6)]))
    found = features(expert, query(window, now_s=200), len(loop))
    distinct = list(dict.fromkeys(item for item, _ in window))
    assert found.argmax() == distinct[deep]
    assert found.max() > log_feature(0.9)


class Plain:
    """The same, as the docstring has it, over lists and dictionaries."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str | int, ...], npt.NDArray[np.float64]] = defaultdict(lambda: np.zeros(21))

    @staticmethod
    def depth(window: Sequence[int], item: int) -> int | None:
        distinct = list(dict.fromkeys(window))
        return distinct.index(item) if item in distinct[:20] else None

    def told_by(self, window: Sequence[int]) -> list[tuple[str | int, ...]]:
        last: list[str | int] = []
        for place in (0, 1):
            depth = self.depth(window[place + 1 :], window[place]) if place < len(window) else None
            last.append("none" if place >= len(window) else "new" if depth is None else min(depth, 6))
        return [(), (last[0],), tuple(last)]

    def shares(self, window: Sequence[int], excluded: Sequence[int]) -> dict[int, float]:
        first = (np.arange(20) + 3.0) ** -1.5
        shares = np.append(first, 1 - first.sum())
        for told in self.told_by(window):
            shares = (self.counts[told] + 3 * shares) / (self.counts[told].sum() + 3)
        depths = {item: self.depth(window, item) for item in set(window) - set(excluded)}
        there = {item: shares[depth] for item, depth in depths.items() if depth is not None}
        return {item: share / (sum(there.values()) + shares[20]) for item, share in there.items()}

    def learn(self, window: Sequence[int], item: int) -> None:
        depth = self.depth(window, item)
        for told in self.told_by(window) if window else ():
            self.counts[told][20 if depth is None else depth] += 1


ITEMS = 40


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, ITEMS - 1)), min_size=1, max_size=120),
    st.lists(st.integers(0, ITEMS - 1), max_size=2),
    st.sampled_from([1, 2, 4, ITEMS]),
    st.sampled_from([3, 30, 64]),
)
def test_as_by_the_plain_definition(turns: list[tuple[int, int]], excluded: list[int], some: int, length: int) -> None:
    agree([(user, item % some) for user, item in turns], excluded, length)


@pytest.mark.parametrize("likely", [0.05, 0.2])
def test_as_by_the_plain_definition_of_many_events(likely: float) -> None:
    """Enough of them that every depth has been the last one."""
    random = np.random.default_rng(0)
    taken = np.minimum(random.geometric(likely, 1500) - 1, ITEMS - 1).tolist()
    for more in range(8):  # windows that end differently
        agree([(n % 2, item) for n, item in enumerate(taken[: 1500 - more])], [taken[3]], 64)


def agree(turns: Sequence[tuple[int, int]], excluded: list[int], length: int) -> None:
    """Both read alike what two users have after `turns` of (user, item); `excluded` are barred for the first."""
    expert, plain, windows = Recurrence(), Plain(), UserWindows(length, 3650 * DAY_S * 1000)
    for second, (user, item) in enumerate(turns):
        users, items, times_ms = np.array([user], np.int32), np.array([item], np.int32), np.array([1000 * second])
        before, _ = windows.extend(users, items, times_ms)
        plain.learn(before.items[0, : before.lengths[0]].tolist(), item)
        expert.learn(Events(before, items, np.ones(1, np.float32)))
    views = windows.view(np.array([0, 1], np.int32), np.full(2, 1000 * len(turns)))
    ids = np.tile(np.arange(ITEMS, dtype=np.int32), (2, 1))
    found = expert.read(queries_of(views, [excluded, []])).score(ids)[:, :, 0]
    for user, without in enumerate((excluded, [])):
        shares = plain.shares(views.items[user, : views.lengths[user]].tolist(), without)
        expected = [log_feature(shares.get(item, 0.0)) for item in range(ITEMS)]
        assert found[user] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("loop", [[0], [0, 1], [0, 1, 2]])
def test_who_has_gone_round_for_ever_is_as_sure_as_can_be(loop: list[int]) -> None:
    """What is new is then less likely than can be told from 1."""
    expert = Recurrence()
    teach(expert, [(0, loop[n % len(loop)], n) for n in range(60)])
    counts = expert.state()["counts"].astype(np.float64)
    expert.restore({"counts": counts * 1e6})
    window = history(*reversed([loop[n % len(loop)] for n in range(6)]))
    found = features(expert, query(window, now_s=200), len(loop))
    assert np.isfinite(found).all()
    assert found.max() == pytest.approx(log_feature(1), abs=1e-3)


def test_all_depths_that_are_told_apart_are_proposed() -> None:
    proposed = Recurrence().read(query(history(*range(8)), now_s=200)).propose()
    assert proposed.shape[2] == 20
    assert proposed[0, 0, :8].tolist() == list(range(8))


def test_who_always_takes_new_things_is_expected_to() -> None:
    expert = Recurrence()
    teach(expert, [(0, n, n) for n in range(300)])
    assert features(expert, query(history(2, 1, 0), now_s=200)).max() < log_feature(0.02)


def test_what_is_excluded_leaves_its_share_to_the_others() -> None:
    expert = Recurrence()
    teach(expert, [(0, 0, 0), (0, 1, 10), (0, 0, 20)])
    window = history(2, 0, 1)
    whole, less = (features(expert, query(window, now_s=200, excluded=ids)) for ids in ((), (2, 77)))
    assert less[2] == 0
    assert (less[:2] > 0).all()
    shares = np.exp(whole) * 1e-4 - 1e-4
    assert less[:2] == pytest.approx([log_feature(p / (1 - shares[2])) for p in shares[:2]], rel=1e-4)


def test_first_events_teach_nothing() -> None:
    expert = Recurrence()
    for events in each([(user, 3, 10 * user) for user in range(5)]):
        expert.learn(events)
    assert not expert.state()["counts"].any()


def test_the_reason_is_the_item_itself() -> None:
    reading = Recurrence().read(query(history(1, 0, 0), now_s=200))
    two = np.zeros(2, np.int32)
    assert reading.because(two, two, np.array([0, 9], np.int32)).tolist() == [[1, -1], [-1, -1]]


def test_a_sum_of_probabilities_leaves_room_for_new_things() -> None:
    found = features(Recurrence(), query(history(0, 1, 2), now_s=200))
    total = sum(np.exp(found) * 1e-4 - 1e-4)
    assert 0 < total < 1
    assert found == pytest.approx(sparse([total * s for s in (np.exp(found) * 1e-4 - 1e-4) / total], 1 - total))
