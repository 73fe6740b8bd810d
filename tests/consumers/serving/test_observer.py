import inspect

import numpy as np

from consumers.pipeline import Outputs
from consumers.serving.observer import Both, Observer, Role
from consumers.telemetry import Telemetry
from consumers.web.live import LiveView
from stream.log import OutputRecord


def test_both_are_told() -> None:
    telemetry, view = Telemetry(["list"]), LiveView("task", ["list"])
    both = Both(telemetry, view)
    both.takes(Role.LEADER)
    with both.stage("learn"), both.transaction():
        both.answered(Outputs(lists=[OutputRecord("out", 0, b"u", b"{}")], accepted=1), [1_000], 1_500)
    both.behind(3, None, 2_000)

    sample = telemetry.registry.get_sample_value
    assert sample("springtide_lists_total") == view.now()["totals"]["lists"] == 1
    assert sample("springtide_lag_records") == view.now()["traffic"]["lag_records"][-1] == 3
    assert sample("springtide_stage_seconds_count", {"stage": "learn"}) == 1


class Note:
    """Says what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def __getattr__(self, name: str) -> object:
        return lambda *_: self.told.append(name)


def test_both_are_told_of_everything_that_an_observer_is_told_of() -> None:
    one, other = Note(), Note()
    both = Both(one, other)  # type: ignore[arg-type,var-annotated]  # they answer to every name
    told = [name for name in vars(Observer) if not name.startswith("_") and name not in {"stage", "transaction"}]
    for name in told:
        method = getattr(both, name)
        method(*(np.zeros(0) for _ in inspect.signature(method).parameters))
    assert one.told == other.told == told
