"""The shape of the network, for whoever chooses it without having to load PyTorch."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Which encoder reads the window, and its sizes."""

    encoder: Literal["transformer", "lstm"] = "transformer"
    calendar: bool = False  # whether hour of the day and day of the week are read too
    width: int = 64  # D: of item vectors, tokens and context vectors
    window: int = 16  # L: newest events that are read
    layers: int = 1  # of a Transformer: all but the last update every token
    heads: int = 2  # of a Transformer
    dropout: float = 0.2  # of context vectors
