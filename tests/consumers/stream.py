"""A small stream as decoded records, and a pipeline that is quick to build, for tests of the whole path."""

from collections.abc import Iterable, Iterator

import msgspec

from consumers.pipeline import Decisions, Outputs, Pipeline
from consumers.settings import Settings
from stream.events import Decoded
from stream.log import Record
from stream.recommendations import Recommendation

NOON = 1_772_366_400_000  # 2026-03-01T12:00:00Z
MINUTE = 60_000
DECISIONS = Decisions()


def settings(**sections: object) -> Settings:
    """Defaults without the network, which few tests need and which takes seconds to build."""
    return Settings(**({"network": {"enabled": False}} | sections))  # type: ignore[arg-type]


def message(pipeline: Pipeline, offset: int, body: dict[str, object], *, partition: int = 0) -> Decoded:
    """Decode one message from the log, stamped with its own event time."""
    stamp = body.get("event_time")
    value = msgspec.json.encode(body)
    timestamp = stamp if isinstance(stamp, int) else NOON
    return pipeline.decoder.decode(Record("interactions", partition, offset, timestamp, None, value))


def interactions(pipeline: Pipeline, pairs: Iterable[str], *, first: int = 0, start_ms: int = NOON) -> list[Decoded]:
    """Decode pairs such as ``"u1 a"``, a minute apart."""
    return [
        message(
            pipeline,
            first + place,
            dict(zip(("user_id", "item_id"), pair.split(), strict=True))
            | {"event_time": start_ms + (first + place) * MINUTE},
        )
        for place, pair in enumerate(pairs)
    ]


def round_robin(rounds: int) -> list[str]:
    """Three users who walk a -> b -> c -> d in turns, each round a different item first."""
    walk = "abcd"
    return [f"u{user} {walk[(turn + user) % 4]}" for turn in range(rounds) for user in range(3)]


def run(pipeline: Pipeline, batch: list[Decoded], decisions: Decisions = DECISIONS) -> Outputs:
    """Recommend for a batch and learn it."""
    outputs = pipeline.recommend(batch, decisions)
    pipeline.learn()
    return outputs


def lists(outputs: Outputs) -> Iterator[Recommendation]:
    """Decode the lists of a batch, removals left out."""
    for output in outputs.lists:
        if output.value is not None:
            yield msgspec.json.decode(output.value, type=Recommendation)


def items(recommendation: Recommendation) -> list[str]:
    """Return the item ids of a list, best first."""
    return [item.item_id for item in recommendation.items]
