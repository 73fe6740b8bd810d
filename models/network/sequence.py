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

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.network.config import NetworkConfig
from models.network.tokens import Tokens

ADDED_SCALE = 0.17
"""Standard deviation of what an untrained layer adds to a token, relative to its input."""

CONTEXT_SCALE = 0.5
"""Size of the numbers in an untrained context vector: with larger ones the logits run ahead of the evidence."""


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
            nn.init.normal_(last.weight, std=ADDED_SCALE / last.in_features**0.5)
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


class TransformerEncoder(nn.Module):
    """Windows of item vectors and times in, context vectors out."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.tokens = Tokens(config)
        self.blocks = nn.ModuleList(Block(config.width, config.heads) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        nn.init.constant_(self.norm.weight, CONTEXT_SCALE)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        vectors: Tensor,
        gaps: Tensor,
        ages: Tensor,
        hours: Tensor,
        valid: Tensor,
        asked: Tensor | None = None,
    ) -> Tensor:
        """Give the context vector (B, D) of each window; see Tokens for what comes in."""
        now, events = self.tokens(vectors, gaps, ages, hours, valid, asked)
        tokens = torch.cat([now[:, None], events], dim=1)  # (B, 1 + L, D)
        valid = functional.pad(valid, (1, 0), value=True)  # now is always there to attend to
        for block in self.blocks[:-1]:
            tokens = block(tokens, valid, tokens.shape[1])
        context: Tensor = self.dropout(self.norm(self.blocks[-1](tokens, valid, 1)[:, 0]))
        return context
