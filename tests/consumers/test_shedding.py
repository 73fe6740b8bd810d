from consumers.shedding import TrainingShare


def test_without_a_backlog_the_share_is_the_usual_one() -> None:
    share = TrainingShare(0.8, tolerated=100)
    for backlog in (0, 50, 100, 0):
        share.observe(backlog)
        assert share.now == 0.8


def test_a_backlog_that_grows_shrinks_the_share_down_to_a_twentieth() -> None:
    share = TrainingShare(0.8, tolerated=100)
    share.observe(200)
    assert round(share.now, 3) == 0.56
    for backlog in range(300, 3_000, 100):
        share.observe(backlog)
    assert round(share.now, 3) == 0.04


def test_a_backlog_that_shrinks_lets_the_share_recover() -> None:
    share = TrainingShare(0.8, tolerated=100)
    share.observe(10_000)
    for backlog in (9_000, 8_000, 7_000, 6_000):
        share.observe(backlog)
    assert share.now == 0.8


def test_a_share_of_nothing_stays_nothing() -> None:
    share = TrainingShare(0.0, tolerated=100)
    share.observe(10_000)
    assert share.now == 0.0
