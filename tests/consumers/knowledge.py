"""What a pipeline knows, said in ids instead of rows, so that two pipelines can be compared whose rows differ.

A table that holds a row which nobody has makes this fail.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from consumers.pipeline import Pipeline
from stream.snapshots import State, pick
from stream.vocabulary import Vocabulary

Ids = dict[int, str]  # by row
Facts = dict[str, object]


def known(pipeline: Pipeline) -> Facts:
    """Return everything that a pipeline holds by user or item, but for numbers that depend on the order of rows."""
    state = pipeline.state()
    users, items = ids_of(state, "users"), ids_of(state, "items")
    experts = pick("recommender", state)
    facts: Facts = {
        "users": by_id(state["admission.users.last_used"], users, -1),
        "items": by_id(state["admission.items.last_used"], items, -1),
        "met": by_id(state["met"], users),
        "windows": _windows(pick("windows", state), users, items),
        "consumed": _consumed(pick("consumed", state), users, items),
        "published": by_id(state["published.times_ms"], users, -1),
        "lists": _sets(state["published.items"], users, items),
        "statistics": [by_id(experts[f"items.{name}"], items) for name in ("table", "pauses")],
        "ages": by_id(experts["ages.table"], items, [2.0**62, 0]),
        "leaders by age": {items[item] for item in experts["ages.leaders"].tolist() if item >= 0},
        "neighbours": _neighbours(pick("cooccurrence", experts), items),
        "norms": by_id(experts["cooccurrence.norms"], items),
        "moments": list(_moments(pick("sessions", experts), users, items)),
        "newest moments": by_id(experts["sessions.newest"], items, -1),
        "latest moments": by_id(experts["sessions.latest"], users, -1),
        "popularity": by_id(experts["popularity.weights"], items),
        "leaders": [{items[item] for item in row if item >= 0} for row in experts["popularity.leaders"].tolist()],
        "user factors": _factors(pick("factorization.users", experts), users),
        "item factors": _factors(pick("factorization.items", experts), items),
    }
    for name in ("replies", "circle"):
        facts[name] = _ties(pick(name, experts), users, items)
    if "sequence.counters" in experts:
        facts["vectors"] = by_id(experts["sequence.items.updates"], items)
        facts["replay"] = list(_replay(pick("sequence.replay", experts), users, items))
    return facts


def ids_of(state: State, kind: str) -> Ids:
    """Return the ids that have a row, ``users`` or ``items``."""
    vocabulary = Vocabulary(10**9)
    vocabulary.restore(pick(f"admission.{kind}", state))
    used = np.flatnonzero(state[f"admission.{kind}.last_used"] != -1).tolist()
    return {row: vocabulary.id_of(row) for row in used}


def by_id(table: npt.NDArray[np.generic], ids: Ids, blank: object = 0) -> Facts:
    """Return the entries of a table by row that are not blank."""
    written = [row for row in range(len(table)) if not np.all(table[row] == blank)]
    return {ids[row]: table[row].tolist() for row in written}


def _windows(state: State, users: Ids, items: Ids) -> Facts:
    windows: Facts = {}
    end = 0
    for row, count in enumerate(state["counts"].tolist()):
        start, end = end, end + count
        if count:
            names = [items[item] for item in state["items"][start:end].tolist()]
            windows[users[row]] = list(zip(names, state["times_ms"][start:end].tolist(), strict=True))
    return windows


def _consumed(state: State, users: Ids, items: Ids) -> Facts:
    """Each user's notes, newest first, without those whose item has expired; the ring must not have gone round."""
    notes: Facts = {}
    for row in np.flatnonzero(state["heads"] != -1).tolist():
        place, of_user = int(state["heads"][row]), []
        while True:
            item, back = state["ring"][place].tolist()
            of_user += [items[item]] if item >= 0 else []
            if back == 0:
                break
            place -= back
        notes[users[row]] = of_user
    return notes


def _sets(lists: npt.NDArray[np.generic], users: Ids, items: Ids) -> Facts:
    named = {row: {items[item] for item in listed if item >= 0} for row, listed in enumerate(lists.tolist())}
    return {users[row]: listed for row, listed in named.items() if listed}


def _neighbours(state: State, items: Ids) -> Facts:
    neighbours: Facts = {}
    end = 0
    for row, used in enumerate(state["used"].tolist()):
        start, end = end, end + used
        if used:
            names = [items[key] for key in state["keys"][start:end].tolist()]
            neighbours[items[row]] = dict(zip(names, state["counters"][start:end].tolist(), strict=True))
    return neighbours


def _moments(state: State, users: Ids, items: Ids) -> Iterator[object]:
    """Whose each moment is, what stands around it, and the moments before of the same item and user."""
    columns = (state[name].tolist() for name in ("users", "before", "after", "older", "previous"))
    for user, before, after, *links in zip(*columns, strict=True):
        around = [[items[item] for item in side if item >= 0] for side in (before, after)]
        yield (users[user] if user >= 0 else None, around, links)


def _ties(state: State, users: Ids, items: Ids) -> Facts:
    """Others of each with the times, newest first, who each user is, and the users of the last events."""
    named = {0: None, **{row + 1: item for row, item in items.items()}}
    others: Facts = {}
    columns = (state[name].tolist() for name in ("beings", "others", "met_ms"))
    for row, of_one, met_ms in zip(*columns, strict=True):
        others[items[row]] = [(named[other], at) for other, at in zip(of_one, met_ms, strict=True) if other > 0]
    selves = {users[row]: named[self] for row, self in enumerate(state["selves"].tolist()) if self > 0}
    assert all(user == self for user, self in selves.items())
    earlier = [named[self] for self in state["earlier"].tolist()]
    return {"others": others, "selves": selves, "earlier": earlier, "found": state["found"].tolist()}


def _factors(state: State, ids: Ids) -> Facts:
    rows = [ids[row] for row in state["rows"].tolist()]
    return dict(zip(rows, state["vectors"].tolist(), strict=True))


def _replay(state: State, users: Ids, items: Ids) -> Iterator[tuple[str, str, list[str]]]:
    columns = (state[name].tolist() for name in ("users", "targets", "items"))
    for user, target, window in zip(*columns, strict=True):
        yield users[user], items[target], [items[item] for item in window if item >= 0]
