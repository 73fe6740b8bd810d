"""The faults by number, and how often each is done: at length by `make faults`, a little by `make test`."""

import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tests.faults.halts import changes, moved_offsets, retention
from tests.faults.kills import at_points, at_random, beside_a_reader
from tests.faults.leaders import leisurely_takeovers, standbys, takeovers, zombies
from tests.faults.network import a_minute_of_silence, a_moment_of_silence, lost_answers
from tests.faults.oracle import Tally
from tests.faults.poisoned import bad_records, bad_times
from tests.faults.polls import poll_sizes
from tests.faults.soak import soak
from tests.faults.storage import damaged_snapshots, unwritable_snapshots
from tests.faults.trial import World

Run = Callable[[World, random.Random, int], Iterator[Tally]]
"""Does so many iterations, and yields what was wrong with each; raises where a process does not behave."""


class Fault(NamedTuple):
    """One kind of fault."""

    number: int
    name: str
    run: Run
    long: int  # iterations
    short: int
    run_short: Run | None = None  # where the short run is another one


FAULTS = (
    Fault(1, "kill -9 at random moments", at_random, 200, 2),
    Fault(2, "kill -9 at each named point", at_points, 40, 2),
    Fault(3, "poll sizes", poll_sizes, 3, 1),
    Fault(4, "the answer to EndTxn is lost", lost_answers, 30, 1),
    Fault(5, "75 s of silence", a_minute_of_silence, 2, 1, a_moment_of_silence),
    Fault(6, "zombies", zombies, 20, 1),
    Fault(6, "takeovers", takeovers, 10, 1, leisurely_takeovers),
    Fault(7, "standbys come and go", standbys, 30, 1),
    Fault(8, "poison, and a model that raises", bad_records, 5, 1),
    Fault(9, "damaged snapshots", damaged_snapshots, 21, 1),
    Fault(10, "unwritable snapshots", unwritable_snapshots, 6, 1),
    Fault(11, "retention passes the committed offset", retention, 5, 1),
    Fault(11, "offsets are moved", moved_offsets, 5, 1),
    Fault(12, "a reader beside leaders that are killed", beside_a_reader, 30, 1),
    Fault(13, "bad times", bad_times, 10, 1),
    Fault(14, "soak, 5,000 users a time", soak, 200, 1),
    Fault(15, "settings and formats change, SIGTERM", changes, 5, 1),
)
