"""The encoders there are, behind one way of making them."""

from models.network.config import NetworkConfig
from models.network.recurrent import LSTMEncoder
from models.network.sequence import TransformerEncoder

Encoder = TransformerEncoder | LSTMEncoder

_ENCODERS: dict[str, type[Encoder]] = {"transformer": TransformerEncoder, "lstm": LSTMEncoder}


def new_encoder(config: NetworkConfig) -> Encoder:
    """Make the encoder that a shape names, untrained."""
    return _ENCODERS[config.encoder](config)
