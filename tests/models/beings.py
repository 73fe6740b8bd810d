"""Events and queries in which the users are the items of the same numbers."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.base import Expert, Queries
from tests.models.tiny import each


def taught(expert: Expert, stream: Sequence[tuple[int, int, int]]) -> Expert:
    """Teach events (user, item, seconds)."""
    for events in each(stream):
        expert.learn(replace(events, selves=events.before.users))
    return expert


def asked(queries: Queries, ahead: bool = False) -> Queries:
    """Say who asks, and whether it is for later."""
    users = queries.windows.users
    return replace(queries, selves=users, ahead=np.full(len(users), ahead))
