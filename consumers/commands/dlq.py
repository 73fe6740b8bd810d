"""What became dead letters, and how they are sent again once what was wrong is mended.

`springtide dlq list` groups the letters of the task by reason. `springtide dlq replay` sends those that were not sent
again yet back to the input topic, each under its old key and partition number, with its own headers and one that
counts how often it has failed; its timestamp is that of the write, as for everything that is replayed.

Each letter goes out once: it and the note that says so are one transaction, and nobody decides by anything but the
notes. Whoever starts last fences the others by the transactional id; what they had not committed is sent by the last.

Left where it is: a record without a value, which cannot be an event, and one that no longer fits into the input topic.
"""

import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, closing
from types import TracebackType
from typing import Self

import msgspec
from kafka import KafkaProducer
from kafka.errors import KafkaError
from kafka.structs import TopicPartition as KafkaPartition
from rich.console import Console
from rich.table import Table
from rich.text import Text

from consumers.commands.reporting import progress
from consumers.settings import Settings
from stream.clock import utc
from stream.dead_letters import DeadLetter, note_of, read_dead_letter, read_note
from stream.errors import LogError, SettingsError
from stream.kafka_clients import Connection
from stream.kafka_headers import HeaderName
from stream.kafka_reader import RangeReader, records_between
from stream.log import OutputRecord, Ranges, Record, TopicPartition
from stream.topics import TaskTopics, ensure_topics
from stream.watchdog import Watchdog

_STEP = 200  # offsets that are read at a time
_SAMPLES = 3
_LETTERS_AT_ONCE = 500
_BYTES_AT_ONCE = 4 * 2**20
_ROOM_BYTES = 4_096  # for what Kafka adds to a record, and the count of attempts
_TRANSACTION_BUDGET_S = 45.0  # longer than the client's own limits
_PRODUCER = {
    "transaction_timeout_ms": 30_000,
    "delivery_timeout_ms": 20_000,
    "max_block_ms": 10_000,
    "retry_backoff_ms": 10,
    "linger_ms": 5,
    "compression_type": "lz4",
    "metrics_enabled": False,
}


class Group(msgspec.Struct):
    """The letters of one reason and stage.

    Of its `records`, `sent` were sent again, and `waiting` can be. Times are the letters' own timestamps, which are
    those that the records had, in epoch milliseconds. `samples` are the places of the newest few in the dead-letter
    topic, partition and offset; `message` is what the newest says.
    """

    reason: str
    stage: str
    records: int = 0
    sent: int = 0
    waiting: int = 0
    first_ms: int = 2**63 - 1
    last_ms: int = -1
    samples: list[tuple[int, int]] = []
    message: str = ""

    @property
    def left(self) -> int:
        """How many cannot be sent again."""
        return self.records - self.sent - self.waiting

    def add(self, letter: DeadLetter) -> None:
        """Take in one letter more."""
        record = letter.record
        self.records += 1
        self.first_ms = min(self.first_ms, record.timestamp_ms)
        self.last_ms = max(self.last_ms, record.timestamp_ms)
        self.samples = [*self.samples, (record.partition, record.offset)][-_SAMPLES:]
        self.message = letter.details["exception.message"]


