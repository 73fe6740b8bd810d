import numpy as np
import torch

from models.network.config import NetworkConfig
from models.network.tokens import GAP_BUCKETS, Tokens, gap_buckets, hours_of_week


def test_gaps_fall_into_half_octaves_of_seconds() -> None:
    day = 86_400_000
    gaps = np.array([-5, 0, 999, 1_000, 1_999, 3_000, 60_000, day, 365 * day, 100 * 365 * day, 10**17])
    assert gap_buckets(gaps).tolist() == [0, 0, 0, 2, 2, 4, 11, 32, 49, 63, GAP_BUCKETS - 1]


def test_weeks_begin_on_monday_at_midnight() -> None:
    times = np.array(["2026-03-02T00:00", "2026-03-02T00:59", "2026-03-04T12:00", "2026-03-08T23:59", "1969-12-29T01"])
    milliseconds = times.astype("datetime64[ms]").astype(np.int64)
    assert hours_of_week(milliseconds).tolist() == [0, 0, 60, 167, 1]


def test_now_begins_at_the_newest_event_and_hears_the_hour_only_where_asked() -> None:
    for calendar in (False, True):
        tokens = Tokens(NetworkConfig(width=4, window=2, calendar=calendar))
        for table in (tokens.hour, tokens.day):
            if table is not None:
                torch.nn.init.normal_(table.weight)
        zeros = torch.zeros((2, 2), dtype=torch.int64)
        vectors, valid = torch.ones((2, 2, 4)), torch.tensor([[True, True], [False, False]])
        with torch.inference_mode():
            now, events = tokens(vectors, zeros, zeros, torch.tensor([0, 0]), valid)
            later, _ = tokens(vectors, zeros, zeros, torch.tensor([30, 30]), valid)
        torch.testing.assert_close(now[0] - now[1], events[0, 0])
        assert torch.equal(now, later) is not calendar
