"""Several processes of one task: zombies that come back, and standbys that come and go."""

import random
from collections.abc import Iterator
from contextlib import closing
from signal import SIGCONT, SIGSTOP
from time import monotonic

from tests.faults.child import SESSION_S
from tests.faults.oracle import Tally
from tests.faults.points import IN_A_TRANSACTION, Point
from tests.faults.trial import Trial, World

_TAKEOVER_S = 2.0  # on top of the session timeout
_LIVES = 10  # of standbys beside one leader


def zombies(world: World, chance: random.Random, iterations: int) -> Iterator[Tally]:
    """Freeze a leader at a point of its transaction until a standby has done its work, and wake it then."""
    for number in range(iterations):
        name = IN_A_TRANSACTION[number % len(IN_A_TRANSACTION)]
        with closing(Trial(world, chance)) as trial:
            point = Point(name, chance.randrange(2, 5), SIGSTOP, chance.uniform(0, 0.005))
            zombie = trial.start(folder="zombie", point=point)
            zombie.wait_for("leader")
            standby = trial.start(folder="standby")
            standby.wait_for("standby")
            trial.produce(250)
            standby.wait_for("leader")
            trial.wait(trial.caught_up)
            zombie.signal(SIGCONT)
            trial.produce(50)
            zombie.wait_for("standby")  # or it has ended
            zombie.kill()
            assert standby.roles.count("leader") == 1
            yield trial.finish(standby, folder="standby")


def takeovers(world: World, chance: random.Random, iterations: int, limit_s: float = _TAKEOVER_S) -> Iterator[Tally]:
    """Kill a leader beside a standby under load; the standby leads within the session timeout and a moment."""
    for _ in range(iterations):
        with closing(Trial(world, chance)) as trial:
            leader = trial.start(folder="leader")
            leader.wait_for("leader")
            standby = trial.start(folder="standby")
            standby.wait_for("standby")
            trial.produce(chance.randrange(300, 600))
            leader.wait_for("answered")
            leader.listen(chance.uniform(0, 0.5))
            leader.kill()
            killed_s = monotonic()
            assert standby.wait_for("leader")
            took_s = monotonic() - killed_s
            assert took_s < SESSION_S + limit_s, f"the standby led after {took_s:.1f} s"
            yield trial.finish(standby, folder="standby")


def leisurely_takeovers(world: World, chance: random.Random, iterations: int) -> Iterator[Tally]:
    """Do the same on a machine that is busy with more."""
    return takeovers(world, chance, iterations, 20.0)


def standbys(world: World, chance: random.Random, iterations: int) -> Iterator[Tally]:
    """Let standbys join, leave and be killed beside a leader under load, which must not notice."""
    for start in range(0, iterations, _LIVES):
        count = min(_LIVES, iterations - start)
        with closing(Trial(world, chance)) as trial:
            leader = trial.start()
            leader.wait_for("leader")
            for number in range(count):
                trial.produce(chance.randrange(50, 150))
                standby = trial.start(folder=f"standby{number}")
                if chance.random() < 0.7:
                    standby.wait_for("standby")
                standby.listen(chance.uniform(0, 0.3))
                if chance.random() < 0.5:
                    standby.kill()
                else:
                    standby.stop()
                if number < count - 1:
                    yield Tally()
            tally = trial.finish(leader)
            assert leader.roles[leader.roles.index("leader") :] == ["leader", "recovering"], leader.roles
            yield tally
