"""An LSTM in place of the Transformer: it reads the window's tokens from the oldest to now, one after the other.

The step for *now* takes the newest event's token once more, with the hour and the day; where the window is empty it is
all there is. What the state says at the end is added to that token, and hardly changes it early on, as in `sequence`.
Places that hold no event leave the state as it was.

Long short-term memory is Hochreiter and Schmidhuber 1997; reading sessions by a recurrent network, Hidasi et al. 2016
(https://arxiv.org/abs/1511.06939).
"""

import torch
from torch import Tensor, nn

from models.network.config import NetworkConfig
from models.network.sequence import ADDED_SCALE, CONTEXT_SCALE
from models.network.tokens import Tokens


class LSTMEncoder(nn.Module):
    """Windows of item vectors and times in, context vectors out."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.tokens = Tokens(config)
        self.token_norm = nn.LayerNorm(config.width)
        self.gates = nn.Linear(config.width, 4 * config.width)
        self.recurrent = nn.Linear(config.width, 4 * config.width, bias=False)
        self.output = nn.Linear(config.width, config.width)
        nn.init.normal_(self.output.weight, std=ADDED_SCALE / config.width**0.5)
        nn.init.zeros_(self.output.bias)
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
        given = self.gates(self.token_norm(torch.cat([now[:, None], events], dim=1)))  # (B, 1 + L, 4 D)
        read = torch.cat([torch.ones_like(valid[:, :1]), valid], dim=1)[:, :, None]
        state, cell = torch.zeros_like(now), torch.zeros_like(now)
        for place in range(events.shape[1], -1, -1):
            let_in, keep, let_out, new = (given[:, place] + self.recurrent(state)).chunk(4, dim=1)
            stepped = torch.sigmoid(keep + 1) * cell + torch.sigmoid(let_in) * torch.tanh(new)
            cell = torch.where(read[:, place], stepped, cell)
            state = torch.where(read[:, place], torch.sigmoid(let_out) * torch.tanh(cell), state)
        context: Tensor = self.dropout(self.norm(now + self.output(state)))
        return context
