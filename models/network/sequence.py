"""The network: a small Transformer that reads a window of events and says where the next item lies.

Every event of the window becomes a token: the item's vector, plus vectors for its place, for the time until the event
after it, and for its age. One more token stands for *now*; it starts from the newest event, and it alone is asked for a
prediction. An online learner gets one target for each event, so the last layer computes attention and feed-forward for
that single token; predictions at all earlier places would cost as much as the rest of the network and repeat what those
events taught when they were new. Looking back, no order needs hiding: the target is never among the tokens.

The prediction is a *context vector*; its dot product with an item's vector is that item's logit. Item vectors are tied:
the same table feeds the tokens and the logits. The table itself is not here, because it grows and is trained row by row
(`rows.ItemVectors`).

Early on the network hardly changes what comes in, so that a prediction begins at the items that stand near the newest
one; it has no second pass over the data in which to find that out. Dropout works on context vectors only.

Times enter as logarithmic buckets, half an octave wide: from the same second to many years in fewer than 64 of them.

The layout follows SASRec (Kang and McAuley 2018, https://arxiv.org/abs/1808.09781), with normalisation before each
sub-layer, time gaps, and the one query described above.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

GAP_BUCKETS = 64
"""Enough for half octaves of seconds up to 2**31 s."""

_TOKEN_SCALE = 2.0
"""How much an item weighs in its token, against place and times."""

_ADDED_SCALE = 0.17
"""Standard deviation of what an untrained layer adds to a token, relative to its input."""

_CONTEXT_SCALE = 0.5
"""Size of the numbers in an untrained context vector: with larger ones the logits run ahead of the evidence."""


@dataclass(frozen=True, slots=True)
class SequenceConfig:
    """Shape of the network."""

    width: int = 64  # D: of item vectors, tokens and context vectors
    window: int = 16  # L: newest events that are read
    layers: int = 1  # all but the last update every token
    heads: int = 2
    dropout: float = 0.2  # of context vectors


def gap_buckets(gaps_ms: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """Half-octave bucket of each time gap; gaps below a second, and negative ones, are bucket 0."""
    seconds = np.maximum(gaps_ms, 0) // 1000
    return np.minimum(2.0 * np.log2(seconds + 1.0), GAP_BUCKETS - 1).astype(np.uint8)


class Block(nn.Module):
    """Attention, then a feed-forward layer, each on normalised input and added to what came in."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.output = nn.Linear(width, width)
        self.feed_norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 2 * width)
        self.narrow = nn.Linear(2 * width, width)
        for last in (self.output, self.narrow):
            nn.init.normal_(last.weight, std=_ADDED_SCALE / last.in_features**0.5)
            nn.init.zeros_(last.bias)

    def forward(self, tokens: Tensor, valid: Tensor, queries: int) -> Tensor:
        """Update the first `queries` of `tokens` (B, T, D) by all tokens that are `valid` (B, T): (B, queries, D)."""
        batch, length, width = tokens.shape
        heads = (self.heads, width // self.heads)
        normed = self.attention_norm(tokens)
        query = self.query(normed[:, :queries]).view(batch, queries, *heads).transpose(1, 2)  # (B, H, Q, D/H)
        key_value = self.key_value(normed).view(batch, length, 2, *heads)
        key, value = key_value.permute(2, 0, 3, 1, 4)  # each (B, H, T, D/H)
        found = functional.scaled_dot_product_attention(query, key, value, attn_mask=valid[:, None, None, :])
        found = found.transpose(1, 2).reshape(batch, queries, width)
        updated: Tensor = tokens[:, :queries] + self.output(found)
        fed: Tensor = self.narrow(functional.gelu(self.widen(self.feed_norm(updated))))
        return updated + fed


class SequenceEncoder(nn.Module):
    """Windows of item vectors and time gaps in, context vectors out."""

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__()
        self.now = nn.Parameter(torch.zeros(config.width))
        self.place = nn.Parameter(torch.randn(config.window, config.width) * 0.02)
        self.gap = nn.Embedding(GAP_BUCKETS, config.width)
        self.age = nn.Embedding(GAP_BUCKETS, config.width)
        for table in (self.gap, self.age):
            nn.init.normal_(table.weight, std=0.02)
        self.blocks = nn.ModuleList(Block(config.width, config.heads) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        nn.init.constant_(self.norm.weight, _CONTEXT_SCALE)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, vectors: Tensor, gaps: Tensor, ages: Tensor, valid: Tensor) -> Tensor:
        """Give the context vector (B, D) of each window.

        Parameters
        ----------
        vectors
            Item vectors, newest first (B, L, D); anything where not `valid`.
        gaps
            Bucket of the time from each event to the one after it, for the newest to now (B, L), integer.
        ages
            Bucket of the time from each event to now (B, L), integer.
        valid
            Which of the L places hold an event (B, L), bool; a window may be empty.
        """
        events = _TOKEN_SCALE * vectors + self.place + self.gap(gaps) + self.age(ages)  # (B, L, D)
        newest = events[:, :1] * valid[:, :1, None]
        tokens = torch.cat([newest + self.now, events], dim=1)  # (B, 1 + L, D)
        valid = functional.pad(valid, (1, 0), value=True)  # now is always there to attend to
        for block in self.blocks[:-1]:
            tokens = block(tokens, valid, tokens.shape[1])
        context: Tensor = self.dropout(self.norm(self.blocks[-1](tokens, valid, 1)[:, 0]))
        return context
