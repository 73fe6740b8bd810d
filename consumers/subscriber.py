"""What subscribers have: the newest list of each user, as it was sent, and where in it the user's next item stood.

This is published quality for a service that keeps up, in which the list that answers an event is out before the user's
next one. Batches are a way of counting here and take no time; so a list counts from its own event on, though it was
made by the models as they were before the batch.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from models.metrics import MISS, Ranks
from stream.events import Decoded, Interaction
from stream.log import OutputRecord
from stream.policy import EventPolicy, Role


class _Item(msgspec.Struct):
    item_id: str


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
    """

    def __init__(self, policy: EventPolicy) -> None:
        self._policy = policy
        self._decode = msgspec.json.Decoder(_List).decode
        self._lists: dict[str, list[_Item]] = {}  # the newest of each user

    def read(self, batch: Sequence[Decoded], sent: Sequence[OutputRecord]) -> Ranks:
        """Take the lists of a batch, in order.

        Returns the rank (n,) of the item of each event to learn from, in the list that its user had; MISS where it was
        not on it, or no list was there.
        """
        events = {decoded.record.offset: decoded.events[0] for decoded in batch if decoded.events}
        ranks = []
        for output in sent:
            assert output.value is not None
            found = self._decode(output.value)
            event = events[found.trigger.offset]
            assert isinstance(event, Interaction)
            if self._policy.judge(event.event_type, event.value).role is Role.LEARN:
                ids = [item.item_id for item in self._lists.get(event.user_id, ())]
                ranks.append(ids.index(event.item_id) if event.item_id in ids else MISS)
            self._lists[found.user_id] = found.items
        return np.array(ranks, np.int32)
