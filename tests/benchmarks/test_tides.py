import numpy as np

from benchmarks.tides import ITEMS, START_MS, hourly, loss, losses, tides


def test_events_are_those_of_the_counts_each_in_its_hour() -> None:
    _, counts = tides(days=6, seed=1)
    for hour, events in enumerate(hourly(counts[:30], seed=1)):
        assert np.bincount(events.items, minlength=ITEMS).tolist() == counts[hour].tolist()
        assert ((events.before.now_ms - START_MS) // 3_600_000 == hour).all()


def test_the_loss_of_the_rates_is_the_least() -> None:
    rates, counts = tides(days=8, seed=1)
    assert loss(rates, counts) < loss(np.sqrt(rates), counts) < loss(np.ones_like(rates), counts)


def test_forecasts_see_further_than_decayed_counts() -> None:
    found = losses(days=8, seed=1)
    decayed = min(value for name, value in found.items() if name.startswith("popular_"))
    assert found["rates"] < found["item_transformer"] < decayed
    assert found["demand"] < decayed
