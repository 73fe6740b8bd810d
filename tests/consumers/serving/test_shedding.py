import pytest

from consumers.serving.shedding import TrainingShare


def test_without_a_backlog_the_share_is_the_usual_one() -> None:
    share = TrainingShare(0.8, tolerated=100)
    for backlog in (0, 50, 100, 0):
        share.observe(backlog)
        assert share.now == 0.8


def test_a_backlog_that_grows_shrinks_the_share_down_to_a_twentieth() -> None:
    share = TrainingShare(0.8, tolerated=100)
    share.observe(0)
    share.observe(200)
    assert round(share.now, 3) == 0.56
    for backlog in range(300, 3_000, 100):
        share.observe(backlog)
    assert round(share.now, 3) == 0.04


def test_while_a_backlog_shrinks_the_share_stays_and_then_it_recovers() -> None:
    share = TrainingShare(0.8, tolerated=100)
    for backlog in (0, 10_000, 20_000, 15_000, 15_000, 101):
        share.observe(backlog)
    assert share.now == pytest.approx(0.8 * 0.7 * 0.7)
    share.observe(100)
    assert share.now == pytest.approx(0.8 * 0.7 * 0.7 * 1.1)
    for _ in range(10):
        share.observe(0)
    assert share.now == 0.8


def test_a_long_log_that_is_caught_up_with_is_no_load() -> None:
    share = TrainingShare(0.8, tolerated=100)
    for backlog in range(1_000_000, 0, -1_000):
        share.observe(backlog)
        assert share.now == 0.8


def test_a_share_of_nothing_stays_nothing() -> None:
    share = TrainingShare(0.0, tolerated=100)
    for backlog in (0, 10_000, 20_000):
        share.observe(backlog)
    assert share.now == 0.0
