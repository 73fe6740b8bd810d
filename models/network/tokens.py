"""What the network is given of a window: a token for each event, and one for now.

The token of an event is the item's vector, plus vectors for its place, for the time until the event after it, and for
its age. The token of *now* starts from the newest event; hour of the day and day of the week, where they are read, are
added to it, because they are the same for all that could come next.

A network that is trained on history (`pretraining`) is also asked what stood at one place *inside* a window. The token
of now then is that place without its item: where and when it was, and nothing of what it was.

Times enter as logarithmic buckets, half an octave wide: from the same second to many years in fewer than 64 of them.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from models.network.config import NetworkConfig

GAP_BUCKETS = 64
"""Enough for half octaves of seconds up to 2**31 s."""

_TOKEN_SCALE = 2.0
"""How much an item weighs in its token, against place and times."""

_HOUR_MS = 3_600_000
_EPOCH = 72  # hours of the week at the start of 1970, a Thursday


def gap_buckets(gaps_ms: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """Half-octave bucket of each time gap; gaps below a second, and negative ones, are bucket 0."""
    seconds = np.maximum(gaps_ms, 0) // 1000
    return np.minimum(2.0 * np.log2(seconds + 1.0), GAP_BUCKETS - 1).astype(np.uint8)


def hours_of_week(times_ms: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """Hour of the week in UTC, 0 to 167, from Monday's first on."""
    return ((times_ms // _HOUR_MS + _EPOCH) % 168).astype(np.uint8)


class Tokens(nn.Module):
    """Vectors for places and times, and how they go together."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        width = config.width
        self.now = nn.Parameter(torch.zeros(width))
        self.place = nn.Parameter(torch.randn(config.window, width) * 0.02)
        self.gap = nn.Embedding(GAP_BUCKETS, width)
        self.age = nn.Embedding(GAP_BUCKETS, width)
        for table in (self.gap, self.age):
            nn.init.normal_(table.weight, std=0.02)
        self.hour = nn.Embedding(24, width) if config.calendar else None
        self.day = nn.Embedding(7, width) if config.calendar else None
        for calendar in (self.hour, self.day):
            if calendar is not None:
                nn.init.zeros_(calendar.weight)

    def forward(
        self,
        vectors: Tensor,
        gaps: Tensor,
        ages: Tensor,
        hours: Tensor,
        valid: Tensor,
        asked: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Give the tokens of now (B, D) and of the events (B, L, D).

        Parameters
        ----------
        vectors
            Item vectors, newest first (B, L, D); anything where not `valid`.
        gaps
            Bucket of the time from each event to the one after it, for the newest to now (B, L), integer.
        ages
            Bucket of the time from each event to now (B, L), integer.
        hours
            Hour of the week of now (B,), integer.
        valid
            Which of the L places hold an event (B, L), bool; a window may be empty.
        asked
            The place that is asked for instead of now (B,), integer; it is not `valid`.
        """
        circumstances = self.place + self.gap(gaps) + self.age(ages)
        events = _TOKEN_SCALE * vectors + circumstances
        if asked is not None:
            return circumstances[torch.arange(len(asked)), asked], events
        now = events[:, 0] * valid[:, :1] + self.now
        if self.hour is not None and self.day is not None:
            now = now + self.hour(hours % 24) + self.day(hours // 24)
        return now, events
