"""What goes out: each user's newest list, why each item is on it, and what it stands on.

::

    {"schema": "springtide.recommendation/1", "rec_id": "<32 hex digits>", "user_id": "u17",
     "items": [{"item_id": "i5", "rank": 1, "score": 0.113,
                "reasons": [{"expert": "transitions", "weight": 0.71, "because": ["i942"]}]}],
     "rest": 0.887,
     "trigger": {"event_id": "01J...", "topic": "interactions", "partition": 2, "offset": 10451},
     "model": {"version": "1", "events_learned": 104511},
     "event_time": "2026-03-01T12:00:00.250000Z", "watermark": "2026-03-01T11:59:00.250000Z"}

- `score` is the probability that the item is the user's next, among all candidates; `rest` is what the candidates that
  are not on the list have together, so that scores and rest add up to 1. `rank` begins with 1.
- `reasons` share out the evidence for an item: `weight` is an expert's share, `because` names the items of the user's
  own past that it stands on.
- `trigger` is the event that the list answers, `model` what the list was computed with.
- `watermark` says up to which event time everything had been seen; a list may come before the first watermark, and
  then has none.
- `rec_id` depends on the place of the event only: a list that is computed again has the same.

The body is a function of what was read, and of nothing else: equal lists are equal bytes. When it went out is the
record's own timestamp. Readers ignore fields that they do not know; a change that would mislead them is a new major
version of the schema, and is refused.

A record without a value says that the user's list is gone, because the user was erased. Its header
``__springtide.receipt`` is the receipt for that::

    {"schema": "springtide.erasure/1", "rec_id": "<32 hex digits>", "known": true,
     "trigger": {"event_id": "01J...", "topic": "interactions", "partition": 2, "offset": 10460},
     "event_time": "2026-03-01T12:07:00Z"}

It names the erasure and not the user, so it can be kept. `known` says whether there was anything to erase.
"""

import datetime as dt
import hashlib
from collections import OrderedDict

import msgspec
from msgspec import Struct

from stream.errors import MessageError

SCHEMA = "springtide.recommendation/1"
RECEIPT_SCHEMA = "springtide.erasure/1"
RECEIPT_HEADER = "__springtide.receipt"


class Reason(Struct, frozen=True):
    """One expert's part in an item's score."""

    expert: str
    weight: float  # share of the evidence, in [0, 1]
    because: list[str] = []  # item ids of the user's past, strongest first


class RecommendedItem(Struct, frozen=True):
    """One place of a list."""

    item_id: str
    rank: int  # 1 is the best
    score: float  # probability to be next, among the candidates
    reasons: list[Reason]


class Trigger(Struct, frozen=True):
    """The event that a list answers."""

    event_id: str
    topic: str
    partition: int
    offset: int


class Model(Struct, frozen=True):
    """What a list was computed with."""

    version: str
    events_learned: int


class Recommendation(Struct, frozen=True, kw_only=True):
    """A user's list. Numbers are Python's own, finite; times are in UTC."""

    schema: str = SCHEMA
    rec_id: str
    user_id: str
    items: list[RecommendedItem]  # best first
    rest: float  # probability mass of the candidates that are not on the list
    trigger: Trigger
    model: Model
    event_time: dt.datetime
    watermark: dt.datetime | None = None


class Receipt(Struct, frozen=True, kw_only=True):
    """Says that a user was erased."""

    schema: str = RECEIPT_SCHEMA
    rec_id: str
    known: bool
    trigger: Trigger
    event_time: dt.datetime


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Recommendation)


def encode(message: Struct) -> bytes:
    """Write a list or a receipt as a message; equal ones give equal bytes."""
    return _encoder.encode(message)


def rec_id(application: str, epoch: int, topic: str, partition: int, offset: int, slot: int) -> str:
    """Return the name of the list that answers an event, as 32 hex digits.

    `slot` is the event's place in its record, `epoch` the life of the application's state that the list belongs to.
    """
    place = _encoder.encode((application, epoch, topic, partition, offset, slot))
    return hashlib.blake2b(place, digest_size=16).hexdigest()


class RecommendationReader:
    """Reads the lists of a topic, for subscribers of all kinds.

    With ``isolation_level="read_committed"`` every list comes once. A subscriber that starts over from an older offset,
    or reads uncommitted records, meets some again: those among the last `remembered` are left out.
    """

    def __init__(self, remembered: int = 100_000) -> None:
        self._remembered = remembered
        self._seen: OrderedDict[str, None] = OrderedDict()

    def read(self, value: bytes | None) -> Recommendation | None:
        """Read one record's value; None for a list that was read before, and for a removal.

        Raises MessageError when the value is not a list, or is of another major version.
        """
        if value is None:
            return None
        recommendation = _decode(value)
        if recommendation.rec_id in self._seen:
            return None
        self._seen[recommendation.rec_id] = None
        if len(self._seen) > self._remembered:
            self._seen.popitem(last=False)
        return recommendation


class _Versioned(Struct):
    """As much of a message as tells its version."""

    schema: str


def _decode(value: bytes) -> Recommendation:
    """Read a message of our major version, or say why not."""
    try:
        schema = msgspec.json.decode(value, type=_Versioned).schema
        if schema != SCHEMA:
            sentence = f"The list is of schema {schema[:100]!r}; this reader knows {SCHEMA!r}: install a newer one."
            raise MessageError(reason="unknown_schema", message=sentence)
        return _decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        sentence = f"The value is no list of recommendations: {error}."
        raise MessageError(reason="bad_json", message=sentence) from None
