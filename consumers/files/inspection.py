"""What the pipeline would make of a file: each event through the gate, and what can be noticed on the way.

The events go through the very decoder, cleaner, vocabularies and windows of the service, in the order of the file, as
`springtide replay` sends them. What they say is counted; a few rows of each kind are kept as examples. Memory is that
of the windows and the vocabularies, which are bounded by the settings, and a few numbers for each user.

What is counted, by group:

- ``dropped``: what becomes a dead letter, by reason, and repeated deliveries;
- ``set aside``: what is let through and not learned from, by the event policy;
- ``clock``: times that look wrong, though the event may be right;
- ``bots``: users who do not behave like people (`suspects`);
- ``windows``: how much of its window the network has or leaves out at each event that is learned from.
"""

from collections import OrderedDict
from collections.abc import Callable

import msgspec
import numpy as np

from consumers import gate
from consumers.admission import Admission
from consumers.files.reading import EventBatch, EventFile
from consumers.files.suspects import Suspects
from consumers.files.times import NO_TIME
from consumers.settings import Settings
from models.network.config import NetworkConfig
from stream.cleaning import Accepted
from stream.clock import utc
from stream.events import EARLIEST_MS, Interaction
from stream.log import Record
from stream.policy import Role
from stream.windows import UserWindows

EXAMPLES = 3

_DAY_MS = 86_400_000
_OTHER_UNITS = (1_000, 1_000_000)


class Example(msgspec.Struct, frozen=True):
    """One event of a kind: its row in the file, from 1 on, and what is special about it."""

    row: int
    user: str | None
    item: str | None
    time: str | None
    note: str = ""


class Finding(msgspec.Struct):
    """How many events are of a kind, what that means, and examples."""

    group: str
    name: str
    meaning: str
    events: int = 0
    examples: list[Example] = msgspec.field(default_factory=list)


class Inspection(msgspec.Struct):
    """All that was found in a file."""

    events: int = 0
    learned: int = 0
    users: int = 0  # that were let through
    items: int = 0
    first: str | None = None
    last: str | None = None
    time_unit: str = ""  # of numbers
    zones: dict[str, int] = msgspec.field(default_factory=dict)  # of text, as written, "" for none
    findings: list[Finding] = msgspec.field(default_factory=list)


def inspect(
    settings: Settings, file: EventFile, now_ms: int, progress: Callable[[int], None] = lambda _: None
) -> Inspection:
    """Inspect a file, which is opened leniently, as if it were sent at `now_ms`.

    `progress` is called with the number of events done so far. FileFormatError where the file cannot be read.
    """
    inspector = _Inspector(settings, now_ms)
    for batch in file:
        inspector.take(batch)
        progress(inspector.result.events)
    return inspector.close(file)


