"""A long stream of users who come once and are never seen again, and an output that is slow."""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from stream.recommendations import rec_id
from tests.consumers.stream import NOON
from tests.faults.oracle import Tally, answered
from tests.faults.proxy import PASSES, Call, Verdict, Way
from tests.faults.stream import PARTITIONS, Sent
from tests.faults.trial import Trial, World

_ROUND = 5_000  # users
_ASK = 20  # every so many of them asks, and is answered; the others come to be learned from
_SLOW = Verdict(delay_s=0.02)  # each answer to what is written
_PAGE = 4096
_GROWTH_BYTES = 60 * 2**20  # from half of the way on: by then the ring of the newest events is full


class Held(NamedTuple):
    """What a process holds."""

    bytes: int
    threads: int
    files: int


def soak(world: World, chance: random.Random, rounds: int) -> Iterator[Tally]:
    """Let users come and go, 5,000 a round; memory, threads and files stay as they are."""
    batch = {"max_records": 500}
    windows = {"length": 16, "users": 2_000}
    sections: dict[str, dict[str, Any]] = {
        "batch": batch, "windows": windows, "network": {"enabled": False}, "state": {"snapshot_every": "10s"},
        "publish": {"max_age": "1d", "k": 5},
    }  # fmt: skip
    with closing(Trial(world, chance, proxied=True, **sections)) as trial:
        world.broker.proxy.judge = lambda way, call: _SLOW if way is Way.ANSWER and call == Call.PRODUCE else PASSES
        member = trial.start()
        member.wait_for("leader")
        held: list[Held] = []
        for number in range(rounds):
            trial.produce(_passers_by(chance, number * _ROUND))
            trial.wait(trial.caught_up)
            while member.hear(0) is not None:
                pass
            held.append(_held(member.pid))
            if number < rounds - 1:
                yield Tally()
        settled = held[len(held) // 2 :]
        low, high = settled[0], settled[-1]
        assert high.bytes - low.bytes < _GROWTH_BYTES, f"memory grew from {low.bytes} to {high.bytes}"
        assert high.threads <= low.threads + 1, f"threads grew from {low.threads} to {high.threads}"
        assert high.files <= low.files + 2, f"files grew from {low.files} to {high.files}"
        assert member.stop() == 0
        trial.reader.finish()
        yield _requests_answered(trial)


def _passers_by(chance: random.Random, start: int) -> Iterator[Sent]:
    for number in range(start, start + _ROUND):
        time_ms = NOON + number * 100
        body: dict[str, object] = {"user_id": f"u{number}", "event_time": time_ms}
        body |= {"type": "request"} if number % _ASK == 0 else {"item_id": f"i{chance.randrange(60)}"}
        yield Sent(number % PARTITIONS, f"u{number}".encode(), msgspec.json.encode(body), time_ms)


def _requests_answered(trial: Trial) -> Tally:
    """Count by the names that lists must have: an oracle would take as long as the soak."""
    name, topic = trial.settings.application.name, trial.topics.input.name
    wanted = {
        rec_id(name, 0, topic, number % PARTITIONS, number // PARTITIONS, 0)
        for number in range(0, sum(trial.sent.values()), _ASK)
    }
    lists = Counter(map(answered, trial.reader.records(trial.topics.output.name)))
    return Tally(len(wanted - lists.keys()), lists.total() - len(lists), len(lists.keys() - wanted))


def _held(pid: int) -> Held:
    process = Path(f"/proc/{pid}")
    pages = int((process / "statm").read_text(encoding="ascii").split()[1])
    return Held(pages * _PAGE, len(list((process / "task").iterdir())), len(list((process / "fd").iterdir())))
