"""What is let through: each event once, none that comes too late to matter, each with its meaning.

Reading (`events`) judges a record by itself; cleaning judges it by what came before it:

1. What could not be read is rejected with the reader's reason.
2. A record whose identity was seen among the last N is a repeated delivery. It is counted and goes no further. Events
   without an `event_id` are named by their place in the log, and need not be remembered: no place is read twice.
3. An interaction older than its partition's watermark by more than the windows' span is rejected: no window could hold
   it. A request is answered and an erasure is done however late it comes.
4. The policy says what an interaction means. Exposures are counted; what is to be learned from, or was turned down, is
   accepted.

An erasure also removes the user from the identities that are remembered. Its own is not remembered, as it would name
the user; so an erasure that is delivered twice is done twice.

Repeats are found by user and identity together: two users whose apps both count their events from 1 keep all of them.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
import numpy as np

from stream.clock import Watermarks
from stream.errors import MessageError
from stream.events import Decoded, Erase, Event, Interaction
from stream.policy import EventPolicy, Role
from stream.snapshots import State


class Accepted(NamedTuple):
    """One event that the pipeline acts on.

    `role` is LEARN or NEGATIVE for an interaction, and None for a request or an erasure, whose weight is 0.
    """

    decoded: Decoded
    slot: int  # place among the record's events
    event: Event
    role: Role | None
    weight: float


@dataclass(slots=True)
class Cleaned:
    """What became of a batch: every event is in exactly one of these."""

    accepted: list[Accepted] = field(default_factory=list)
    rejected: list[tuple[Decoded, MessageError]] = field(default_factory=list)  # records
    duplicates: int = 0  # events
    ignored: int = 0  # records, unread
    exposures: int = 0  # events


class Cleaner:
    """Judges records in the order of the merged stream.

    Parameters
    ----------
    policy
        What each event type means.
    span_ms
        How old an interaction may be against the watermark: the span of the windows.
    grace_ms
        Of the watermarks.
    remembered
        How many identities are kept to recognise repeats; 0 lets every repeat through.
    """

    def __init__(self, policy: EventPolicy, *, span_ms: int, grace_ms: int, remembered: int = 100_000) -> None:
        self.watermarks = Watermarks(grace_ms)
        self._policy = policy
        self._span_ms = span_ms
        self._remembered = remembered
        self._seen: OrderedDict[tuple[str, str], int] = OrderedDict()  # (user, identity) and number, oldest first
        self._number = 0  # of the identity remembered last; only comparisons within a batch count, so no part of state
        self._erased: dict[str, int] = {}  # users erased in this batch, and the number from which on theirs count

    def clean(self, batch: Sequence[Decoded]) -> Cleaned:
        """Judge each record of a batch, which is in the order of `clock.merge`."""
        cleaned = Cleaned()
        for decoded in batch:
            if decoded.error is not None:
                cleaned.rejected.append((decoded, decoded.error))
            elif not decoded.events:
                cleaned.ignored += decoded.item is None
            else:
                self._judge(decoded, cleaned)
        self._forget_erased()
        return cleaned

    def take_back(self, decoded: Decoded) -> None:
        """Forget a record that was accepted and then refused, so that it is no repeat when it is sent again."""
        if decoded.identity is not None:
            self._seen.pop((decoded.events[0].user_id, decoded.identity), None)

    def state(self) -> State:
        """Return a copy of the remembered identities and the watermarks."""
        seen = np.frombuffer(msgspec.json.encode(list(self._seen)), np.uint8).copy()
        return {"seen": seen} | {f"watermarks.{name}": array for name, array in self.watermarks.state().items()}

    def restore(self, state: State) -> None:
        """Take back what `state` gave."""
        seen = msgspec.json.decode(state["seen"].tobytes(), type=list[tuple[str, str]])
        self._seen = OrderedDict.fromkeys(seen, 0)
        self._number = 0
        prefix = "watermarks."
        self.watermarks.restore(
            {name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)}
        )

    def _judge(self, decoded: Decoded, cleaned: Cleaned) -> None:
        """Judge a record that could be read by what came before it."""
        first = decoded.events[0]
        key = None if decoded.identity is None else (first.user_id, decoded.identity)
        if key is not None and self._seen.get(key, -1) >= self._erased.get(first.user_id, 0):
            cleaned.duplicates += len(decoded.events)
            return
        source = decoded.record.source
        watermark = self.watermarks.of(source)
        late = watermark is not None and decoded.time_ms < watermark - self._span_ms
        if late and isinstance(first, Interaction):
            sentence = "The event is older than the watermark of its partition by more than the windows' span."
            cleaned.rejected.append((decoded, MessageError(reason="too_late", message=sentence)))
            return
        self.watermarks.observe(source, decoded.time_ms)
        if isinstance(first, Erase):
            self._number += 1
            self._erased[first.user_id] = self._number
        elif key is not None:
            self._remember(key)
        for slot, event in enumerate(decoded.events):
            self._accept(decoded, slot, event, cleaned)

    def _remember(self, key: tuple[str, str]) -> None:
        """Keep an identity, and let go of the oldest where there are too many."""
        self._number += 1
        self._seen[key] = self._number
        self._seen.move_to_end(key)
        if len(self._seen) > self._remembered:
            self._seen.popitem(last=False)

    def _forget_erased(self) -> None:
        """Drop what was remembered of erased users before their erasure, in one pass: it visits every identity."""
        if self._erased:
            gone = [key for key, number in self._seen.items() if number < self._erased.get(key[0], 0)]
            for key in gone:
                del self._seen[key]
            self._erased = {}

    def _accept(self, decoded: Decoded, slot: int, event: Event, cleaned: Cleaned) -> None:
        """Sort an event by its meaning."""
        if not isinstance(event, Interaction):
            cleaned.accepted.append(Accepted(decoded, slot, event, None, 0.0))
            return
        role, weight = self._policy.judge(event.event_type, event.value)
        if role is Role.EXPOSURE:
            cleaned.exposures += 1
        else:
            cleaned.accepted.append(Accepted(decoded, slot, event, role, weight))