class _Inspector:
    def __init__(self, settings: Settings, now_ms: int) -> None:
        self.result = Inspection()
        self._now_ms = now_ms
        self._names = settings.input.fields.field_map()
        self._topic = settings.input.topic
        self._decoder = gate.decoder(settings)
        self._cleaner = gate.cleaner(settings)
        self._windows = UserWindows(settings.windows.length, settings.windows.span.ms)
        self._admission = Admission(
            settings.windows.users, settings.models.items, self._windows.forget_users, self._windows.forget_items
        )
        self._grace_ms = settings.cleaning.grace.ms
        self._suspects = Suspects(settings.windows.users)
        self._rows = OrderedDict[tuple[str, str, int, str | None], None]()  # of the last events without an id
        self._remembered = settings.cleaning.dedupe_ids
        self._found: dict[tuple[str, str], Finding] = {}
        self._first_ms = self._last_ms = NO_TIME
        self._newest_ms = NO_TIME
        self._read = NetworkConfig().window
        self._length = settings.windows.length

    def take(self, batch: EventBatch) -> None:
        """Judge a batch."""
        accepted: list[Accepted] = []
        for place, value in enumerate(batch.messages(self._names)):
            decoded = self._decoder.decode(Record(self._topic, 0, int(batch.rows[place]), self._now_ms, None, value))
            cleaned = self._cleaner.clean([decoded])
            for _, error in cleaned.rejected:
                meaning = f"A dead letter, such as: {error}"
                self._note("dropped", error.reason, meaning, batch, place)
                if error.reason == "impossible_time":
                    self._other_unit(batch, place)
            if cleaned.duplicates:
                meaning = "The user has sent this event id before: counted, and not used again."
                self._note("dropped", "duplicate", meaning, batch, place)
            if cleaned.ignored or cleaned.exposures:
                what = "ignored" if cleaned.ignored else "exposure"
                meaning = "Nothing for a recommender." if cleaned.ignored else "Only shown: counted, not learned from."
                self._note("set aside", what, meaning, batch, place)
            for one in cleaned.accepted:
                if one.role is Role.NEGATIVE:
                    meaning = "The item was turned down: not learned from, and not offered to the user again."
                    self._note("set aside", "negative", meaning, batch, place)
                self._watch(batch, place, one)
            accepted += cleaned.accepted
        self.result.events += len(batch)
        self._window(accepted)

    def close(self, file: EventFile) -> Inspection:
        """Return what was found, after the last batch."""
        result = self.result
        for suspect in self._suspects.found():
            meaning = f"{_BOTS[suspect.rule]} Kept: leave such users out before, if they are no people."
            finding = self._finding("bots", suspect.rule, meaning)
            finding.events += suspect.events
            if len(finding.examples) < EXAMPLES:
                note = f"{suspect.events:,} events; {suspect.noticed}"
                finding.examples.append(Example(suspect.row + 1, suspect.user, None, None, note))
        if file.times.unreadable:
            meaning = "The time is no number and no date: write epoch milliseconds or 2026-03-01T12:00:00Z."
            self._texts("unreadable_time", meaning, file.times.unreadable, file.times.unread)
        unzoned = file.times.zones.get("", 0)
        if unzoned:
            meaning = "The time has no zone and is taken as UTC: hours of the day are wrong where it is local time."
            self._texts("no_zone", meaning, unzoned, file.times.unzoned)
        result.users = len(self._admission.users) + self._admission.expired_users
        result.items = len(self._admission.items) + self._admission.expired_items
        result.first, result.last = _text(self._first_ms), _text(self._last_ms)
        result.time_unit, result.zones = file.times.unit, dict(file.times.zones)
        order = ("dropped", "set aside", "clock", "bots", "windows")
        result.findings = sorted(self._found.values(), key=lambda one: (order.index(one.group), -one.events))
        return result

    def _watch(self, batch: EventBatch, place: int, one: Accepted) -> None:
        """Look at the time and the habits of what is let through."""
        event = one.event
        assert isinstance(event, Interaction)
        time_ms, row = event.event_time_ms, int(batch.rows[place])
        self._first_ms = time_ms if self._first_ms == NO_TIME else min(self._first_ms, time_ms)
        self._last_ms = max(self._last_ms, time_ms)
        if time_ms < self._newest_ms:
            late = time_ms < self._newest_ms - self._grace_ms
            meaning = (
                "Older than an event before it by more than cleaning.grace: learned, but late; --sort helps."
                if late
                else "Older than an event before it, within cleaning.grace: learned at its place in the window."
            )
            seconds = (self._newest_ms - time_ms) / 1000
            self._note("clock", "late" if late else "out_of_order", meaning, batch, place, f"{seconds:,.0f} s late")
        self._newest_ms = max(self._newest_ms, time_ms)
        if time_ms % _DAY_MS == 0:
            meaning = "Exactly midnight UTC: perhaps a date without a time, and the order within the day is unknown."
            self._note("clock", "midnight", meaning, batch, place)
        if one.decoded.identity is None and self._remembered:
            key = (event.user_id, event.item_id, time_ms, event.event_type)
            if key in self._rows:
                meaning = (
                    "The same user, item, time and event type as a row before, and no event id to tell that it is a "
                    "repeat: learned again. Give rows an id, or leave it out."
                )
                self._note("clock", "same_row_again", meaning, batch, place)
            self._rows[key] = None
            if len(self._rows) > self._remembered:
                self._rows.popitem(last=False)
        self._suspects.observe(event.user_id, event.item_id, time_ms, row)

    def _other_unit(self, batch: EventBatch, place: int) -> None:
        """Say so where an impossible time would be one in another unit."""
        time_ms = int(batch.times_ms[place])
        for factor in _OTHER_UNITS:
            for moment in (time_ms * factor, time_ms // factor):
                if EARLIEST_MS <= moment <= self._now_ms:
                    meaning = "An impossible time that would be possible in another unit than that of the first row."
                    self._note("clock", "other_unit", meaning, batch, place, f"perhaps {_text(moment)}")
                    return

    def _window(self, accepted: list[Accepted]) -> None:
        """Enter events into the windows, and count how full those are just before."""
        while accepted:
            fit, accepted = self._admission.fitting(accepted)
            turns = self._admission.admit(fit)
            before, _ = self._windows.extend(turns.users, np.where(turns.learned, turns.items, -1), turns.times_ms)
            lengths = before.lengths[turns.learned]
            learned = [one for one in fit if one.role is Role.LEARN]
            self.result.learned += len(lengths)
            for name, meaning, mask in (
                ("empty", "The user's first event, or the first after windows.span.", lengths == 0),
                ("padded", f"Fewer than the {self._read} events that the network reads: padded.",
                 (lengths > 0) & (lengths < self._read)),
                ("truncated", f"More than the {self._read} events that the network reads: it has the newest. The "
                 "counting experts read all.", lengths > self._read),
                ("full", f"A full window of {self._length} (windows.length): the oldest event leaves.",
                 lengths == self._length),
            ):  # fmt: skip
                if mask.any():
                    self._finding("windows", name, meaning).events += int(mask.sum())
                for place in np.flatnonzero(mask)[:EXAMPLES].tolist():
                    self._example("windows", name, meaning, learned[place], f"{lengths[place]} events in it")

    def _texts(self, name: str, meaning: str, count: int, texts: list[tuple[int, str]]) -> None:
        finding = self._finding("clock", name, meaning)
        finding.events = count
        finding.examples = [Example(row + 1, None, None, text) for row, text in texts[:EXAMPLES]]

    def _example(self, group: str, name: str, meaning: str, one: Accepted, note: str) -> None:
        finding, event = self._finding(group, name, meaning), one.event
        assert isinstance(event, Interaction)
        if len(finding.examples) < EXAMPLES:
            row = one.decoded.record.offset + 1
            finding.examples.append(Example(row, event.user_id, event.item_id, _text(event.event_time_ms), note))

    def _finding(self, group: str, name: str, meaning: str) -> Finding:
        return self._found.setdefault((group, name), Finding(group, name, meaning))

    def _note(self, group: str, name: str, meaning: str, batch: EventBatch, place: int, note: str = "") -> None:
        finding = self._finding(group, name, meaning)
        finding.events += 1
        if len(finding.examples) < EXAMPLES:
            time_ms = int(batch.times_ms[place])
            finding.examples.append(
                Example(int(batch.rows[place]) + 1, batch.users[place], batch.items[place], _text(time_ms), note)
            )


_BOTS = {
    "rate": "Far more events in one hour than others have in theirs.",
    "intervals": "Nine in ten gaps between the user's events are as long as the one before.",
    "one_item": "Nine in ten of the user's events are of the same item as the one before.",
}
_LATEST_TEXT_MS = 253_402_300_799_999


def _text(time_ms: int) -> str | None:
    """Write a time for people; as a number where the calendar has no such day, None for none."""
    if time_ms == NO_TIME:
        return None
    if not 0 <= time_ms <= _LATEST_TEXT_MS:
        return str(time_ms)
    return utc(time_ms).isoformat(timespec="milliseconds").replace("+00:00", "Z").replace(".000Z", "Z")
