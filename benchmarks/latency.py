"""How long a list takes when nobody is in a hurry: events come at a fixed rate, below what the loop can do.

End to end is from the timestamp of an event's record to the moment when a subscriber that reads committed records has
the answer. Both loops answer every record in order and under the same partition number, so the n-th answer of a
partition belongs to the n-th record of it.

Freshness is from the timestamp of an event's record to the first list that stands on it: that was made by models that
had learned at least as many events as came up to this one.
"""

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import msgspec
from kafka import KafkaConsumer
from kafka.structs import TopicPartition

from benchmarks.bench import PARTITIONS
from consumers.commands.replay import Pace, Replay
from consumers.files.reading import EventBatch
from consumers.settings import Input, Settings
from stream.errors import SpringtideError
from stream.kafka_clients import Connection

_POLL_MS = 20
_PATIENCE_S = 60.0


class Answer(NamedTuple):
    """One answer as a subscriber saw it."""

    partition: int
    seen_ms: float
    body: bytes


class _Model(msgspec.Struct):
    events_learned: int


class _List(msgspec.Struct):
    model: _Model


def end_to_end(sent: Sequence[tuple[int, int]], answers: Sequence[Answer]) -> list[float]:
    """Seconds from each sent (partition, timestamp in ms), in order of the log, to its answer."""
    waits = []
    for partition in range(PARTITIONS):
        stamps = [stamp_ms for place, stamp_ms in sent if place == partition]
        seen = [answer.seen_ms for answer in answers if answer.partition == partition]
        waits += [(late - early) / 1000 for early, late in zip(stamps, seen, strict=True)]
    return waits


def freshness(stamps_ms: Sequence[int], before: int, lists: Sequence[tuple[float, int]]) -> list[float]:
    """Seconds from each event to the first list that has learned it; events that no list has learned are left out.

    Parameters
    ----------
    stamps_ms
        Of the events in the order in which they are learned.
    before
        Events learned before the first of them.
    lists
        When each list was seen, in ms, and how many events its models had learned.
    """
    waits, place = [], 0
    for seen_ms, learned in sorted(lists):
        while place < len(stamps_ms) and before + place < learned:
            waits.append((seen_ms - stamps_ms[place]) / 1000)
            place += 1
    return waits


def learned_by(answers: Sequence[Answer]) -> list[tuple[float, int]]:
    """When each list was seen, and how many events its models had learned."""
    decode = msgspec.json.Decoder(_List).decode
    return [(answer.seen_ms, decode(answer.body).model.events_learned) for answer in answers]


def paced(
    connection: Connection, source: str, target: str, batches: Iterable[EventBatch], rate: float
) -> tuple[list[tuple[int, int]], list[Answer]]:
    """Send events at `rate` a second; return (partition, timestamp in ms) of each, and all answers."""
    reader, inputs = connection.consumer(), connection.consumer()
    try:
        _begin_at_end(reader, target)
        _begin_at_end(inputs, source)
        replay = Replay(connection, Settings(input=Input(topic=source)), Pace(rate), None)
        sending = ThreadPoolExecutor(1).submit(replay.send, batches)
        answers = list[Answer]()
        deadline = time.monotonic() + _PATIENCE_S
        while not sending.done() or len(answers) < replay.sent.events:
            polled = reader.poll(timeout_ms=_POLL_MS)
            seen_ms = time.time() * 1000
            answers += [Answer(one.partition, seen_ms, one.value) for records in polled.values() for one in records]
            deadline = time.monotonic() + _PATIENCE_S if polled else deadline
            if time.monotonic() > deadline:
                message = f"No more answers came to {target}: {len(answers)} of {replay.sent.events}."
                raise SpringtideError(message)
        count = sending.result().events
        sent = list[tuple[int, int]]()
        while len(sent) < count:
            polled = inputs.poll(timeout_ms=_POLL_MS)
            sent += [(one.partition, one.timestamp) for records in polled.values() for one in records]
        return sent, answers
    finally:
        reader.close()
        inputs.close()


def _begin_at_end(consumer: KafkaConsumer, topic: str) -> None:
    consumer.assign([TopicPartition(topic, number) for number in range(PARTITIONS)])
    consumer.seek_to_end()
    for place in consumer.assignment():
        consumer.position(place)  # asks, so that nothing that is sent from now on is missed
