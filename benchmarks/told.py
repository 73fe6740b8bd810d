"""A stream of items that somebody is told of, to measure what that is worth. Synthetic, and it says so.

Two items come out every hour, each with two of forty values of `a` and one of fifteen of `b`, and are on offer for
about three days. Users have a taste: what shares values with it they take ten to fifty times as often as what does not,
new things rather than old ones, some users far more often than others. Taste, age and a fixed appeal are all there is,
so this is about the best that attributes can be worth.

``python -m benchmarks.told 8000 1 told`` writes told.csv, events, and told.items.jsonl, what is told of the items.
"""

import csv
import json
import math
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_START_MS = 1_736_121_600_000  # Monday, 2025-01-06
_HOUR_MS = 3_600_000
_A, _B = 40, 15
_USERS = 800
_SESSIONS_AN_HOUR = 40
_OFFERED = 160  # items; older ones are taken by hardly anybody
_FADES_IN_MS = 24 * _HOUR_MS


@dataclass(frozen=True)
class Told:
    """An item, and how much everybody is drawn to it."""

    item_id: str
    published_ms: int
    a: tuple[int, ...]
    b: tuple[int, ...]
    appeal: float

    def message(self) -> dict[str, object]:
        """Return what the items topic is told."""
        return {
            "item_id": self.item_id, "published_at": self.published_ms, "attributes": {"a": self.a, "b": self.b}
        }  # fmt: skip


Event = tuple[int, str, str]  # time, user, item


def told(events: int, seed: int) -> tuple[list[Event], list[Told]]:
    """Invent a stream, and the items of it; the same seed gives the same."""
    items: list[Told] = []
    stream: list[Event] = []
    sessions = _sessions(random.Random(seed), items)
    while len(stream) < events:
        stream += next(sessions)
    return sorted(stream)[:events], items


def _sessions(dice: random.Random, items: list[Told]) -> Iterator[list[Event]]:
    """Sessions in order of their beginning; what comes out until then is added to `items`."""
    tastes = [(dice.sample(range(_A), 2), dice.sample(range(_B), 1)) for _ in range(_USERS)]
    activity = [1 / (rank + 10) for rank in range(_USERS)]
    now_ms, next_ms = _START_MS, _START_MS - 72 * _HOUR_MS
    while True:
        now_ms += round(dice.expovariate(_SESSIONS_AN_HOUR) * _HOUR_MS) + 1
        while next_ms <= now_ms:
            a, b = tuple(dice.sample(range(_A), 2)), tuple(dice.sample(range(_B), 1))
            items.append(Told(f"i{len(items)}", next_ms, a, b, math.exp(dice.gauss(0, 0.7))))
            next_ms += _HOUR_MS // 2
        user = dice.choices(range(_USERS), activity)[0]
        likes_a, likes_b = tastes[user]
        offered = items[-_OFFERED:]
        weights = [
            item.appeal
            * math.exp((item.published_ms - now_ms) / _FADES_IN_MS)
            * (0.15 + 3 * sum(x in likes_a for x in item.a) + 1.5 * sum(x in likes_b for x in item.b))
            for item in offered
        ]
        time_ms, session = now_ms, []
        for _ in range(dice.randint(1, 4)):
            session.append((time_ms, f"u{user}", dice.choices(offered, weights)[0].item_id))
            time_ms += round(dice.uniform(1, 5) * 60_000)
        yield session


def main() -> None:
    """Write so many events of a seed, and the items, to files whose names begin as said."""
    count, seed, name = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    stream, items = told(count, seed)
    with Path(f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("user", "item", "time"))
        rows.writerows((user, item, time_ms) for time_ms, user, item in stream)
    with Path(f"{name}.items.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(item.message()) + "\n" for item in items)


if __name__ == "__main__":
    main()
