"""Leaders that are killed: at any moment, and at each step of a transaction and of a snapshot."""

import random
from collections.abc import Iterator, Sequence
from contextlib import closing
from signal import SIGKILL

from tests.faults.oracle import Tally
from tests.faults.points import IN_A_SNAPSHOT, IN_A_TRANSACTION, Point
from tests.faults.trial import Trial, World

_KILLS = 20  # of one task
_LED_S = 1.2  # a leader's longest life


def at_random(world: World, chance: random.Random, kills: int) -> Iterator[Tally]:
    """Kill leaders at random moments, some of them before they lead."""
    for start in range(0, kills, _KILLS):
        with closing(Trial(world, chance)) as trial:
            count = min(_KILLS, kills - start)
            for number in range(count):
                trial.produce(chance.randrange(20, 200))
                member = trial.start()
                if chance.random() < 0.9:
                    member.wait_for("leader")
                member.listen(chance.uniform(0, _LED_S))
                member.kill()
                if number < count - 1:
                    yield trial.met_twice()
            yield trial.finish()


def at_points(world: World, chance: random.Random, kills: int) -> Iterator[Tally]:
    """Kill leaders at each named point in turn."""
    yield from _killed_at((*IN_A_TRANSACTION, *IN_A_SNAPSHOT), world, chance, kills)


def beside_a_reader(world: World, chance: random.Random, kills: int) -> Iterator[Tally]:
    """Kill leaders where records are written and not committed; a reader of committed records must not see them."""
    yield from _killed_at(("mid-send", "after offsets", "during commit"), world, chance, kills)


def _killed_at(names: Sequence[str], world: World, chance: random.Random, kills: int) -> Iterator[Tally]:
    for start in range(0, kills, len(names)):
        with closing(Trial(world, chance)) as trial:
            for number, name in enumerate(names[: kills - start]):
                trial.produce(chance.randrange(150, 300))
                passed = chance.randrange(3 if name in IN_A_TRANSACTION else 2)
                member = trial.start(point=Point(name, passed, delay_s=chance.uniform(0, 0.012)))
                while member.hear() is not None:
                    if member.roles[-1:] == ["leader"]:
                        trial.produce(chance.randrange(20))  # so that the point comes
                assert member.end() == -SIGKILL, f"it was not killed at: {name}"
                if number < len(names[: kills - start]) - 1:
                    yield trial.met_twice()
            yield trial.finish()
