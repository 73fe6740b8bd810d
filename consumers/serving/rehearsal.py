"""A short run before the lease is held: what a first batch needs is compiled and loaded by then.

The kernels of a fresh installation are compiled when they are first called, which takes a minute on two cores. Whoever
holds the lease must not be silent for so long, so a pipeline that nobody keeps goes through all of it before.
"""

from itertools import product

from consumers.pipeline import Decisions, Pipeline
from consumers.settings import Settings
from stream.events import Decoded, Interaction
from stream.log import Record

_TIME_MS = 1_767_225_600_000  # 2026-01-01; any time does
_USERS, _ITEMS = 4, 12


def rehearse(pipeline: Pipeline) -> None:
    """Let `pipeline` answer, learn, copy its state and take it back; it must not be used afterwards."""
    pairs = list(product(range(_ITEMS), range(_USERS)))
    for start in (0, len(pairs)):  # the second time the first is history
        pipeline.recommend([_event(start + place, *pair) for place, pair in enumerate(pairs)], Decisions())
        pipeline.learn()
        pipeline.restore(pipeline.state())


def _event(offset: int, item: int, user: int) -> Decoded:
    time_ms = _TIME_MS + offset
    name = f"rehearsal-{offset}"
    record = Record("rehearsal", 0, offset, time_ms, None, None)
    return Decoded(record, (Interaction(name, f"user-{user}", f"item-{item}", time_ms),), None, time_ms)


if __name__ == "__main__":  # a setup compiles here what the first start would wait for
    rehearse(Pipeline(Settings()))
