"""A file as examples for a network: what the service would learn from it, and the window just before each.

Events go through the same gate as those of a topic: decoded, cleaned, by the event policy. Ids become rows in the order
in which they are first met; a file has no bound but its own length.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from consumers import gate
from consumers.files.reading import EventBatch, by_time
from consumers.settings import Settings
from models.network.config import NetworkConfig
from models.network.replay import Examples, inputs_of
from stream.cleaning import Accepted
from stream.errors import FileFormatError
from stream.events import Interaction
from stream.log import Record
from stream.policy import Role
from stream.windows import UserWindows

_FEWEST = 100


@dataclass(frozen=True, slots=True)
class History:
    """N examples in order of time, and the ids of the I items by row."""

    examples: Examples
    ids: tuple[str, ...]

    def rows_by_last_time(self) -> list[int]:
        """Return the item rows (I,), the one that was met last at the end."""
        last = np.zeros(len(self.ids), np.int64)
        last[self.examples.targets] = np.arange(len(self.examples.targets))  # of equal rows the last one stays
        return [int(row) for row in np.argsort(last, kind="stable")]


def history(
    settings: Settings, events: Iterable[EventBatch], network: NetworkConfig, progress: Callable[[int], None]
) -> History:
    """Read events, in any order, as examples for a network of that shape.

    `progress` is told how many events were read since the last call. Raises FileFormatError when there are too few.
    """
    decoder, cleaner = gate.decoder(settings), gate.cleaner(settings)
    windows = UserWindows(network.window, settings.windows.span.ms)
    users: dict[str, int] = {}
    items: dict[str, int] = {}
    names, topic, offset = settings.input.fields.field_map(), settings.input.topic, 0
    parts = []
    for batch in by_time(events):
        records = [
            Record(topic, 0, offset + n, time_ms, None, value)
            for n, (value, time_ms) in enumerate(zip(batch.messages(names), batch.times_ms.tolist(), strict=True))
        ]
        offset += len(records)
        cleaned = cleaner.clean([decoder.decode(record) for record in records])
        parts.append(_examples(cleaned.accepted, windows, users, items, network.window))
        progress(len(batch))
    examples = Examples.joined(parts) if parts else None
    if examples is None or len(examples.targets) < _FEWEST:
        message = f"The file has too few events to learn from: give it at least {_FEWEST} that the event policy learns."
        raise FileFormatError(message)
    return History(examples, tuple(items))


def _examples(
    accepted: Iterable[Accepted], windows: UserWindows, users: dict[str, int], items: dict[str, int], width: int
) -> Examples:
    learned = [
        (one.event, one.weight) for one in accepted if one.role is Role.LEARN and isinstance(one.event, Interaction)
    ]
    user_rows = np.array([users.setdefault(event.user_id, len(users)) for event, _ in learned], np.int32)
    item_rows = np.array([items.setdefault(event.item_id, len(items)) for event, _ in learned], np.int32)
    times_ms = np.array([event.event_time_ms for event, _ in learned], np.int64)
    before, _ = windows.extend(user_rows, item_rows, times_ms)
    weights = np.array([weight for _, weight in learned], np.float32)
    return Examples(inputs_of(before, width), item_rows, weights, user_rows)
