"""What a network does to a leader: answers that never come, connections that break, and a minute of silence."""

import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from stream.kafka import COMMIT_BUDGET_S
from tests.faults.member import Member
from tests.faults.oracle import Tally
from tests.faults.proxy import PASSES, Call, Verdict, Way
from tests.faults.trial import Trial, World

_OF_ONE_TASK = 10
_SWALLOWED_ONE_IN = 8  # those take the client's own timeout of ten seconds
_GROWTH_BYTES = 200 * 2**20  # of a process that waits; what it may hold of input is far less


def lost_answers(world: World, chance: random.Random, iterations: int) -> Iterator[Tally]:
    """Lose the answer to the end of a transaction, or its request, in several ways."""
    for start in range(0, iterations, _OF_ONE_TASK):
        count = min(_OF_ONE_TASK, iterations - start)
        with closing(Trial(world, chance, proxied=True)) as trial:
            member = trial.start()
            member.wait_for("leader")
            for number in range(start, start + count):
                _lose_one(trial, chance, swallow=number % _SWALLOWED_ONE_IN == _SWALLOWED_ONE_IN - 1)
                member = trial.settled(member)
                if number < start + count - 1:
                    yield Tally()
            yield trial.finish(member)


def _lose_one(trial: Trial, chance: random.Random, *, swallow: bool) -> None:
    """Lose one message of the next transactions, while they run."""
    way = Way.ANSWER if swallow else chance.choice([Way.ANSWER, Way.ANSWER, Way.REQUEST])
    left = chance.randrange(3)

    def judge(passing: Way, call: int) -> Verdict:
        nonlocal left
        if passing is way and call == Call.END:
            left -= 1
            if left == -1:
                return Verdict(passes=False, cuts=not swallow)
        return PASSES

    trial.world.broker.proxy.judge = judge
    trial.produce(chance.randrange(150, 250))


def black_hole(world: World, chance: random.Random, rounds: int, seconds: float, budget_s: float) -> Iterator[Tally]:
    """Let nothing through for a while, in the middle of work; the process must not grow, and must end or go on."""
    for _ in range(rounds):
        with closing(Trial(world, chance, proxied=True)) as trial:
            member = trial.start(commit_budget_s=budget_s)
            member.wait_for("leader")
            trial.produce(2_000)
            member.wait_for("answered")
            member.listen(chance.uniform(0, 0.5))
            world.broker.proxy.swallow()
            before = _resident_bytes(member)
            trial.produce(2_000)
            grown = 0
            for _ in range(10):
                if member.listen(seconds / 10):
                    grown = max(grown, _resident_bytes(member) - before)
            assert grown < _GROWTH_BYTES, f"it has grown by {grown} bytes"
            world.broker.proxy.clear()
            yield trial.finish(trial.settled(trial.lives(member)))


def a_minute_of_silence(world: World, chance: random.Random, rounds: int) -> Iterator[Tally]:
    """Be a black hole for longer than any limit of the product."""
    return black_hole(world, chance, rounds, 75.0, COMMIT_BUDGET_S)


def a_moment_of_silence(world: World, chance: random.Random, rounds: int) -> Iterator[Tally]:
    """Be a black hole for longer than a commit may take here."""
    return black_hole(world, chance, rounds, 7.0, 3.0)


def _resident_bytes(member: Member) -> int:
    try:
        pages = int(Path(f"/proc/{member.pid}/statm").read_text(encoding="ascii").split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0  # it has ended meanwhile
    return pages * 4096
