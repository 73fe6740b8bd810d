"""Users who do not behave like people, found by three plain rules.

1. *Rate*: more than `RATE` events in one hour of the clock, and more than `FAR_BEYOND` times the busiest hour that half
   of the users never exceed. Crawlers and test accounts do this.
2. *Intervals*: at least `FEWEST_GAPS` gaps between events, of which nine in ten are as long as the one before, to
   within a twentieth. A script with a timer does this, also one that stops at night. Gaps below two seconds do not
   count, as they are all alike where times are in seconds.
3. *One item*: at least `FEWEST_EVENTS` events, of which nine in ten are of the same item as the one before. A page that
   reloads itself does this, and a monitor that opens one address.

The rules go by event time and by the order of the events, so the same file gives the same answer. They are hints: a
person with a habit can meet the third. Nothing is dropped by them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

RATE = 200
FAR_BEYOND = 20
FEWEST_GAPS = 20
FEWEST_EVENTS = 50

_MOST = 0.9
_ALIKE = 0.05
_SHORTEST_MS = 2_000
_HOUR_MS = 3_600_000


@dataclass(slots=True)
class Habits:
    """What is known of one user: a handful of numbers, however many events there are."""

    row: int  # of the first event
    events: int = 0
    last_item: str = ""
    last_ms: int = 0
    gap_ms: int = 0  # the last one that counts
    gaps: int = 0  # that follow one that counts
    alike: int = 0  # gaps that are as long as the one before
    again: int = 0  # events of the item of the one before
    hour: int = 0
    in_hour: int = 0
    busiest: int = 0  # most events in one hour

    def observe(self, item: str, time_ms: int) -> None:
        """Take in the user's next event."""
        if self.events:
            self.again += item == self.last_item
            gap_ms = time_ms - self.last_ms
            if gap_ms >= _SHORTEST_MS:
                if self.gap_ms:
                    self.gaps += 1
                    self.alike += abs(gap_ms - self.gap_ms) <= _ALIKE * self.gap_ms
                self.gap_ms = gap_ms
        hour = time_ms // _HOUR_MS
        self.in_hour = self.in_hour + 1 if self.events and hour == self.hour else 1
        self.busiest = max(self.busiest, self.in_hour)
        self.events, self.last_item, self.last_ms, self.hour = self.events + 1, item, time_ms, hour


@dataclass(frozen=True, slots=True)
class Suspect:
    """A user, the name of the rule, the row of the first event, how many there are, and what was noticed."""

    user: str
    rule: str
    row: int
    events: int
    noticed: str


class Suspects:
    """Watches up to `users` users; when there are more, the half with the fewest events is forgotten."""

    def __init__(self, users: int) -> None:
        self._most = users
        self._habits: dict[str, Habits] = {}

    def observe(self, user: str, item: str, time_ms: int, row: int) -> None:
        """Take in one event."""
        habits = self._habits.get(user)
        if habits is None:
            self._make_room()
            habits = self._habits[user] = Habits(row)
        habits.observe(item, time_ms)

    def found(self) -> list[Suspect]:
        """Who meets a rule, those with the most events first; a user may meet several."""
        usual = median(habits.busiest for habits in self._habits.values()) if self._habits else 0
        found = [
            Suspect(user, rule, habits.row, habits.events, noticed)
            for user, habits in self._habits.items()
            for rule, noticed in _rules(habits, max(RATE, FAR_BEYOND * usual))
        ]
        return sorted(found, key=lambda one: (-one.events, one.row))

    def _make_room(self) -> None:
        if len(self._habits) >= self._most:
            by_events = sorted(self._habits.items(), key=lambda pair: -pair[1].events)
            self._habits = dict(by_events[: self._most // 2])


def _rules(habits: Habits, rate: float) -> Iterator[tuple[str, str]]:
    if habits.busiest > rate:
        yield "rate", f"{habits.busiest:,} events in one hour"
    if habits.gaps >= FEWEST_GAPS and habits.alike >= _MOST * habits.gaps:
        yield "intervals", f"{habits.alike / habits.gaps:.0%} of {habits.gaps:,} gaps alike, {habits.gap_ms / 1000:g} s"
    if habits.events >= FEWEST_EVENTS and habits.again >= _MOST * (habits.events - 1):
        yield "one_item", f"{habits.again + 1:,} of {habits.events:,} events of the item before"
