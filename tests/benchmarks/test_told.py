from itertools import pairwise

from benchmarks.told import told


def test_the_same_seed_gives_the_same_stream_of_items_that_are_out() -> None:
    stream, items = told(300, seed=3)
    assert (stream, items) == told(300, seed=3)
    assert stream != told(300, seed=4)[0]
    assert len(stream) == 300
    assert stream == sorted(stream)
    published = {item.item_id: item.published_ms for item in items}
    assert all(published[item] <= time_ms for time_ms, _, item in stream)


def test_users_take_what_they_like() -> None:
    stream, items = told(2_000, seed=3)
    values = {item.item_id: {*item.a} for item in items}
    taken: dict[str, list[set[int]]] = {}
    for _, user, item in stream:
        taken.setdefault(user, []).append(values[item])
    often = [some for some in taken.values() if len(some) >= 10]
    shared = [len(one & other) > 0 for some in often for one in some[:5] for other in some[5:10]]
    strangers = [(one, other) for some, more in pairwise(often) for one in some[:5] for other in more[5:10]]
    others = [len(one & other) > 0 for one, other in strangers]
    assert sum(shared) / len(shared) > 2 * sum(others) / len(others)
