"""The demo's stream: invented listeners of invented songs. Synthetic, and it says so wherever it is shown.

It is made like real ones, so that there is something to learn for each family of experts:

- listeners come in sessions, more in the evening than at night, some of them far more often than others (Zipf);
- a session stays within a genre that its listener likes, and some songs lead to others (transitions);
- listeners return to what they heard before (repeats);
- a new song comes out every other hour, is on everyone's mind and fades (trends), beside lasting hits (popularity).

The same seed gives the same stream, and a longer stream begins with the shorter one. As a file of events:
``python -m consumers.files.synthetic 100000 > events.csv``.
"""

import csv
import math
import random
import sys
from collections import deque
from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import islice

import numpy as np

from consumers.files.reading import EventBatch

DESCRIPTION = "synthetic stream: invented listeners of invented songs"

_GENRES = ("ambient", "blues", "dub", "folk", "funk", "house", "jazz", "opera", "polka", "ska", "soul", "swing")
_FIRST = ("blue", "distant", "electric", "fading", "golden", "hidden", "last", "lonely", "midnight", "paper", "silver")
_SECOND = ("anchor", "bells", "comet", "garden", "harbour", "lantern", "mirror", "orchard", "river", "tide", "train")

_START_MS = 1_736_121_600_000  # Monday, 2025-01-06; a million events end before the year does
_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS
_LISTENERS = 600
_SONGS_AT_FIRST = 40  # of each genre
_SESSIONS_AN_HOUR = 27
_SONGS_A_SESSION = 6
_RELEASE_EVERY_MS = 2 * _HOUR_MS
_FADES_IN_MS = 18 * _HOUR_MS
_BATCH = 512


def synthetic(events: int, seed: int = 1) -> Iterator[EventBatch]:
    """Invent a stream of `events` interactions in order of time."""
    stream = islice(_interactions(random.Random(seed)), events)
    row = 0
    while part := list(islice(stream, _BATCH)):
        times, users, items = zip(*part, strict=True)
        yield EventBatch(np.arange(row, row + len(part)), list(users), list(items), np.array(times, np.int64))
        row += len(part)


def _interactions(dice: random.Random) -> Iterator[tuple[int, str, str]]:
    """(time, listener, song) without end: of all that is due, a session's next song or a new session, the earliest."""
    world = _World(dice)
    due: list[tuple[int, int, str, str]] = []  # (time, listener, genre, last song), a heap
    arrival_ms = release_ms = _START_MS
    while True:
        while not due or arrival_ms <= due[0][0]:
            listener = world.listener()
            heappush(due, (arrival_ms, listener, dice.choices(world.tastes[listener], (6, 3, 1))[0], ""))
            arrival_ms += round(dice.expovariate(_SESSIONS_AN_HOUR * _rhythm(arrival_ms)) * _HOUR_MS)
        now_ms, listener, genre, last = heappop(due)
        while release_ms <= now_ms:
            world.release(dice.choice(_GENRES), release_ms)
            release_ms += _RELEASE_EVERY_MS
        song = world.next_song(listener, genre, last, now_ms)
        yield now_ms, f"listener-{listener:03d}", song
        if dice.random() > 1 / _SONGS_A_SESSION:
            heappush(due, (now_ms + round(dice.uniform(1, 6) * _MINUTE_MS), listener, genre, song))


def _rhythm(time_ms: int) -> float:
    """How busy it is at this time of the day: 1 on average, most at eight in the evening."""
    return 1 + 0.7 * math.cos(2 * math.pi * (time_ms / _HOUR_MS - 20) / 24)


class _World:
    """Who listens to what."""

    def __init__(self, dice: random.Random) -> None:
        self.tastes = [dice.sample(_GENRES, 3) for _ in range(_LISTENERS)]
        self._dice = dice
        self._activity = [1 / (rank + 10) for rank in range(_LISTENERS)]
        self._heard: list[deque[str]] = [deque(maxlen=20) for _ in range(_LISTENERS)]
        self._songs: dict[str, list[str]] = {genre: [] for genre in _GENRES}
        self._leads_to: dict[str, list[str]] = {}
        self._new: deque[tuple[int, str]] = deque(maxlen=24)
        titles = [f"{first}-{second}" for first in _FIRST for second in _SECOND]
        self._titles = {genre: dice.sample(titles, len(titles)) for genre in _GENRES}
        for genre in _GENRES:
            for _ in range(_SONGS_AT_FIRST):
                self.release(genre, _START_MS - _FADES_IN_MS)

    def listener(self) -> int:
        """Who comes next."""
        return self._dice.choices(range(_LISTENERS), self._activity)[0]

    def release(self, genre: str, now_ms: int) -> None:
        """Add a song that leads to three songs of its genre; one of them leads to it from now on."""
        songs, titles = self._songs[genre], self._titles[genre]
        again, number = divmod(len(songs), len(titles))
        song = f"{genre}/{titles[number]}" + (f"-{again + 1}" if again else "")
        self._leads_to[song] = friends = self._dice.sample(songs, min(3, len(songs)))
        if friends:
            self._leads_to[friends[0]] = [song, *self._leads_to[friends[0]]][:3]
        songs.append(song)
        self._new.append((now_ms, song))

    def next_song(self, listener: int, genre: str, last: str, now_ms: int) -> str:
        """Choose by habit, by what the last song leads to, by what is new, or among the hits of the genre."""
        dice, heard = self._dice, self._heard[listener]
        followers = self._leads_to.get(last, [])
        habit, lead, new = (0.2, 0.5, 0.12) if last else (0.35, 0.0, 0.35)
        draw = dice.random()
        if draw < habit and heard:
            song = heard[-1 - min(int(dice.expovariate(0.3)), len(heard) - 1)]
        elif draw < habit + lead and followers:
            song = dice.choices(followers, (6, 3, 1)[: len(followers)])[0]
        elif draw < habit + lead + new:
            ages = [math.exp((released - now_ms) / _FADES_IN_MS) for released, _ in self._new]
            song = dice.choices(self._new, ages)[0][1]
        else:
            songs = self._songs[genre]
            song = songs[min(int(dice.expovariate(6 / len(songs))), len(songs) - 1)]
        heard.append(song)
        return song


def main() -> None:
    """Write a stream of so many events as CSV to standard output."""
    rows = csv.writer(sys.stdout, lineterminator="\n")
    rows.writerow(("user", "item", "time"))
    for batch in synthetic(int(sys.argv[1])):
        rows.writerows(zip(batch.users, batch.items, batch.times_ms.tolist(), strict=True))


if __name__ == "__main__":
    main()
