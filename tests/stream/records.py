"""Records and decoded events with defaults, for tests that care about one or two of their fields."""

from stream.events import Decoded, Interaction
from stream.log import Headers, Record

NOON = 1_772_366_400_000  # 2026-03-01T12:00:00Z


def record(
    value: bytes | None = None,
    *,
    topic: str = "interactions",
    partition: int = 0,
    offset: int = 0,
    timestamp_ms: int = NOON,
    key: bytes | None = None,
    headers: Headers = (),
) -> Record:
    return Record(topic, partition, offset, timestamp_ms, key, value, headers)


def decoded(  # one interaction, as the decoder would give it
    time_ms: int = NOON,
    *,
    user: str = "u1",
    item: str = "i1",
    event_type: str = "",
    value: float | None = None,
    identity: str | None = None,
    partition: int = 0,
    offset: int = 0,
) -> Decoded:
    source = record(b"{}", partition=partition, offset=offset)
    name = identity or f"interactions-{partition}-{offset}"
    return Decoded(source, (Interaction(name, user, item, time_ms, event_type, value),), None, time_ms, identity)
