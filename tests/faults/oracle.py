"""What must have come out, and what is wrong with what did.

The oracle is one uninterrupted pass of the pure core over the input, in the batches and by the decisions that the
journal holds. Two things are checked without the journal's word: that its ranges cover every offset of the input
exactly once, and that a reader of committed records met an answer for every record that was sent, and met it once.
"""

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import msgspec

from consumers.pipeline import Decisions, Outputs, Pipeline
from consumers.serving.core import done, done_singly
from stream.clock import merge
from stream.dead_letters import PREFIX
from stream.events import Decoded, Erase
from stream.journal import JournalRecord
from stream.log import OutputRecord, Record, TopicPartition
from stream.recommendations import RECEIPT_HEADER, rec_id

ONE_AT_A_TIME = threading.Lock()  # the random numbers of PyTorch are one stream for all threads of a process

Place = tuple[int, int]
"""Partition and offset of an input record."""


@dataclass(slots=True)
class Tally:
    """What was found wrong; all noughts are a pass."""

    lost: int = 0
    doubled: int = 0
    divergent: int = 0

    def add(self, other: "Tally") -> None:
        """Take in what was found elsewhere."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))

    @property
    def passed(self) -> bool:
        """Whether nothing was."""
        return not (self.lost or self.doubled or self.divergent)


class Passed(NamedTuple):
    """What an uninterrupted pass leads to."""

    pipeline: Pipeline
    outputs: list[OutputRecord]
    erased: set[Place]  # not answered, because the user is erased later in the same batch


def one_pass(
    make: Callable[[int], Pipeline], inputs: Iterable[Record], records: Sequence[JournalRecord], since: int = 0
) -> Passed:
    """Give the input of the newest epoch to an empty pipeline, as the journal says; outputs of batches `since` one."""
    at = {(record.source, record.offset): record for record in inputs}
    records = [record for record in records if record.epoch == records[-1].epoch]
    with ONE_AT_A_TIME:
        return _pass(make(records[-1].epoch), at, records, since)


def _pass(
    pipeline: Pipeline, at: Mapping[tuple[TopicPartition, int], Record], records: Sequence[JournalRecord], since: int
) -> Passed:
    passed = Passed(pipeline, [], set())
    for number, record in enumerate(records):
        batch = [
            passed.pipeline.decoder.decode(at[source, offset])
            for source, (start, end) in record.ranges.items()
            for offset in range(start, end)
        ]
        if not batch:
            continue
        amended = records[number + 1].before if number + 1 < len(records) else None
        erased: set[str] = set()
        for one in reversed(batch := merge(batch)):
            if one.events and one.events[0].user_id in erased:
                passed.erased.add((one.record.partition, one.record.offset))
            erased |= {event.user_id for event in one.events if isinstance(event, Erase)}
        outputs = _through(passed.pipeline, batch, record.decisions, amended)
        if number >= since:
            passed.outputs.extend(outputs.lists + outputs.dead)
    return passed


def _through(
    pipeline: Pipeline, batch: Sequence[Decoded], decisions: Mapping[str, object], amended: Mapping[str, object] | None
) -> Outputs:
    """Put a batch through the pipeline; return what it must have sent.

    A batch that was `amended` had been answered as a whole when a model raised on learning it: it was learned record by
    record, and only the dead letters came after.
    """
    first = msgspec.convert(decisions, Decisions)
    last = first if amended is None else msgspec.convert(amended, Decisions)
    if not last.singly:
        return done(pipeline, batch, last)
    answered_before = None
    if amended is not None:
        before = pipeline.state()
        answered_before = pipeline.recommend(batch, first)
        pipeline.restore(before)
    result = done_singly(pipeline, batch, last)
    assert result.decisions.skipped == last.skipped, "a model has raised on other records than the journal says"
    outputs = result.outputs if answered_before is None else answered_before
    outputs.dead.extend(pipeline.dead_letter(decoded, error) for decoded, error in result.raised)
    return outputs


def account(
    inputs: Sequence[Record], seen: Sequence[Record], journal: Sequence[JournalRecord], unanswered: Collection[Place]
) -> Tally:
    """Compare what a reader has seen with what was sent, and with the ranges of the journal."""
    tally = Tally()
    covered: Counter[Place] = Counter()
    newest = journal[-1].epoch
    for record in journal:
        if record.epoch == newest:
            covered.update((s.partition, offset) for s, ends in record.ranges.items() for offset in range(*ends))
    answers = Counter(map(answered, seen))
    application = journal[-1].application
    for one in inputs:
        place = (one.partition, one.offset)
        name = rec_id(application, newest, one.topic, *place, 0)
        tally.lost += covered[place] == 0
        tally.doubled += max(covered[place] - 1, 0)
        tally.lost += answers[name] == answers[place] == 0 and place not in unanswered
        tally.doubled += max(answers[name] - 1, 0) + max(answers[place] - 1, 0)
    return tally


def answered(record: Record | OutputRecord) -> str | Place:
    """Return the `rec_id` of a list or a receipt, or where the record of a dead letter stood."""
    headers = dict(record.headers)
    if (offset := headers.get(f"{PREFIX}offset")) is not None:
        return record.partition, int(offset)
    body = record.value or headers[RECEIPT_HEADER]
    assert body is not None
    return str(msgspec.json.decode(body)["rec_id"])


def compare(expected: Iterable[OutputRecord], seen: Iterable[Record]) -> int:
    """Count what was seen and not expected, byte for byte, and what was expected and not seen."""
    want = Counter((one.topic, one.partition, one.key, one.value, one.headers) for one in expected)
    have = Counter((one.topic, one.partition, one.key, one.value, one.headers) for one in seen)
    return (want - have).total() + (have - want).total()
