"""A file of what is told of items: one message of the items topic a line, as JSON, also compressed (.gz)."""

import gzip
from pathlib import Path

from consumers import gate
from consumers.settings import Settings
from stream.errors import FileFormatError
from stream.events import Decoded
from stream.log import Record


def read_items(path: Path, settings: Settings) -> list[Decoded]:
    """Read all lines as records of the settings' items topic, by the decoder of the service.

    Raises
    ------
    FileFormatError
        When the file cannot be read, or a line is no such message.
    """
    decoder, topic = gate.topic_decoder(settings), settings.items.topic or ""
    items = []
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as lines:
            for number, line in enumerate(lines):
                told = decoder.decode(Record(topic, 0, number, 0, None, line))
                if told.error is not None:
                    message = f"Line {number + 1} of {path} tells of no item: {told.error}"
                    raise FileFormatError(message)
                items.append(told)
    except (OSError, EOFError) as error:
        message = f"{path} cannot be read: {error}."
        raise FileFormatError(message) from error
    return items