class DeadLetters:
    """The dead letters of one task, as they are when this is made; to be used as a context.

    Parameters
    ----------
    connection
        Where the broker is.
    application
        Whose letters.
    topics
        The task's topics as they are.

    Raises
    ------
    LogUnavailableError
        When no broker answers.
    """

    def __init__(self, connection: Connection, application: str, topics: TaskTopics) -> None:
        self._application = application
        self._topics = topics
        self._sources = [TopicPartition(topics.dead_letters.name, n) for n in range(topics.dead_letters.partitions)]
        # Up to where transactions are still open: a note may stand behind the open one of somebody else.
        with connection.reaching(), connection.consumer(isolation_level="read_uncommitted") as consumer:
            partitions = [KafkaPartition(*source) for source in self._sources]
            starts, ends = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
        self._ranges: Ranges = {TopicPartition(*one): (starts[one], ends[one]) for one in partitions}
        self._reader = RangeReader(connection, self._sources, lambda: None)
        self._sent = {source: self._noted(source) for source in self._sources}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._reader.close()

    def groups(self) -> list[Group]:
        """Group the letters by reason and stage, the largest group first."""
        groups: dict[tuple[str, str], Group] = {}
        for source in self._sources:
            for letter in self._letters(source):
                key = (letter.reason, letter.details["stage"])
                group = groups.setdefault(key, Group(*key))
                group.add(letter)
                group.sent += self._was_sent(letter)
                group.waiting += self._waits(letter)
        return sorted(groups.values(), key=lambda group: (-group.records, group.reason, group.stage))

    def waiting(self, reasons: Collection[str]) -> Iterator[list[DeadLetter]]:
        """Yield the letters of these reasons that wait to be sent again: some of one partition at a time, in order."""
        for source in self._sources:
            batch: list[DeadLetter] = []
            size = 0
            for letter in self._letters(source):
                if letter.reason not in reasons or not self._waits(letter):
                    continue
                if batch and (len(batch) == _LETTERS_AT_ONCE or size + _size(letter.record) > _BYTES_AT_ONCE):
                    yield batch
                    batch, size = [], 0
                batch.append(letter)
                size += _size(letter.record)
            if batch:
                yield batch

    def _records(self, source: TopicPartition) -> Iterator[Record]:
        return records_between(self._reader, source, *self._ranges[source], _STEP)

    def _letters(self, source: TopicPartition) -> Iterator[DeadLetter]:
        """Yield the letters of this task; two tasks that read one input share its dead-letter topic."""
        topics = {spec.name for spec in self._topics.inputs()}
        for letter in map(read_dead_letter, self._records(source)):
            if letter is not None and letter.details["application"] == self._application:
                if letter.details["topic"] in topics:
                    yield letter

    def _noted(self, source: TopicPartition) -> set[int]:
        notes = map(read_note, self._records(source))
        return {offset for note in notes if note and note.application == self._application for offset in note.offsets}

    def _was_sent(self, letter: DeadLetter) -> bool:
        return letter.record.offset in self._sent[letter.record.source]

    def _waits(self, letter: DeadLetter) -> bool:
        has_value = letter.record.value is not None and not letter.value_left_out
        most = next(one.max_message_bytes for one in self._topics.inputs() if one.name == letter.details["topic"])
        fits = _size(letter.record) + _ROOM_BYTES <= most
        return has_value and fits and not self._was_sent(letter)


class Sender:
    """Sends letters again, those of each call with their note in one transaction.

    Parameters
    ----------
    connection
        Where the broker is.
    application
        Whose letters; names the transactional id.
    max_bytes
        Of one record.
    """

    def __init__(self, connection: Connection, application: str, max_bytes: int) -> None:
        self._application = application
        self._watchdog = Watchdog()
        with connection.reaching():
            connection.knock()
            self._producer = KafkaProducer(
                **connection.settings(),
                **_PRODUCER,
                transactional_id=f"{application}.dlq",
                max_request_size=max_bytes,
            )
            self._producer.init_transactions()

    def send(self, letters: Sequence[DeadLetter]) -> None:
        """Send letters of one partition; LogError when it is not known whether they went out."""
        with self._watchdog.limit("A Kafka transaction", _TRANSACTION_BUDGET_S):
            try:
                self._producer.begin_transaction()
                for record in (*(letter.sent_again() for letter in letters), note_of(letters, self._application)):
                    self._send(record)
                self._producer.commit_transaction()
            except KafkaError as error:
                message = (
                    f"Dead letters were not sent, or it is not known whether they were ({type(error).__name__}): run "
                    "springtide dlq replay again, and what was sent is not sent twice."
                )
                raise LogError(message) from error

    def close(self) -> None:
        """Disconnect; what is not committed is not sent."""
        with self._watchdog.limit("Closing the Kafka producer", _TRANSACTION_BUDGET_S):
            self._producer.close(timeout=5)
        self._watchdog.close()

    def _send(self, record: OutputRecord) -> None:
        headers = [(HeaderName(name), value or b"") for name, value in record.headers]
        self._producer.send(
            record.topic, value=record.value, key=record.key, headers=headers, partition=record.partition
        )


