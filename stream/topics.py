"""Every topic of a task, in one table: what it must be, how it is made, and how a wrong one is told apart.

=========================  ============  ===============  ==================================================
topic                      partitions    clean-up         why
=========================  ============  ===============  ==================================================
input                      as asked      delete           the log of what happened; must outlive the snapshots
output                     as the input  compact, delete  the newest list of each user is a table
``<input>.dlq``            as the input  delete           original bytes with headers: larger than the input
``<application>.journal``  1             delete by size   the order of batches; its last record must stay
items, if there is one     as the input  compact          the newest record of each item is a table
=========================  ============  ===============  ==================================================

A list goes to the partition number of the event that caused it, which is why partition counts must agree.

The items topic is an input too, and whoever follows the journal needs the very records that its leader read. So nothing
may be compacted away as long as the interactions of that time are kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource
from kafka.errors import TopicAlreadyExistsError

from stream.dead_letters import dead_letter_topic
from stream.errors import TopicError
from stream.kafka_clients import Connection

_DAY_MS = 86_400_000
_NO_LIMIT = -1
_INPUT_MS = 30 * _DAY_MS

INPUT_MAX_BYTES = 10 * 2**20
"""Room for an event far beyond any sensible one, so that it arrives and can be told to be too large."""

DEAD_LETTER_ROOM_BYTES = 2**20
"""What a dead letter needs beyond the record that it carries, at least."""


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """One row of the table; times in milliseconds, -1 for no limit."""

    name: str
    partitions: int
    cleanup: frozenset[str]
    retention_ms: int
    max_message_bytes: int
    more: Mapping[str, str] = field(default_factory=dict)
    compaction_lag_ms: int = 0  # how old a record is, at least, before a newer one of its key can take its place

    def configs(self) -> dict[str, str]:
        """Return Kafka's own names and values."""
        return {
            "cleanup.policy": ",".join(sorted(self.cleanup)),
            "retention.ms": str(self.retention_ms),
            "max.message.bytes": str(self.max_message_bytes),
            **({"min.compaction.lag.ms": str(self.compaction_lag_ms)} if self.compaction_lag_ms else {}),
            **self.more,
        }


@dataclass(frozen=True, slots=True)
class TaskTopics:
    """The table of one task; its input must keep records for longer than `outlive_ms`, the age of old snapshots."""

    input: TopicSpec
    output: TopicSpec
    dead_letters: TopicSpec
    journal: TopicSpec
    outlive_ms: int = 0
    items: TopicSpec | None = None

    def inputs(self) -> Sequence[TopicSpec]:
        """Return those that are read."""
        return (self.input,) if self.items is None else (self.input, self.items)

    def all(self) -> Sequence[TopicSpec]:
        """Return the rows in the order in which they are made."""
        four = self.input, self.output, self.dead_letters, self.journal
        return four if self.items is None else (*four, self.items)


def journal_topic(application: str) -> str:
    """Where a task keeps the order of its batches."""
    return f"{application}.journal"


def task_topics(
    application: str,
    input_topic: str,
    output_topic: str,
    partitions: int,
    outlive_ms: int = 0,
    items_topic: str | None = None,
) -> TaskTopics:
    """Return the table of a task whose input has, or will have, that many partitions, and outlives its snapshots."""
    return TaskTopics(
        input=TopicSpec(input_topic, partitions, frozenset({"delete"}), _INPUT_MS, INPUT_MAX_BYTES),
        output=TopicSpec(
            output_topic,
            partitions,
            frozenset({"compact", "delete"}),
            30 * _DAY_MS,
            2**20,
            {"segment.ms": str(_DAY_MS)},  # only closed segments are compacted
        ),
        dead_letters=TopicSpec(
            dead_letter_topic(input_topic),
            partitions,
            frozenset({"delete"}),
            # Dead letters keep the times of their records: by age, a record of last year would be gone in seconds.
            _NO_LIMIT,
            4 * INPUT_MAX_BYTES,
            # A wrong clock is a reason to land here, not to be refused here too.
            {
                "message.timestamp.type": "CreateTime",
                "message.timestamp.after.max.ms": str(2**63 - 1),
                "retention.bytes": str(2**30),
            },
        ),
        journal=TopicSpec(
            journal_topic(application), 1, frozenset({"delete"}), _NO_LIMIT, 2**20, {"retention.bytes": str(2 * 2**30)}
        ),
        outlive_ms=outlive_ms,
        items=None
        if items_topic is None
        else TopicSpec(
            items_topic,
            partitions,
            frozenset({"compact"}),
            _NO_LIMIT,
            INPUT_MAX_BYTES,
            # A withdrawal must be known to whoever reads of the item's last events.
            {"delete.retention.ms": str(_INPUT_MS)},
            _INPUT_MS,
        ),
    )


