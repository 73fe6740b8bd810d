"""Watch the lists go out: a live table on a terminal, one line a list elsewhere, or the messages as JSON lines.

Only committed lists are read, from the end of the topic or from its beginning.
"""

import sys
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence

from kafka import TopicPartition
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from consumers.settings import Settings
from stream.errors import MessageError, TopicError
from stream.kafka_clients import Connection
from stream.recommendations import Recommendation, RecommendationReader, encode

_POLL_MS = 250
_ROWS = 12
_ITEMS = 3


def subscribe(connection: Connection, topic: str, *, from_start: bool = False) -> Iterator[list[Recommendation]]:
    """Yield new lists as they are committed, for ever; an empty batch when a quarter of a second brings none.

    Values that are not lists are left out. The first batch is empty: when it has come, the position is fixed.

    Raises TopicError when the topic does not exist, LogUnavailableError when no broker answers.
    """
    reader = RecommendationReader()
    with connection.reaching(), connection.consumer() as consumer:
        numbers = consumer.partitions_for_topic(topic)
        if not numbers:
            message = f"Topic {topic} does not exist at {connection.bootstrap}: start springtide run, which makes it."
            raise TopicError(message)
        partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
        consumer.assign(partitions)
        ends = consumer.beginning_offsets(partitions) if from_start else consumer.end_offsets(partitions)
        for partition, offset in ends.items():
            consumer.seek(partition, offset)
        yield []
        while True:
            fetched = consumer.poll(timeout_ms=_POLL_MS)
            values = (record.value for records in fetched.values() for record in records)
            yield list(_lists(reader, values))


def _lists(reader: RecommendationReader, values: Iterable[bytes | None]) -> Iterator[Recommendation]:
    for value in values:
        try:
            recommendation = reader.read(value)
        except MessageError:
            continue
        if recommendation is not None:
            yield recommendation


class Newest:
    """The newest list of each of the users who got one last."""

    def __init__(self, users: int) -> None:
        self._users = users
        self._lists: OrderedDict[str, Recommendation] = OrderedDict()  # oldest first

    def add(self, recommendations: Iterable[Recommendation]) -> None:
        """Take in new lists, of several partitions: they are put in order of their events' time."""
        for one in sorted(recommendations, key=lambda one: one.event_time):
            self._lists.pop(one.user_id, None)
            self._lists[one.user_id] = one
        while len(self._lists) > self._users:
            self._lists.popitem(last=False)

    def __iter__(self) -> Iterator[Recommendation]:
        """Yield them, the newest first."""
        return reversed(self._lists.values())


def table(recommendations: Iterable[Recommendation], title: str) -> Table:
    """Return lists as a table, one row each, with the reason of each first item."""
    grid = Table(title=title, title_justify="left", expand=True, show_edge=False)
    for name, ratio in (("event time", 3), ("user", 3), ("next, with its probability", 9), ("because", 6)):
        grid.add_column(name, ratio=ratio, no_wrap=True, overflow="ellipsis")
    for one in recommendations:
        grid.add_row(f"{one.event_time:%Y-%m-%d %H:%M:%S}", Text(one.user_id), Text(_items(one)), Text(_reason(one)))
    return grid


def line(one: Recommendation) -> str:
    """Return one list as one line of plain text."""
    return f"{one.event_time:%Y-%m-%d %H:%M:%S}  {one.user_id}: {_items(one)}; {_reason(one)}"


def _items(one: Recommendation) -> str:
    return ", ".join(f"{item.item_id} {item.score:.0%}" for item in one.items[:_ITEMS]) or "nothing learned yet"


def _reason(one: Recommendation) -> str:
    """Name the strongest evidence for the first item, and the past items behind it."""
    if not one.items or not one.items[0].reasons:
        return ""
    strongest = max(one.items[0].reasons, key=lambda reason: reason.weight)
    past = f" after {', '.join(strongest.because[:2])}" if strongest.because else ""
    return f"{strongest.expert} {strongest.weight:.0%}{past}"


def tail(settings: Settings, *, user: str | None, from_start: bool, as_json: bool, console: Console) -> None:
    """Show lists until interrupted; with `user` only theirs."""
    batches = (
        [one for one in batch if user is None or one.user_id == user]
        for batch in subscribe(settings.kafka.connection(), settings.publish.topic, from_start=from_start)
    )
    if as_json:
        _print_json(batches)
    elif console.is_terminal:
        _show_live(batches, settings.publish.topic, console)
    else:
        for batch in batches:
            for one in batch:
                console.print(line(one), markup=False, highlight=False, soft_wrap=True)


def _print_json(batches: Iterable[Sequence[Recommendation]]) -> None:
    for batch in batches:
        for one in batch:
            sys.stdout.write(encode(one).decode() + "\n")
        sys.stdout.flush()


def _show_live(batches: Iterable[Sequence[Recommendation]], topic: str, console: Console) -> None:
    newest = Newest(_ROWS)
    count = 0
    with Live(table(newest, f"{topic}: waiting for lists"), console=console, auto_refresh=False) as live:
        for batch in batches:
            count += len(batch)
            newest.add(batch)
            if batch:
                live.update(table(newest, f"{topic}: {count:,} lists"), refresh=True)
