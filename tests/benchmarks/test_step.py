import pytest

from benchmarks.step import Phase, simulated

CALM, LOAD = Phase(100, 20), Phase(1_000, 30)


def test_a_load_is_shed_and_its_backlog_goes_away() -> None:
    looks = simulated((CALM, LOAD, Phase(100, 60)), 500, 2_000)
    assert looks[19].training_share == 1
    assert min(look.training_share for look in looks) < 0.4
    assert looks[49].lag_records < max(look.lag_records for look in looks)  # while the load lasts
    assert looks[-1].lag_records == 0
    assert looks[-1].training_share == 1


def test_a_load_that_nothing_can_keep_up_with_leaves_a_twentieth() -> None:
    looks = simulated((CALM, LOAD), 100, 500)
    assert looks[-1].training_share == pytest.approx(0.05)
    assert looks[-1].lag_records > looks[-2].lag_records
