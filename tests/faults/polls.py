"""One stream in batches of all sizes: whoever follows the journal arrives where its leader did, however it reads."""

import random
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from kafka import KafkaConsumer

from consumers.serving.recovery import Follower
from stream.kafka import KafkaLog
from stream.kafka_clients import Connection
from stream.snapshots import state_hash
from tests.faults.child import task
from tests.faults.oracle import ONE_AT_A_TIME, Tally
from tests.faults.trial import Trial, World

_SIZES = (1, 7, 500)
_SIPS = (1, 700, 2**20)  # bytes; the broker gives a whole batch of records where it is larger


class Sipping(Connection):
    """Reads so many bytes at a time."""

    sip = 2**20

    def consumer(self, **more: Any) -> KafkaConsumer:
        return Connection.consumer(self, max_partition_fetch_bytes=self.sip, fetch_max_bytes=self.sip, **more)


def poll_sizes(world: World, chance: random.Random, rounds: int) -> Iterator[Tally]:
    """Lead with each size of batch, and follow with each size of fetch."""
    for _ in range(rounds):
        seed = chance.randrange(2**32)
        tally = Tally()
        for size in _SIZES:
            with closing(Trial(world, random.Random(seed), batch={"max_records": size})) as trial:
                for _ in range(10):
                    trial.produce(12)  # in a batch of the producer's own
                tally.add(trial.finish())
                for sip in _SIPS:
                    tally.divergent += _followed(trial, sip) != trial.saved_hash()
        yield tally


def _followed(trial: Trial, sip: int) -> str:
    connection = Sipping(trial.connection.bootstrap)
    type(connection).sip = sip
    settings = trial.settings
    nowhere = settings.model_copy(update={"state": settings.state.model_copy(update={"dir": trial.folder / "none"})})
    log = KafkaLog(connection, settings.application.name, trial.topics)
    with ONE_AT_A_TIME, closing(log), closing(Follower(task(log, nowhere))) as follower:
        return state_hash(follower.finish().pipeline.state())
