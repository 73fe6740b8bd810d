"""What recovery and the service need of a pipeline, and how a batch is put through it.

`consumers.pipeline.Pipeline` is the one in service; tests have smaller ones.

As a rule a batch goes through as a whole (`done`). When a model raises on it the state is spoiled, because half of the
batch is learned. It is then built again from what is committed, and the batch goes through record by record
(`done_singly`), with copies of the state on the way to go back to; a record on which a model raises is left out. Which
ones these are is a decision like others: it is journaled, and whoever follows leaves out the same without trying them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeVar

import msgspec

from consumers.pipeline import Decisions, Learned, Outputs, Place
from models.recommender import Milestone
from stream.events import Decoded
from stream.log import OutputRecord, Record
from stream.snapshots import State

_BETWEEN_COPIES = 32  # records: going back costs no more than so many


class Reader(Protocol):
    """Turns records into events."""

    def decode(self, record: Record) -> Decoded:
        """Read one record, without ever raising."""


class Core(Protocol):
    """The part of `consumers.pipeline.Pipeline` that recovery and the service drive."""

    @property
    def decoder(self) -> Reader:
        """What reads the records."""

    @property
    def watermark_ms(self) -> int | None:
        """How far event time has come."""

    @property
    def milestone(self) -> Milestone | None:
        """The last checksum of what has been learned."""

    def recommend(self, batch: Sequence[Decoded], decisions: Decisions) -> Outputs:
        """Answer a batch."""

    def learn(self) -> Learned:
        """Learn it."""

    def dead_letter(self, decoded: Decoded, error: Exception) -> OutputRecord:
        """Return the dead letter of a record on which a model raised."""

    def state(self) -> State:
        """Return a copy of the state."""

    def restore(self, state: State) -> None:
        """Take it back."""


P = TypeVar("P", bound=Core)


class Raised(NamedTuple):
    """A record, and what a model raised on it."""

    decoded: Decoded
    error: Exception


@dataclass(slots=True)
class Done:
    """What came of a batch: what it sends, what was learned, and the records that were left out."""

    decisions: Decisions
    outputs: Outputs = field(default_factory=Outputs)
    learned: list[Learned] = field(default_factory=list)
    raised: list[Raised] = field(default_factory=list)


def done(pipeline: Core, batch: Sequence[Decoded], decisions: Decisions) -> Outputs:
    """Answer and learn a batch as it was decided; what a model raises is raised."""
    if not decisions.singly:
        outputs = pipeline.recommend(batch, decisions)
        pipeline.learn()
        return outputs
    outputs, skipped = Outputs(), frozenset(decisions.skipped)
    for one in batch:
        if place_of(one) not in skipped:
            outputs.add(_alone(pipeline, one, decisions)[0])
    return outputs


def done_singly(pipeline: Core, batch: Sequence[Decoded], decisions: Decisions) -> Done:
    """Answer and learn a batch record by record, but for those on which a model raises.

    `Done.decisions` says what was done; `done` does the same by it.
    """
    result = Done(decisions)
    for start in range(0, len(batch), _BETWEEN_COPIES):
        _do_part(pipeline, batch[start : start + _BETWEEN_COPIES], result)
    skipped = tuple(place_of(one.decoded) for one in result.raised)
    result.decisions = msgspec.structs.replace(decisions, singly=True, skipped=skipped)
    return result


def place_of(decoded: Decoded) -> Place:
    """Where a record stands."""
    record = decoded.record
    return (record.topic, record.partition, record.offset)


def _do_part(pipeline: Core, part: Sequence[Decoded], result: Done) -> None:
    """Add what comes of a part of a batch; it is begun anew without the record on which a model raises."""
    before, rest = pipeline.state(), list(part)
    while True:
        outputs, learned = Outputs(), list[Learned]()
        try:
            for one in rest:
                answer, lesson = _alone(pipeline, one, result.decisions)
                outputs.add(answer)
                learned.append(lesson)
        except Exception as error:
            result.raised.append(Raised(rest.pop(len(learned)), error))
            pipeline.restore(before)
        else:
            result.outputs.add(outputs)
            result.learned += learned
            return


def _alone(pipeline: Core, one: Decoded, decisions: Decisions) -> tuple[Outputs, Learned]:
    outputs = pipeline.recommend([one], msgspec.structs.replace(decisions, singly=False, skipped=()))
    return outputs, pipeline.learn()