def _size(record: Record) -> int:
    headers = sum(len(HeaderName(name).encode()) + len(value or b"") for name, value in record.headers)
    return len(record.key or b"") + len(record.value or b"") + headers


def list_dead_letters(settings: Settings, *, as_json: bool, console: Console) -> None:
    """Show the dead letters of a task by reason, as a table or as a line of JSON for each group."""
    connection = settings.kafka.connection()
    topics = ensure_topics(connection, settings.topics(), create=False)
    with DeadLetters(connection, settings.application.name, topics) as letters:
        groups = letters.groups()
    if as_json:
        for group in groups:
            sys.stdout.write(msgspec.json.encode(group).decode() + "\n")
    elif groups:
        console.print(_table(groups))
    else:
        console.print(f"No dead letters in {topics.dead_letters.name}.", highlight=False)


def replay_dead_letters(settings: Settings, reasons: Sequence[str], *, dry_run: bool, console: Console) -> None:
    """Send the dead letters of these reasons again, or of all, and say what was done; with `dry_run` what would be.

    Raises SettingsError when no letter has such a reason, LogError when a transaction fails.
    """
    connection, name = settings.kafka.connection(), settings.application.name
    topics = ensure_topics(connection, settings.topics(), create=False)
    with ExitStack() as stack:
        sender = None
        if not dry_run:  # before the notes are read: another one's last are committed by then, or never will be
            sender = stack.enter_context(closing(Sender(connection, name, topics.dead_letters.max_message_bytes)))
        letters = stack.enter_context(DeadLetters(connection, name, topics))
        chosen = _chosen(letters.groups(), reasons, topics.dead_letters.name)
        if sender is not None:
            _send(sender, letters, chosen, console)
    done = "Would send" if dry_run else "Sent"
    sent = sum(group.waiting for group in chosen)
    of = ", ".join(f"{group.reason} {group.waiting:,}" for group in chosen if group.waiting)
    where = " and ".join(spec.name for spec in topics.inputs())
    console.print(f"{done} {sent:,} dead letters to {where}{of and f': {of}'}.", highlight=False)
    if left := sum(group.left for group in chosen):
        console.print(f"{left:,} cannot be sent again: they have no value, or do not fit any more.", highlight=False)


def _send(sender: Sender, letters: DeadLetters, chosen: Sequence[Group], console: Console) -> None:
    with progress(console) as bar:
        task = bar.add_task("Sending dead letters again", total=sum(group.waiting for group in chosen))
        for batch in letters.waiting({group.reason for group in chosen}):
            sender.send(batch)
            bar.advance(task, len(batch))


def _chosen(groups: Sequence[Group], reasons: Sequence[str], topic: str) -> list[Group]:
    known = sorted({group.reason for group in groups})
    for reason in reasons:
        if reason not in known:
            message = f"No dead letter in {topic} has the reason {reason!r}; there are: {', '.join(known) or 'none'}."
            raise SettingsError(message)
    return [group for group in groups if not reasons or group.reason in reasons]


def _table(groups: Sequence[Group]) -> Table:
    grid = Table(show_edge=False, show_lines=True)
    for name in ("reason", "stage"):
        grid.add_column(name, overflow="fold")
    for name in ("records", "waiting"):
        grid.add_column(name, justify="right", no_wrap=True)
    for name in ("first, last", "newest at"):
        grid.add_column(name, no_wrap=True)
    for group in groups:
        times = f"{_time(group.first_ms)}\n{_time(group.last_ms)}"
        places = "\n".join(f"{partition}/{offset}" for partition, offset in group.samples)
        grid.add_row(Text(group.reason), group.stage, f"{group.records:,}", f"{group.waiting:,}", times, places)
    return grid


def _time(time_ms: int) -> str:
    try:
        return f"{utc(time_ms):%Y-%m-%d %H:%M:%S}"
    except OverflowError:  # a wrong clock is a reason to be here
        return f"{time_ms} ms"
