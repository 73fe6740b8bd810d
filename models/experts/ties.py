"""Who met whom lately, where items are users too: what the experts of people share.

On a social site the item of an event may be a person, and that person a user of the same id. Each of them keeps the
16 distinct others it met last and when that was.

Equal ids may also mean two beings, as many shops number their users and their items from one. So an expert of people
tests, at every event whose user is an item, whether it would have found the event's item through the ties of its user,
and through those of the user of 100 such events before, if that is another. Where ids mean two beings, and the numbers
of one kind tell nothing of the other's, both are found equally often, whatever is popular and whoever is busy; the
expert is silent until the first was found far oftener.
"""

import numpy as np

from models.base import Events, Expert, Mask, Queries, Rows
from models.tables import dead_rows, grown, padded
from stream.kernels import kernel
from stream.snapshots import State

OTHERS = 16
_EVENTS_APART = 100
_ROWS = "others", "selves", "earlier"  # arrays of item rows plus one


class Ties:
    """The newest others of each being, and the proof that users and items of one id are one being.

    Parameters
    ----------
    times_as_often, more
        The proof: found through the user's own ties at least `times_as_often` as often as through another's, and
        `more` times beside.

    Attributes
    ----------
    others, met_ms
        (items, 16) item rows plus one, so that 0 is nobody and a row that is never written to takes no memory; the one
        who was met by the newest event first; and when they were met.
    users
        (items) which of them are users too.
    earlier, turn
        Item rows plus one of the users of the last 100 events whose user is an item, and the place of the oldest.
    found
        How often an item was found: through the ties of its user, and through those of another.
    """

    def __init__(self, times_as_often: float, more: int) -> None:
        self._times_as_often, self._more = times_as_often, more
        self.others = np.zeros((0, OTHERS), np.int32)
        self.met_ms = np.zeros((0, OTHERS), np.int64)
        self.users = np.zeros(0, np.bool_)
        self.earlier = np.zeros(_EVENTS_APART, np.int32)
        self.turn = np.zeros(1, np.int32)
        self.found = np.zeros(2, np.int64)
        self._selves = np.zeros(0, np.int32)  # by user row: the item of the same id, plus one

    def selves(self, queries: Queries) -> Rows:
        """Items that the users are, -1 where there is none or nothing is proven yet."""
        found, by_chance = self.found.tolist()
        if queries.selves is None or found < self._times_as_often * by_chance + self._more:
            return np.full(len(queries), -1, np.int32)
        return queries.selves

    def meet(self, events: Events) -> Rows:
        """Make room for what these events tell; returns the items that their users are, -1 where there is none."""
        selves = np.full(len(events), -1, np.int32) if events.selves is None else events.selves
        some = selves >= 0
        rows = int(max(events.items[some].max(initial=-1), selves.max(initial=-1))) + 1
        self.others, self.met_ms = grown(self.others, rows), grown(self.met_ms, rows)
        self.users = grown(self.users, rows)
        self.users[selves[some]] = True
        self._selves = grown(self._selves, int(events.before.users[some].max(initial=-1)) + 1)
        self._selves[events.before.users[some]] = selves[some] + 1
        return selves

    def forget_items(self, dead: Mask) -> None:
        """Take these item rows out, as beings and as others of those who stay."""
        self._forget(np.concatenate([[False], padded(dead, len(self.others))]))

    def forget_users(self, dead: Mask) -> None:
        """Take the items out that these users were when they last did something; as items they begin anew."""
        selves = self._selves[dead_rows(dead, len(self._selves))]
        gone = np.zeros(len(self.others) + 1, np.bool_)
        gone[selves[selves > 0]] = True
        self._forget(gone)

    def state(self) -> State:
        """See Expert."""
        beings = np.flatnonzero(self.others[:, 0]).astype(np.int32)
        users = int(np.flatnonzero(self._selves).max(initial=-1)) + 1
        return {
            "beings": beings,
            "others": self.others[beings],
            "met_ms": self.met_ms[beings],
            "earlier": self.earlier.copy(),
            "turn": self.turn.copy(),
            "found": self.found.copy(),
            "selves": self._selves[:users].copy(),
        }

    def restore(self, state: State) -> None:
        """See Expert."""
        self.earlier, self.turn = state["earlier"].astype(np.int32), state["turn"].astype(np.int32)
        self.found, self._selves = state["found"].astype(np.int64), state["selves"].astype(np.int32)
        beings = state["beings"]
        rows = max(int(beings.max(initial=-1)) + 1, *(int(state[name].max(initial=0)) for name in _ROWS))
        self.others, self.met_ms = np.zeros((rows, OTHERS), np.int32), np.zeros((rows, OTHERS), np.int64)
        self.others[beings], self.met_ms[beings] = state["others"], state["met_ms"]
        self.users = np.zeros(rows, np.bool_)
        self.users[self._selves[self._selves > 0] - 1] = True

    def _forget(self, gone: Mask) -> None:
        rows = np.flatnonzero(gone[1:])
        self.others[rows] = self.met_ms[rows] = 0
        self.users[rows] = False
        self._selves[gone[self._selves]] = 0
        self.earlier[gone[self.earlier]] = 0
        _take_out(gone, self.others, self.met_ms)


