"""What a task must not go on from, what it goes on from in another way, and how it stops when it is asked to."""

import random
from collections.abc import Iterator
from contextlib import closing
from time import monotonic

from kafka import KafkaProducer
from pytest import raises
from rich.console import Console

from consumers.commands.reset import reset
from stream.errors import LogError, RecoveryError
from tests.faults.oracle import Tally
from tests.faults.trial import Trial, World

_DRAIN_S = 10.0


def retention(world: World, chance: random.Random, iterations: int) -> Iterator[Tally]:
    """Let records leave the log before they were read: a loud end, and a new epoch from what is left."""
    for _ in range(iterations):
        with closing(Trial(world, chance)) as trial:
            trial.produce(chance.randrange(60, 200))
            member = trial.start()
            member.wait_for("leader")
            trial.wait(trial.caught_up)
            member.kill()
            trial.produce(100)
            source = max(trial.sent, key=lambda source: trial.sent[source])
            trial.expire(source, trial.sent[source] - chance.randrange(20))

            member = trial.start()
            assert member.end() == RecoveryError.exit_code, "it went on"
            assert "has left the log" in member.sentence, member.sentence
            assert "springtide run --rebuild" in member.sentence, member.sentence
            member = trial.start(rebuild=True)
            member.wait_for("leader")
            trial.wait(trial.caught_up)
            trial.produce(chance.randrange(60))
            trial.wait(trial.caught_up)
            assert member.stop() == 0
            yield trial.reckon(epochs=True)


def moved_offsets(world: World, chance: random.Random, iterations: int) -> Iterator[Tally]:
    """Move the offsets of the group: a loud end, and the command that it names mends it."""
    for _ in range(iterations):
        with closing(Trial(world, chance)) as trial:
            trial.produce(chance.randrange(60, 200))
            member = trial.start()
            with raises(LogError, match="stop all of its processes"):
                member.wait_for("leader")
                reset(trial.settings, Console(quiet=True))
            trial.wait(trial.caught_up)
            assert member.stop() == 0
            trial.move_offsets(chance.randrange(-20, 0))

            member = trial.start()
            assert member.end() == RecoveryError.exit_code, "it went on"
            assert "springtide reset" in member.sentence, member.sentence
            reset(trial.settings, Console(quiet=True))
            trial.produce(50)
            yield trial.finish()


def changes(world: World, chance: random.Random, iterations: int) -> Iterator[Tally]:
    """Change settings between runs, then the format of the journal; and stop under load, within the deadline."""
    for _ in range(iterations):
        with closing(Trial(world, chance)) as trial:
            trial.produce(800)
            member = trial.start()
            member.wait_for("answered")
            asked_s = monotonic()
            assert member.stop() == 0
            assert monotonic() - asked_s < _DRAIN_S, "it did not stop in time"
            assert not trial.caught_up(), "there was no load"
            assert trial.saved_where_committed(), "the last snapshot is not of the last batch"

            trial.values["windows"] = trial.values["windows"] | {"length": chance.randrange(4, 12)}
            before = trial.batches_saved()
            member = trial.start()
            member.wait_for("leader")
            trial.wait(trial.caught_up)
            assert member.stop() == 0
            tally = trial.reckon(since=before)
            _refuses_another_journal(trial)
            yield tally


def _refuses_another_journal(trial: Trial) -> None:
    """Let a later version write to the journal: this one must not guess what it means."""
    with KafkaProducer(**trial.connection.settings()) as later:
        record = (
            b'{"schema":"springtide.journal/2","application":"","epoch":0,"sequence":0,"covered":[],"decisions":{}}'
        )
        later.send(trial.topics.journal.name, record, partition=0)
    member = trial.start()
    assert member.end() == RecoveryError.exit_code, "it went on"
    assert "springtide.journal/2" in member.sentence, member.sentence
