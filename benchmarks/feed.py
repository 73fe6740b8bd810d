"""A synthetic social feed, to try the preset ``social``: no public stream has impressions, likes and hides together.

``python -m benchmarks.feed feed.csv --events 20000`` writes it. It is made of what feeds are made of:

- 400 people, some far more often there than others, each with three of twelve topics at heart;
- a new post every four minutes, of one topic, which fades within hours; one in thirty is on everybody's mind;
- a visit shows ten posts: most are the newest of the topics at heart, some what everybody opens. Each is an impression;
- a post of a topic at heart is opened one time in three, another one in twenty; one in four of those opened is liked or
  shared right after; of the others one in forty is hidden.

No figure measured on it says anything about a real feed; that lists get better than floors only says that the mapping
and the roles work. The same seed gives the same stream.
"""

import csv
import math
import random
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

_START_MS = 1_736_121_600_000  # Monday, 2025-01-06
_MINUTE_MS = 60_000
_PEOPLE, _TOPICS, _AT_HEART = 400, 12, 3
_POST_EVERY_MS = 4 * _MINUTE_MS
_FADES_IN_MS = 240 * _MINUTE_MS
_VISITS_A_MINUTE = 0.5
_SHOWN = 10


class Action(NamedTuple):
    """One row of the file; the names are those of the preset."""

    user_id: str
    post_id: str
    timestamp: int
    action: str
    event_id: str


class _Post(NamedTuple):
    name: str
    topic: int
    at_ms: int
    heat: float


def feed(seed: int = 1) -> Iterator[Action]:
    """Invent a feed without end, in order of time."""
    dice = random.Random(seed)
    hearts = [dice.sample(range(_TOPICS), _AT_HEART) for _ in range(_PEOPLE)]
    often = [1 / (rank + 8) for rank in range(_PEOPLE)]
    posts: deque[_Post] = deque(maxlen=400)
    now_ms = post_ms = _START_MS
    numbers = {"post": 0, "event": 0}

    def event(person: int, post: _Post, action: str, at_ms: int) -> Action:
        numbers["event"] += 1
        return Action(f"person-{person:03d}", post.name, at_ms, action, f"e{numbers['event']}")

    while True:
        now_ms += round(dice.expovariate(_VISITS_A_MINUTE) * _MINUTE_MS)
        while post_ms <= now_ms:
            numbers["post"] += 1
            heat = 12.0 if dice.random() < 1 / 30 else dice.random()
            posts.append(_Post(f"post-{numbers['post']:05d}", dice.randrange(_TOPICS), post_ms, heat))
            post_ms += _POST_EVERY_MS
        person = dice.choices(range(_PEOPLE), often)[0]
        liked = hearts[person]
        weights = [
            (0.2 + post.heat) * (4 if post.topic in liked else 1) * math.exp((post.at_ms - now_ms) / _FADES_IN_MS)
            for post in posts
        ]
        at_ms = now_ms
        for post in dict.fromkeys(dice.choices(posts, weights, k=_SHOWN)):
            at_ms += round(dice.uniform(1, 6) * 1_000)
            yield event(person, post, "impression", at_ms)
            if dice.random() < (1 / 3 if post.topic in liked else 1 / 20):
                yield event(person, post, "open", at_ms + 500)
                if dice.random() < 1 / 4:
                    yield event(person, post, dice.choice(["like", "like", "share"]), at_ms + 900)
            elif dice.random() < 1 / 40:
                yield event(person, post, "hide", at_ms + 700)
        now_ms = max(now_ms, at_ms + 1_000)


def main(
    out: Annotated[Path, typer.Argument(help="CSV file to write.")],
    events: Annotated[int, typer.Option(min=1, help="So many rows.")] = 20_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed.")] = 1,
) -> None:
    """Write a synthetic social feed."""
    with out.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(Action._fields)
        rows.writerows(islice(feed(seed), events))


if __name__ == "__main__":
    typer.run(main)
