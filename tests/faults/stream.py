"""What goes in: a seeded walk of users through items, with requests, erasures and records that cannot be read.

Time goes on by a second with each event, record timestamps with it, and users keep to their partition.
"""

import random
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from stream.log import Headers
from tests.consumers.stream import NOON

PARTITIONS = 2
_STEP_MS = 1_000


class Sent(NamedTuple):
    """One record to be sent."""

    partition: int
    key: bytes | None
    value: bytes | None
    time_ms: int
    headers: Headers = ()
    silent: bool = False  # gets no answer, by the rules


def walk(seed: int, users: int = 60, items: int = 80) -> Iterator[Sent]:
    """Yield records without end; equal seeds, equal records."""
    chance = random.Random(seed)
    number = 0
    while True:
        user = min(int(chance.expovariate(4 / users)), users - 1)
        item = min(int(chance.expovariate(5 / items)), items - 1)
        time_ms = NOON + number * _STEP_MS
        body: dict[str, object] = {"user_id": f"u{user}", "event_time": time_ms, "event_id": f"e{number}"}
        kind = chance.choices(["view", "request", "skip", "erase", "bad"], [90, 4, 2, 2, 2])[0]
        if kind == "request":
            body |= {"type": "request", "exclude": [f"i{item}"]}
        elif kind == "erase":
            body |= {"type": "erase"}
        else:
            body |= {"item_id": f"i{(item + user) % items}", "event_type": kind}
        value = b"{no json" if kind == "bad" else msgspec.json.encode(body)
        yield Sent(user % PARTITIONS, f"u{user}".encode(), value, time_ms)
        number += 1
