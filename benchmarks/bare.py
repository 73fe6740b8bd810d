"""The yardstick: a transactional consume-produce loop that does nothing else.

The same client with the same settings as springtide's own log, one transaction for as many records as it puts into one
at most. Records are read and thrown away; what goes out are bodies that springtide has sent, of the same sizes and as
hard to compress, under the key and to the partition number of the record that they answer.

Run as a process of its own, as springtide is: ``python -m benchmarks.bare BOOTSTRAP INPUT OUTPUT BODIES``.
"""

import signal
import sys
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import msgspec
from kafka import KafkaConsumer, KafkaProducer
from kafka.structs import OffsetAndMetadata, TopicPartition

from consumers.settings import Batch
from stream.kafka import PRODUCER
from stream.kafka_clients import Connection

_POLL_MS = 50


def main() -> None:
    """Copy until SIGTERM; say "ready" when the group is joined."""
    bootstrap, source, target, bodies = sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    connection = Connection(bootstrap)
    consumer: KafkaConsumer = connection.consumer(group_id=source, auto_offset_reset="earliest")
    consumer.subscribe([source])
    producer = KafkaProducer(**connection.settings(), **PRODUCER, transactional_id=source)
    producer.init_transactions()
    answers = cycle(msgspec.msgpack.decode(Path(bodies).read_bytes(), type=list[bytes]))
    while not consumer.assignment():
        consumer.poll(timeout_ms=_POLL_MS)
    print("ready", flush=True)
    while True:
        _copy(consumer, producer, target, answers)


def _copy(consumer: KafkaConsumer, producer: KafkaProducer, target: str, answers: Iterator[bytes]) -> None:
    """Answer what one poll brings."""
    polled = consumer.poll(timeout_ms=_POLL_MS)
    records = [record for batch in polled.values() for record in batch]
    most = Batch().max_records
    for start in range(0, len(records), most):
        part = records[start : start + most]
        producer.begin_transaction()
        for record in part:
            producer.send(target, key=record.key, value=next(answers), partition=record.partition)
        ends = {TopicPartition(one.topic, one.partition): OffsetAndMetadata(one.offset + 1, "", -1) for one in part}
        producer.send_offsets_to_transaction(ends, consumer.group_metadata())
        producer.commit_transaction()


if __name__ == "__main__":
    main()
