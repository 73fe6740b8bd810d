"""Ids and rows: admission, expiry and reuse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.vocabulary import Vocabulary


def same_state(one: Vocabulary, other: Vocabulary) -> bool:
    mine, theirs = one.state(), other.state()
    return mine.keys() == theirs.keys() and all(np.array_equal(mine[name], theirs[name]) for name in mine)


def filled(capacity: int, ids: str) -> Vocabulary:
    """Admit one id for each letter, at 0, 1, 2, ..."""
    vocabulary = Vocabulary(capacity)
    for at, id_ in enumerate(ids):
        vocabulary.admit(id_, at)
    return vocabulary


def test_ids_get_rows_in_order_and_keep_them() -> None:
    vocabulary = Vocabulary(10)
    assert [vocabulary.admit(id_, 1) for id_ in ("i7", "i3", "i7", "été", "i3")] == [0, 1, 0, 2, 1]
    assert [vocabulary.id_of(row) for row in range(3)] == ["i7", "i3", "été"]
    assert (len(vocabulary), vocabulary.rows_used, vocabulary.free) == (3, 3, 7)


def test_finding_leaves_no_trace() -> None:
    vocabulary = filled(2, "ab")
    assert (vocabulary.find("a"), vocabulary.find("unknown")) == (0, -1)
    assert vocabulary.rows_used == 2
    assert np.flatnonzero(vocabulary.expire()).tolist() == [0]


@pytest.mark.parametrize("row", [-1, 1, 2, 99])
def test_rows_without_an_id_have_none(row: int) -> None:
    vocabulary = filled(4, "ab")
    vocabulary.forget("b")
    with pytest.raises(KeyError):
        vocabulary.id_of(row)


def test_a_full_vocabulary_admits_only_whom_it_knows() -> None:
    vocabulary = filled(2, "ab")
    assert vocabulary.free == 0
    assert vocabulary.admit("a", 5) == 0
    with pytest.raises(IndexError, match="All 2 rows"):
        vocabulary.admit("c", 6)
    assert vocabulary.find("c") == -1


def test_the_least_recently_used_expire_first_and_lowest_rows_are_reused_first() -> None:
    vocabulary = filled(5, "abcde")
    vocabulary.admit("a", 10)
    assert vocabulary.expire(share=0.4).tolist() == [False, True, True, False, False]
    assert (len(vocabulary), vocabulary.free, vocabulary.rows_used) == (3, 2, 5)
    assert [vocabulary.admit(id_, 11) for id_ in "xb"] == [1, 2]
    assert vocabulary.id_of(1) == "x"


def test_equally_old_rows_expire_from_the_lowest() -> None:
    vocabulary = Vocabulary(4)
    for id_ in "abcd":
        vocabulary.admit(id_, 3)
    assert np.flatnonzero(vocabulary.expire(share=0.5)).tolist() == [0, 1]


def test_expiry_drops_at_least_one_and_no_more_than_there_are() -> None:
    assert np.flatnonzero(filled(5, "ab").expire(share=0.01)).tolist() == [0]
    assert np.flatnonzero(filled(5, "ab").expire(share=1.0)).tolist() == [0, 1]
    assert Vocabulary(5).expire().tolist() == []


def test_expiry_passes_over_rows_already_free() -> None:
    vocabulary = filled(4, "abcd")
    vocabulary.forget("b")
    assert np.flatnonzero(vocabulary.expire(share=0.5)).tolist() == [0, 2]


def test_forgetting_one_id_frees_its_row() -> None:
    vocabulary = filled(3, "abc")
    assert (vocabulary.forget("b"), vocabulary.forget("b"), vocabulary.forget("unknown")) == (1, -1, -1)
    assert vocabulary.find("b") == -1
    assert vocabulary.admit("d", 9) == 1


def test_state_holds_no_forgotten_id() -> None:
    vocabulary = filled(3, "abc")
    vocabulary.forget("b")
    assert vocabulary.state()["ids"].tobytes() == b'["a",null,"c"]'
    assert vocabulary.state()["last_used"].tolist() == [0, -1, 2]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("admit"), st.sampled_from(["a", "b", "c", "d", "e", "\N{SNOWMAN}", '"'])),
        st.tuples(st.just("forget"), st.sampled_from(["a", "b", "c"])),
        st.tuples(st.just("expire"), st.sampled_from([0.0, 0.3, 0.5])),
        st.tuples(st.just("restore"), st.none()),
    ),
    max_size=40,
)


@given(STEPS)
def test_vocabulary_is_what_the_oracle_says(steps: list[tuple[str, object]]) -> None:
    capacity = 4
    vocabulary = Vocabulary(capacity)
    rows: dict[str, tuple[int, int]] = {}  # id -> (last used, row)
    for at, (action, what) in enumerate(steps):
        match action, what:
            case "admit", str(id_):
                if id_ not in rows and len(rows) == capacity:
                    continue
                taken = {row for _, row in rows.values()}
                lowest = min(set(range(capacity)) - taken, default=-1)
                rows[id_] = (at // 3, rows[id_][1] if id_ in rows else lowest)
                assert vocabulary.admit(id_, at // 3) == rows[id_][1]
            case "forget", str(id_):
                assert vocabulary.forget(id_) == rows.pop(id_, (0, -1))[1]
            case "expire", float(share):
                oldest = sorted(rows, key=lambda id_: rows[id_])[: max(1, int(share * capacity))]
                dropped = sorted(rows.pop(id_)[1] for id_ in oldest)
                assert np.flatnonzero(vocabulary.expire(share)).tolist() == dropped
            case _:
                successor = Vocabulary(capacity)
                successor.restore(vocabulary.state())
                assert same_state(successor, vocabulary)
                vocabulary = successor
        assert len(vocabulary) == len(rows) == capacity - vocabulary.free
        for id_, (_, row) in rows.items():
            assert (vocabulary.find(id_), vocabulary.id_of(row)) == (row, id_)


def test_state_is_a_copy() -> None:
    vocabulary = filled(3, "ab")
    state = vocabulary.state()
    restored = Vocabulary(3)
    restored.restore(state)
    restored.admit("a", 9)
    vocabulary.admit("b", 9)
    assert state["last_used"].tolist() == [0, 1]
