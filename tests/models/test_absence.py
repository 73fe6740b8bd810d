from models.absence import usual_gaps_ms
from tests.models.tiny import view


def test_the_usual_gap_is_the_median_and_nobody_has_one_before_the_second_event() -> None:
    windows = view(
        [],
        [(1, 50)],
        [(1, 50), (2, 40)],
        [(1, 1000), (2, 900), (3, 30), (1, 20)],  # gaps of 100, 870 and 10 s
        [(1, 70), (2, 40), (3, 40)],  # of 30 and 0
        now_s=2000,
    )
    assert usual_gaps_ms(windows).tolist() == [0, 0, 10_000, 100_000, 0]
