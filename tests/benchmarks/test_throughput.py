from benchmarks.throughput import stages_us
from consumers.commands.figures import Figures

LOOK = """\
# TYPE springtide_events counter
springtide_events_total{{outcome="accepted"}} {events}
# TYPE springtide_stage_seconds histogram
springtide_stage_seconds_bucket{{le="+Inf",stage="learn"}} 1
springtide_stage_seconds_sum{{stage="learn"}} {learn}
springtide_stage_seconds_count{{stage="learn"}} 1
"""


def test_a_stage_costs_what_was_spent_between_two_looks() -> None:
    before, after = (Figures(LOOK.format(events=events, learn=learn)) for events, learn in ((100, 1.0), (300, 1.5)))
    found = stages_us(before, after)
    assert found["learn"] == 2_500
    assert found["commit"] == 0