class OfPeople(Expert):
    """An expert whose whole state is ties.

    Parameters
    ----------
    times_as_often, more
        The proof that items are users; see `Ties`.
    """

    def __init__(self, times_as_often: float, more: int) -> None:
        self._ties = Ties(times_as_often, more)

    def forget_items(self, dead: Mask) -> None:
        """See Expert."""
        self._ties.forget_items(dead)

    def forget_users(self, dead: Mask) -> None:
        """Take them out of everybody's ties, and forget their own; see `Ties`."""
        self._ties.forget_users(dead)

    def state(self) -> State:
        """See Expert."""
        return self._ties.state()

    def restore(self, state: State) -> None:
        """See Expert."""
        self._ties.restore(state)


@kernel
def somebody_else(me, earlier, turn):
    """Whoever was the user 100 events before, -1 where that is nobody or `me`, whose place `me` takes."""
    other = earlier[turn[0]] - 1
    earlier[turn[0]] = me + 1
    turn[0] = (turn[0] + 1) % len(earlier)
    return other if other != me else -1


@kernel
def is_among(others, me, item):
    """Whether the table has `item` among the others of `me`."""
    if not 0 <= me < len(others):
        return False
    place = _place(others[me], item + 1)
    return place < others.shape[1] and others[me, place] == item + 1


@kernel
def tie(others, met_ms, me, other, now_ms):
    """Put `other` first of those whom `me` met; the last of 16 falls out. Late events make no tie older."""
    place = _place(others[me], other + 1)
    known = place < others.shape[1] and others[me, place] != 0
    latest = max(met_ms[me, place], now_ms) if known else now_ms
    for j in range(min(place, others.shape[1] - 1), 0, -1):
        others[me, j], met_ms[me, j] = others[me, j - 1], met_ms[me, j - 1]
    others[me, 0], met_ms[me, 0] = other + 1, latest


@kernel
def _place(others, other):
    """Place of one among others, or how many these are."""
    place = 0
    while place < len(others) and others[place] != 0 and others[place] != other:
        place += 1
    return place


@kernel
def _take_out(gone, others, met_ms):
    """Take those that are marked out of everybody's others, where these are numbered from 1."""
    for me in range(len(others)):
        kept = 0
        for j in range(others.shape[1]):
            other = others[me, j]
            if other == 0:
                break
            if not gone[other]:
                others[me, kept], met_ms[me, kept] = other, met_ms[me, j]
                kept += 1
        while kept < others.shape[1] and others[me, kept] != 0:  # nothing is written where nothing was
            others[me, kept], met_ms[me, kept] = 0, 0
            kept += 1
