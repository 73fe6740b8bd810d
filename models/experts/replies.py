"""Who turned to this user lately: where items are users too, whoever is turned to often turns back.

The ties of each item are its *senders*: the newest distinct users who came to it and are items themselves. A sender who
came d minutes ago scores

- replies: ``1 / (1 + d / 10)``;
- unanswered: the same where the user has not turned to him since, else 0.

A list that is made ahead is for when the user comes again. It takes it that until then whoever the user has just turned
to, if that is a user, has come, which scores 1: without that, what is learned from moments when it is known who came
would say that he did not.

It is silent unless the items of events were found among their users' senders four times as often as among those of
others, and twenty times more. That ties come back is the oldest regularity of social networks: Wasserman & Faust 1994,
"Social network analysis", chapter 13.

O(16) an event, O(16 (16 + L)) a query; 193 bytes for each item that a user came to who is an item too, and 4 a user.
"""

import numpy as np

from models.base import Column, Events, Queries, Reading
from models.experts.evidence import Evidence
from models.experts.repeats import newest_place
from models.experts.ties import OTHERS, OfPeople, is_among, somebody_else, tie
from stream.kernels import kernel

_HALF_MS = 600_000.0
_PRIOR = 0.1


class Replies(OfPeople):
    """Two columns over the senders of each item.

    Parameters
    ----------
    times_as_often, more
        The proof that items are users; see `Ties`.
    """

    name = "replies"
    columns = (Column("replies", OTHERS), Column("unanswered", OTHERS))

    def __init__(self, times_as_often: float = 4, more: int = 20) -> None:
        super().__init__(times_as_often, more)

    def read(self, queries: Queries) -> Reading:
        """See Expert."""
        windows = queries.windows
        ahead = np.zeros(len(queries), np.bool_) if queries.ahead is None else queries.ahead
        starts, rows, scores = _replies(
            self._ties.selves(queries), ahead, self._ties.users, self._ties.others, self._ties.met_ms,
            windows.items, windows.times_ms, windows.lengths, windows.now_ms, queries.starts, queries.excluded,
        )  # fmt: skip
        return Evidence(self.columns, (_PRIOR, _PRIOR), starts, rows, scores, newest_place(windows))

    def learn(self, events: Events) -> None:
        """See Expert."""
        selves, ties = self._ties.meet(events), self._ties
        _receive(
            selves, events.items, events.before.now_ms, ties.others, ties.met_ms, ties.earlier, ties.turn, ties.found
        )


@kernel
def _receive(selves, items, now_ms, senders, came_ms, earlier, turn, found):
    for e in range(len(items)):
        me, item = selves[e], items[e]
        if me < 0:
            continue
        other = somebody_else(me, earlier, turn)
        if other >= 0:
            found[0] += is_among(senders, me, item)
            found[1] += is_among(senders, other, item)
        if me != item:
            tie(senders, came_ms, item, me, now_ms[e])


@kernel
def _replies(selves, ahead, users, senders, came_ms, items, times_ms, lengths, now_ms, starts, excluded):
    most = len(selves) * (senders.shape[1] + 1)
    rows = np.empty(most, np.int32)
    scores = np.zeros((most, 2), np.float32)
    ends = np.zeros(len(selves) + 1, np.int64)
    count = 0
    for b in range(len(selves)):
        me = selves[b]
        barred = excluded[starts[b] : starts[b + 1]]
        expected = items[b, 0] if me >= 0 and ahead[b] and lengths[b] > 0 else -1
        if not (0 <= expected < len(users) and users[expected] and expected != me):
            expected = -1
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
