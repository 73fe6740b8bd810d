"""What subscribers have: the newest list of each user, as it was sent, and where in it the user's next item stood.

This is published quality for a service that keeps up, in which the list that answers an event is out before the user's
next one. Batches are a way of counting here and take no time; so a list counts from its own event on, though it was
made by the models as they were before the batch.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from models.base import Floats
from models.metrics import MISS, Ranks
from stream.events import Decoded, Interaction
from stream.log import OutputRecord
from stream.policy import EventPolicy, Role


class _Item(msgspec.Struct):
    item_id: str
    score: float


@dataclass(frozen=True, slots=True)
class Met:
    """The lists that n users had when they came again.

    `ranks` (n,) are the places of their events' items, MISS where an item was not on the list or no list was there;
    `scores` (n, k) those of the items on it, 0 behind the last.
    """

    ranks: Ranks
    scores: Floats


class _Trigger(msgspec.Struct):
    offset: int


class _List(msgspec.Struct):
    user_id: str
    items: list[_Item]
    trigger: _Trigger


class Subscriber:
    """Reads the lists of a stream of interactions, one list for each accepted event.

    Parameters
    ----------
    policy
        Which events are learned from, and so tested.
    k
        Most items of a list.

    Attributes
    ----------
    shown
        How many places each item had on the lists so far.
    """

    def __init__(self, policy: EventPolicy, k: int) -> None:
        self.shown = Counter[str]()
        self._policy = policy
        self._k = k
        self._decode = msgspec.json.Decoder(_List).decode
        self._lists: dict[str, list[_Item]] = {}  # the newest of each user

    def read(self, batch: Sequence[Decoded], sent: Sequence[OutputRecord]) -> Met:
        """Take the lists of a batch, in order; return those that the users of its n events to learn from had."""
        events = {decoded.record.offset: decoded.events[0] for decoded in batch if decoded.events}
        ranks: list[int] = []
        scores: list[list[float]] = []
        for output in sent:
            assert output.value is not None
            found = self._decode(output.value)
            event = events[found.trigger.offset]
            assert isinstance(event, Interaction)
            if self._policy.judge(event.event_type, event.value).role is Role.LEARN:
                had = self._lists.get(event.user_id, [])
                ids = [item.item_id for item in had]
                ranks.append(ids.index(event.item_id) if event.item_id in ids else int(MISS))
                scores.append([item.score for item in had] + [0.0] * (self._k - len(had)))
            self._lists[found.user_id] = found.items
            self.shown.update(item.item_id for item in found.items)
        return Met(np.array(ranks, np.int32), np.array(scores, np.float32).reshape(len(ranks), self._k))
