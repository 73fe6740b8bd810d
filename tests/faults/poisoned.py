"""Input that is bad in every way there is, and input whose times are."""

import random
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from itertools import islice

import msgspec

from stream.log import Record
from tests.consumers.knowledge import known
from tests.consumers.stream import NOON
from tests.faults.oracle import Tally
from tests.faults.stream import PARTITIONS, Sent, walk
from tests.faults.trial import Trial, World
from tests.stream.poison import poison
from tests.stream.test_windows import Oracle

_DAY_MS = 86_400_000
_AHEAD_MS, _GRACE_MS = 300_000, 60_000  # the defaults of cleaning.future and cleaning.grace
_LENGTH, _SPAN_DAYS = 16, 30


def bad_records(world: World, chance: random.Random, rounds: int) -> Iterator[Tally]:
    """Mix every kind of poison and events on which a model raises into a stream, and kill its leader on the way."""
    for _ in range(rounds):
        with closing(Trial(world, chance, events={"types": {"boom": 99.0}})) as trial:
            records = list(islice(walk(chance.randrange(2**32)), 250))
            for one in poison():
                if one.value is not None or one.key is not None:  # the client does not send nothing at all
                    place = chance.randrange(len(records))
                    records.insert(
                        place,
                        Sent(chance.randrange(PARTITIONS), one.key, one.value, records[place].time_ms, one.headers),
                    )
            for number in range(4):
                place = chance.randrange(len(records))
                time_ms = records[place].time_ms
                body = {"user_id": "u1", "item_id": "e", "event_type": "boom", "event_time": time_ms}
                records.insert(place, Sent(number % PARTITIONS, b"u1", msgspec.json.encode(body), time_ms))
            trial.produce(records[:200])
            member = trial.start()
            member.wait_for("answered")
            trial.produce(records[200:])
            member.listen(chance.uniform(0, 1))
            member.kill()
            yield trial.finish()


def bad_times(world: World, chance: random.Random, rounds: int) -> Iterator[Tally]:
    """Send events out of order, again, from the future and from long ago; windows are what plain lists say."""
    for _ in range(rounds):
        windows = {"length": _LENGTH, "users": 1_000, "span": f"{_SPAN_DAYS}d"}
        with closing(Trial(world, chance, windows=windows, models={"items": 1_000, "micro_batch": 8})) as trial:
            trial.produce(_out_of_order(chance, 500))
            member = trial.start()
            member.wait_for("answered")
            member.listen(chance.uniform(0, 1))
            member.kill()
            tally = trial.finish()
            tally.divergent += known(trial.passed.pipeline)["windows"] != _plain_windows(trial.inputs())
            yield tally


def _out_of_order(chance: random.Random, count: int) -> Iterator[Sent]:
    sent: list[Sent] = []
    for number in range(count):
        time_ms = NOON + number * 600_000  # each ten minutes
        user, kind = (
            chance.randrange(12),
            chance.choices(["now", "late", "again", "ahead", "ancient"], [6, 3, 2, 1, 1])[0],
        )
        late_ms = {"late": chance.randrange(2 * _DAY_MS), "ahead": -_AHEAD_MS - 1, "ancient": 60 * _DAY_MS}.get(kind, 0)
        body = {"user_id": f"u{user}", "item_id": f"i{chance.randrange(30)}", "event_time": time_ms - late_ms}
        body["event_id"] = f"e{number}"
        one = Sent(user % PARTITIONS, f"u{user}".encode(), msgspec.json.encode(body), time_ms)
        if kind == "again" and sent:
            one = chance.choice(sent)._replace(silent=True, time_ms=time_ms)
        elif kind in {"now", "late"}:
            sent.append(one)
        yield one


def _plain_windows(inputs: list[Record]) -> dict[str, object]:
    """Windows as lists of items and times, newest first, by the rules as the documents say them."""
    items: dict[str, int] = {}
    users: dict[str, int] = {}
    names: dict[int, str] = {}
    oracle = Oracle(_LENGTH, _SPAN_DAYS * _DAY_MS)
    seen: set[str] = set()
    latest: dict[int, int] = defaultdict(int)  # event time by partition
    for record in inputs:
        event = msgspec.json.decode(record.value or b"")
        time_ms = event["event_time"]
        ahead = time_ms > record.timestamp_ms + _AHEAD_MS
        too_late = time_ms < latest[record.partition] - _GRACE_MS - _SPAN_DAYS * _DAY_MS
        if ahead or event["event_id"] in seen or too_late:
            continue
        seen.add(event["event_id"])
        latest[record.partition] = max(latest[record.partition], time_ms)
        item = items.setdefault(event["item_id"], len(items))
        names[item] = event["item_id"]
        oracle.enter(users.setdefault(event["user_id"], len(users)), item, time_ms, 0)
    return {user: [(names[item], time) for time, item, _ in oracle.entries[row]] for user, row in users.items()}
