"""Who turned to this user lately: where items are users too, whoever is turned to often turns back.

On a social site the item of an event may be a person, and that person a user of the same id. Each item keeps the newest
16 distinct users who came to it and are items themselves, its *senders*, and when each came last. A sender who came d
minutes ago scores

- replies: ``1 / (1 + d / 10)``;
- unanswered: the same where the user has not turned to him since, else 0.

A list that is made ahead is for when the user comes again. It takes it that until then whoever the user has just turned
to has come, which scores 1: without that, what is learned from moments when it is known who came would say that he
did not.

Equal ids may also mean two beings, as many shops number their users and their items from one. So every event is looked
up among its user's senders, and the item of the event before it too, which is as popular and has nothing to do with
this user. The expert is silent unless the first was found four times as often as the second, and twenty times more.

That ties come back is the oldest regularity of social networks: Wasserman & Faust 1994, "Social network analysis",
chapter 13.

O(16) an event, O(16 (16 + L)) a query; 192 bytes for each item that a user came to who is an item too, and 4 a user.
"""

import numpy as np

from models.base import Column, Events, Expert, Mask, Queries, Reading
from models.experts.evidence import Evidence
from models.experts.repeats import newest_place
from models.tables import dead_rows, grown, padded
from stream.kernels import kernel
from stream.snapshots import State

_SENDERS = 16
_HALF_MS = 600_000.0
_PRIOR = 0.1


class Replies(Expert):
    """Two columns over the senders of each item.

    Parameters
    ----------
    times_as_often, more
        The proof that items are users: how much oftener an item was found among senders than one of somebody else's.
    """

    name = "replies"
    columns = (Column("replies", _SENDERS), Column("unanswered", _SENDERS))

    def __init__(self, times_as_often: int = 4, more: int = 20) -> None:
        self._times_as_often, self._more = times_as_often, more
        # rows plus one, so that 0 is nobody and a row that is never written to takes no memory
        self._senders = np.zeros((0, _SENDERS), np.int32)  # by item row, newest first
        self._came_ms = np.zeros((0, _SENDERS), np.int64)
        self._selves = np.zeros(0, np.int32)  # by user row: the item of the same id
        self._found = np.zeros(2, np.int64)  # among senders: items of events, items of the events before
        self._previous = np.zeros(1, np.int32)

    def read(self, queries: Queries) -> Reading:
        """See Expert."""
        windows = queries.windows
        nobody = np.full(len(queries), -1, np.int32)
        selves = nobody if queries.selves is None or not self._reciprocal() else queries.selves
        ahead = np.zeros(len(queries), np.bool_) if queries.ahead is None else queries.ahead
        starts, rows, scores = _replies(
            selves, ahead, self._senders, self._came_ms,
            windows.items, windows.times_ms, windows.lengths, windows.now_ms, queries.starts, queries.excluded,
        )  # fmt: skip
        return Evidence(self.columns, (_PRIOR, _PRIOR), starts, rows, scores, newest_place(windows))

    def learn(self, events: Events) -> None:
        """See Expert."""
        selves = np.full(len(events), -1, np.int32) if events.selves is None else events.selves
        some = selves >= 0
        rows = int(events.items[some].max(initial=-1)) + 1
        self._senders, self._came_ms = grown(self._senders, rows), grown(self._came_ms, rows)
        self._selves = grown(self._selves, int(events.before.users[some].max(initial=-1)) + 1)
        self._selves[events.before.users[some]] = selves[some] + 1
        _receive(selves, events.items, events.before.now_ms, self._senders, self._came_ms, self._found, self._previous)

    def forget_items(self, dead: Mask) -> None:
        """See Expert."""
        rows = dead_rows(dead, len(self._senders))
        self._senders[rows] = self._came_ms[rows] = 0
        most = int(max(self._senders.max(initial=0), self._selves.max(initial=0), self._previous[0]))
        gone = np.concatenate([[False], padded(dead, most)])
        self._selves[gone[self._selves]] = 0
        self._previous[gone[self._previous]] = 0
        _forget(gone, self._senders, self._came_ms)

    def forget_users(self, dead: Mask) -> None:
        """Take them out of everybody's senders; who came to them is forgotten too."""
        rows = dead_rows(dead, len(self._selves))
        selves = self._selves[rows]
        self._selves[rows] = 0
        gone = np.zeros(int(max(self._senders.max(initial=0), selves.max(initial=0))) + 1, np.bool_)
        gone[selves[selves > 0]] = True
        own = np.flatnonzero(gone[1:][: len(self._senders)])
        self._senders[own] = self._came_ms[own] = 0
        _forget(gone, self._senders, self._came_ms)

    def state(self) -> State:
        """See Expert."""
        items = int(np.flatnonzero(self._senders[:, 0]).max(initial=-1)) + 1
        users = int(np.flatnonzero(self._selves).max(initial=-1)) + 1
        return {
            "senders": self._senders[:items].copy(),
            "came_ms": self._came_ms[:items].copy(),
            "selves": self._selves[:users].copy(),
            "found": self._found.copy(),
            "previous": self._previous.copy(),
        }

    def restore(self, state: State) -> None:
        """See Expert."""
        self._senders = state["senders"].astype(np.int32)
        self._came_ms = state["came_ms"].astype(np.int64)
        self._selves = state["selves"].astype(np.int32)
        self._found = state["found"].astype(np.int64)
        self._previous = state["previous"].astype(np.int32)

    def _reciprocal(self) -> bool:
        found, by_chance = self._found.tolist()
        return bool(found >= self._times_as_often * by_chance + self._more)


