import numpy as np
import pytest

from models.measuring.floors import DAY_S, Counting, OwnItems, floors
from models.measuring.streams import Stream
from models.metrics import MISS


def stream(pairs: str, seconds: list[float] | None = None) -> Stream:
    """Pairs such as ``"0a 1b"``, all at once unless `seconds` are given."""
    users = [int(pair[0]) for pair in pairs.split()]
    items = ["abcdef".index(pair[1]) for pair in pairs.split()]
    times = np.array(seconds or [0.0] * len(users)) * 1000
    return Stream(np.array(users, np.int32), np.array(items, np.int32), times.astype(np.int64))


def test_popularity_ranks_by_count_and_ties_count_against() -> None:
    events = stream("0a 1a 2b 3b 4c 5a 6c")
    # Before each: nothing; a 1; a 2; a 2, b 1; a 2, b 2; a 2, b 2, c 1; a 3, b 2, c 1.
    assert Counting().ranks(events, unseen=False).tolist() == [MISS, 0, MISS, 1, MISS, 1, 2]


def test_popularity_fades_by_its_half_life() -> None:
    pairs, seconds = "0a 1a 2a 3b 4b 5a", [0, 0, 0, DAY_S, DAY_S, DAY_S]
    assert Counting(half_life_s=3650 * DAY_S).ranks(stream(pairs, seconds), unseen=False)[-1] == 0  # 3 against 2
    assert Counting(half_life_s=DAY_S).ranks(stream(pairs, seconds), unseen=False)[-1] == 1  # 1.5 against 2


def test_a_silence_of_years_leaves_the_ranking_finite() -> None:
    ranks = Counting(half_life_s=6 * 3600).ranks(stream("0a 1b 2b 3a 4b", [0, 0, 3e8, 3e8, 3e8]), unseen=False)
    assert ranks.tolist() == [MISS, MISS, MISS, MISS, 1]  # what was counted ten years ago is nothing; then a tie


def test_followers_of_the_last_item_come_first_and_popularity_breaks_in() -> None:
    # At the last event user 2 has a. It was followed by b and by c once each: 1 / (2 + 5) = .143 for both, and their
    # prior .1 x 1 / 5 = .02; a itself has .1 x 3 / 5 = .06. So c ties with b and counts against it.
    floor = Counting(window=1, prior=0.1)
    assert floor.ranks(stream("0a 0b 1a 1c 2a 2b"), unseen=False)[-1] == 1
    # With b once more popular its prior is .1 x 2 / 6 = .033: first.
    assert floor.ranks(stream("3b 0a 0b 1a 1c 2a 2b"), unseen=False)[-1] == 0
    # With a strong prior a is above both: 3 x 3 / 5 = 1.8 against .143 + 3 x 1 / 5.
    assert Counting(window=1, prior=3.0).ranks(stream("0a 0b 1a 1c 2a 2b"), unseen=False)[-1] == 2


def test_only_both_ways_know_what_came_before() -> None:
    pairs = "0b 0a 1a 1c 2a 2b"
    assert Counting(window=1, prior=0.01).ranks(stream(pairs), unseen=False)[-1] == 2
    assert Counting(window=1, prior=0.01, both_ways=True).ranks(stream(pairs), unseen=False)[-1] == 1


def test_unseen_leaves_the_users_earlier_items_out() -> None:
    pairs = "0a 1a 2a 3b 3c 0b 0b 0c"
    assert Counting().ranks(stream(pairs), unseen=False)[5:].tolist() == [2, 1, 2]
    assert Counting().ranks(stream(pairs), unseen=True)[5:].tolist() == [1, 0, 0]  # the last without a and b


def test_own_items_fade_by_their_place() -> None:
    # Before the last event: a at places 1 and 3 has .9 + .729, b at 0 and 2 has 1 + .81, c was never met by user 0.
    assert OwnItems().ranks(stream("0a 0b 0a 0b 0a"), unseen=False).tolist() == [MISS, MISS, 1, 1, 1]
    assert OwnItems().ranks(stream("1c 0a 0b 0c"), unseen=False)[-1] == MISS
    assert OwnItems(window=1).ranks(stream("0a 0b 0a"), unseen=False)[-1] == MISS


def test_there_are_ten_floors_and_nine_where_nothing_comes_again() -> None:
    assert len(floors(unseen=False)) == 10
    assert set(floors(unseen=False)) - set(floors(unseen=True)) == {"own_items"}


def naive(floor: Counting, events: Stream, unseen: bool) -> list[int]:
    """The same, written as the formula: every item is scored for every event."""
    users, items = int(events.users.max()) + 1, int(events.items.max()) + 1
    pairs, norms, popularity = np.zeros((items, items), np.float32), np.zeros(items), np.zeros(items)
    last: list[list[int]] = [[] for _ in range(users)]
    ranks: list[int] = []
    then = 0.0
    for user, item, now in zip(*(column.tolist() for column in events), strict=True):
        popularity *= 0.5 ** ((now - then) / 1000 / floor.half_life_s)
        then = now
        scores = floor.prior * popularity / (1e-9 + popularity.sum())
        for j, other in enumerate(last[user][: floor.window]):
            scores += floor.decay**j * pairs[other] / (norms[other] ** floor.discount + 5)
        above = np.flatnonzero(scores >= scores[item] - 1e-12).tolist()
        ranks.append(
            len(set(above) - {item} - (set(last[user]) if unseen else set())) if scores[item] > 0 else int(MISS)
        )
        for j, other in enumerate(last[user][: floor.window]):
            pairs[other, item] += floor.decay**j
            norms[other] += floor.decay**j
            if floor.both_ways:
                pairs[item, other] += floor.decay**j
                norms[item] += floor.decay**j
        last[user].insert(0, item)
        popularity[item] += 1
    return ranks


@pytest.mark.parametrize("unseen", [False, True])
@pytest.mark.parametrize(
    "floor",
    [Counting(), Counting(1, prior=0.1), Counting(5, 0.8, 0.7, 0.3), Counting(20, 0.9, 0.7, 0.5, both_ways=True)],
)
def test_shortcuts_give_the_ranks_of_the_formula(floor: Counting, unseen: bool) -> None:
    rng = np.random.default_rng(3)
    events = Stream(
        rng.integers(0, 12, 900).astype(np.int32),
        (rng.zipf(1.3, 900) % 90).astype(np.int32),
        np.cumsum(rng.integers(0, 7_200, 900)) * 1000,
    )
    found, expected = floor.ranks(events, unseen=unseen), np.array(naive(floor, events, unseen))
    assert (found == expected).mean() > 0.995  # sums in another order may break a tie
    assert np.abs(found - expected).max() <= 1