def existing_topics(admin: KafkaAdminClient, names: Sequence[str]) -> dict[str, TopicSpec]:
    """Return those of `names` that the broker has, as they are."""
    found = {topic["name"]: topic for topic in admin.describe_topics(list(names)) if topic["error_code"] == 0}
    if not found:
        return {}
    resources = [ConfigResource("TOPIC", name) for name in found]
    configs = admin.describe_configs(resources, config_filter="all")["topic"]
    return {name: _as_it_is(name, len(topic["partitions"]), configs[name]) for name, topic in found.items()}


def _as_it_is(name: str, partitions: int, configs: Mapping[str, Mapping[str, str]]) -> TopicSpec:
    return TopicSpec(
        name,
        partitions,
        frozenset(configs["cleanup.policy"]["value"].split(",")),
        int(configs["retention.ms"]["value"]),
        int(configs["max.message.bytes"]["value"]),
        compaction_lag_ms=int(configs["min.compaction.lag.ms"]["value"]),
    )


def ensure_topics(connection: Connection, topics: TaskTopics, create: bool = True) -> TaskTopics:
    """Make the topics that are missing, check those that are there, and return all as they are.

    The topics that depend on the input follow the partitions and the message size that it really has.

    Parameters
    ----------
    connection
        Where the broker is.
    topics
        The table, from `task_topics`.
    create
        Whether missing topics may be made.

    Raises
    ------
    TopicError
        When a topic is missing and may not be made, or is not as it must be: one sentence with the mend.
    LogUnavailableError
        When no broker answers.
    """
    with connection.reaching(), connection.admin() as admin:
        names = [spec.name for spec in topics.all()]
        found = existing_topics(admin, names)
        wanted = _following(_as_found(topics, found), topics)
        missing = [spec for spec in wanted.all() if spec.name not in found]
        if missing and not create:
            message = (
                f"Topic {missing[0].name} does not exist: create it with {missing[0].partitions} partitions and "
                f"cleanup.policy={missing[0].configs()['cleanup.policy']}, or run springtide topics --create."
            )
            raise TopicError(message)
        check_topics(_as_found(wanted, found))  # before anything is made
        _create(admin, missing)
        real = _as_found(wanted, existing_topics(admin, names))
    check_topics(real)
    return real


def _following(real: TaskTopics, topics: TaskTopics) -> TaskTopics:
    """Return the table with the inputs as they are and the others to match."""
    dead, partitions, items = topics.dead_letters, real.input.partitions, topics.items
    if items is not None:
        lag_ms = max(items.compaction_lag_ms, _needed_lag_ms(real))
        items = replace(items, partitions=partitions, compaction_lag_ms=lag_ms)
    following = replace(topics, input=real.input, items=items if real.items == topics.items else real.items)
    room = max(spec.max_message_bytes for spec in following.inputs()) + DEAD_LETTER_ROOM_BYTES
    return replace(
        following,
        output=replace(topics.output, partitions=partitions),
        dead_letters=replace(
            dead,
            partitions=max(spec.partitions for spec in following.inputs()),
            max_message_bytes=max(dead.max_message_bytes, room),
        ),
    )


def _as_found(topics: TaskTopics, found: Mapping[str, TopicSpec]) -> TaskTopics:
    """Return the table with the topics that were found as they are."""
    source, output, dead, journal, *items = (found.get(spec.name, spec) for spec in topics.all())
    return replace(
        topics, input=source, output=output, dead_letters=dead, journal=journal, items=items[0] if items else None
    )