@kernel
def _place(senders, sender):
    """Place of one among senders, or how many these are."""
    place = 0
    while place < len(senders) and senders[place] != 0 and senders[place] != sender:
        place += 1
    return place


@kernel
def _is_among(senders, sender):
    place = _place(senders, sender)
    return place < len(senders) and senders[place] == sender


@kernel
def _receive(selves, items, now_ms, senders, came_ms, found, previous):
    for e in range(len(items)):
        me, item = selves[e], items[e]
        if 0 <= me < len(senders):
            found[0] += _is_among(senders[me], item + 1)
            found[1] += previous[0] > 0 and _is_among(senders[me], previous[0])
        previous[0] = item + 1
        if me < 0 or me == item:
            continue
        for j in range(min(_place(senders[item], me + 1), senders.shape[1] - 1), 0, -1):
            senders[item, j], came_ms[item, j] = senders[item, j - 1], came_ms[item, j - 1]
        senders[item, 0], came_ms[item, 0] = me + 1, now_ms[e]


@kernel
def _replies(selves, ahead, senders, came_ms, items, times_ms, lengths, now_ms, starts, excluded):
    most = len(selves) * (senders.shape[1] + 1)
    rows = np.empty(most, np.int32)
    scores = np.zeros((most, 2), np.float32)
    ends = np.zeros(len(selves) + 1, np.int64)
    count = 0
    for b in range(len(selves)):
        me = selves[b]
        barred = excluded[starts[b] : starts[b + 1]]
        expected = items[b, 0] if me >= 0 and ahead[b] and lengths[b] > 0 else -1
        if expected >= 0 and not (barred == expected).any():
            rows[count] = expected
            scores[count] = 1
            count += 1
        for j in range(senders.shape[1] if 0 <= me < len(senders) else 0):
            sender = senders[me, j] - 1
            if sender < 0:
                break
            if sender == expected or (barred == sender).any():
                continue
            newest = 0
            while newest < lengths[b] and items[b, newest] != sender:
                newest += 1
            answered = newest < lengths[b] and times_ms[b, newest] >= came_ms[me, j]
            rows[count] = sender
            scores[count, 0] = 1 / (1 + max(now_ms[b] - came_ms[me, j], 0) / _HALF_MS)
            scores[count, 1] = 0 if answered else scores[count, 0]
            count += 1
        ends[b + 1] = count
    return ends, rows[:count].copy(), scores[:count].copy()


@kernel
def _forget(gone, senders, came_ms):
    """Take those that are marked out of everybody's senders, where these are numbered from 1."""
    for item in range(len(senders)):
        kept = 0
        for j in range(senders.shape[1]):
            sender = senders[item, j]
            if sender == 0:
                break
            if not gone[sender]:
                senders[item, kept], came_ms[item, kept] = sender, came_ms[item, j]
                kept += 1
        senders[item, kept:], came_ms[item, kept:] = 0, 0
