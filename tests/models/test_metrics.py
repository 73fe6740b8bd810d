import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.metrics import MISS, hit, ndcg, reciprocal, summary


def test_figures_of_single_ranks() -> None:
    ranks = np.array([0, 1, 2, 9, 10, MISS], np.int32)
    assert hit(ranks).tolist() == [1, 1, 1, 1, 0, 0]
    assert ndcg(ranks) == pytest.approx([1, 0.6309298, 0.5, 0.2890648, 0, 0])
    assert reciprocal(ranks) == pytest.approx([1, 1 / 2, 1 / 3, 1 / 10, 1 / 11, 0])


def test_a_cut_off_at_one_is_accuracy() -> None:
    ranks = np.array([[0, 1], [1, 0]], np.int32)
    assert hit(ranks, 1).tolist() == ndcg(ranks, 1).tolist() == [[1, 0], [0, 1]]


def test_a_summary_is_the_means() -> None:
    figures = summary(np.array([0, 2, 4, MISS], np.int32), 4)
    assert figures == pytest.approx(
        {"hr@4": 0.5, "ndcg@4": 0.375, "mrr": (1 + 1 / 3 + 1 / 5) / 4, "events": 4}
        | {"precision@4": 0.125, "recall@4": 0.5, "f1@4": 0.2}
    )


def test_no_events_give_zeros() -> None:
    found = summary(np.zeros(0, np.int32))
    assert set(found.values()) == {0}
    assert found.keys() == summary(np.array([MISS])).keys()


@given(st.lists(st.integers(0, 40) | st.just(int(MISS)), min_size=1), st.integers(1, 30))
def test_figures_agree_with_each_other(ranks: list[int], k: int) -> None:
    figures = summary(np.array(ranks, np.int32), k)
    assert 0 <= figures[f"ndcg@{k}"] <= figures[f"hr@{k}"] <= 1
    assert figures[f"hr@{k}"] == pytest.approx(np.mean([rank < k for rank in ranks]))
    assert summary(np.array(sorted(ranks), np.int32), k) == pytest.approx(figures)


@given(st.lists(st.integers(0, 40) | st.just(int(MISS)), min_size=1), st.integers(1, 30))
def test_precision_recall_and_f1_are_those_of_lists_with_one_relevant_item(ranks: list[int], k: int) -> None:
    figures = summary(np.array(ranks, np.int32), k)
    found = sum(rank < k for rank in ranks)  # relevant items on the lists, of k places each, of one relevant item each
    precision, recall = found / (k * len(ranks)), found / len(ranks)
    assert (figures[f"precision@{k}"], figures[f"recall@{k}"]) == pytest.approx((precision, recall))
    assert figures[f"f1@{k}"] == pytest.approx(2 * precision * recall / (precision + recall) if found else 0)