def _needed_lag_ms(topics: TaskTopics) -> int:
    """For how long no record of an item may be compacted away."""
    return max(topics.input.retention_ms, topics.outlive_ms)


def _create(admin: KafkaAdminClient, specs: Sequence[TopicSpec]) -> None:
    for spec in specs:
        try:
            admin.create_topics(
                {spec.name: {"num_partitions": spec.partitions, "configs": spec.configs()}}, wait_for_metadata=True
            )
        except TopicAlreadyExistsError:
            continue  # another process was faster; what it made is checked next


def check_topics(topics: TaskTopics) -> None:
    """Check a table of topics as they are; TopicError with the mend for the first one that would lose something."""
    for complaint in _complaints(topics):
        raise TopicError(complaint)


def _complaints(topics: TaskTopics) -> list[str]:
    source, output, dead, journal = topics.input, topics.output, topics.dead_letters, topics.journal
    complaints = []
    for spec in (source, dead, journal):
        if "compact" in spec.cleanup:
            complaints.append(
                f"Topic {spec.name} has cleanup.policy={spec.configs()['cleanup.policy']}, and compaction would remove "
                "events that must stay: set cleanup.policy=delete on it, or name another topic."
            )
    if _NO_LIMIT < source.retention_ms <= topics.outlive_ms:
        complaints.append(
            f"Topic {source.name} has retention.ms={source.retention_ms}, and a restart from the oldest snapshot needs "
            f"records that are {topics.outlive_ms} ms old: set retention.ms on it to more than that, or lower "
            "state.snapshot_every."
        )
    if journal.retention_ms != _NO_LIMIT:
        complaints.append(
            f"Topic {journal.name} has retention.ms={journal.retention_ms}, and after so long without input nobody "
            "would know what was learned: set retention.ms=-1 on it, and retention.bytes to bound it."
        )
    if "compact" not in output.cleanup:
        complaints.append(
            f"Topic {output.name} has cleanup.policy={output.configs()['cleanup.policy']}, and must keep the "
            "newest list of each user: set cleanup.policy=compact,delete on it."
        )
    if output.partitions != source.partitions:
        complaints.append(
            f"Topic {output.name} has {output.partitions} partitions and the input {source.name} has "
            f"{source.partitions}: give both the same number, or set publish.topic to a new name."
        )
    for spec in topics.inputs():
        if dead.partitions < spec.partitions:
            complaints.append(
                f"Topic {dead.name} has {dead.partitions} partitions and the input {spec.name} has {spec.partitions}: "
                f"add partitions to {dead.name} until it has as many."
            )
        needed = spec.max_message_bytes + DEAD_LETTER_ROOM_BYTES
        if dead.max_message_bytes < needed:
            complaints.append(
                f"Topic {dead.name} takes messages up to {dead.max_message_bytes} bytes and the input {spec.name} up "
                f"to {spec.max_message_bytes}: set max.message.bytes={needed} or more on {dead.name}."
            )
    if journal.partitions != 1:
        complaints.append(
            f"Topic {journal.name} has {journal.partitions} partitions and a journal is one sequence: "
            "delete it and let springtide make it with 1, or set application.name to a new name."
        )
    return complaints if topics.items is None else complaints + _complaints_of_items(topics.items, topics)


def _complaints_of_items(items: TopicSpec, topics: TaskTopics) -> list[str]:
    complaints = []
    if items.cleanup != {"compact"}:
        complaints.append(
            f"Topic {items.name} has cleanup.policy={items.configs()['cleanup.policy']}, and must keep the newest "
            "record of each item for ever: set cleanup.policy=compact on it."
        )
    needed_ms = _needed_lag_ms(topics)
    if items.compaction_lag_ms < needed_ms:
        complaints.append(
            f"Topic {items.name} has min.compaction.lag.ms={items.compaction_lag_ms}, and a recovery needs every "
            f"record of an item as long as {topics.input.name} keeps its own: set min.compaction.lag.ms={needed_ms} "
            f"or more on {items.name}."
        )
    return complaints
