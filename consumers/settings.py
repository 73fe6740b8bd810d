"""Every setting, its default and its limits: one frozen model for each section.

The rules of a setting's value stand here; where values come from, and how an error becomes a sentence, stands in
`configuration`. `springtide.example.toml` explains each key to the user.

Some settings change what the same events teach, such as the length of a window. They are listed in `STATE_CHANGING`,
and `Settings.settings_hash` tells a snapshot made under other ones apart. The rest (addresses, limits of a batch,
metrics) may change between two runs.
"""

import hashlib
import json
import math
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from consumers.durations import Duration
from models.network.config import NetworkConfig
from stream.errors import SettingsError
from stream.fields import FieldMap
from stream.items import MAX_VECTOR
from stream.policy import EventPolicy, Role

if TYPE_CHECKING:
    from stream.kafka_clients import Connection
    from stream.topics import TaskTopics

ENVIRONMENT_PREFIX = "SPRINGTIDE_"
ENVIRONMENT_DELIMITER = "__"


def _not_dots(name: str) -> str:
    if name in {".", ".."}:
        message = "must be a name that Kafka takes for a topic, and that is neither '.' nor '..'"
        raise ValueError(message)
    return name


TopicName = Annotated[
    str, StringConstraints(pattern=r"^[a-zA-Z0-9._-]+$", min_length=1, max_length=200), AfterValidator(_not_dots)
]
Name = Annotated[str, StringConstraints(min_length=1)]


def _none_from_text(value: object) -> object:
    # TOML has no null.
    return None if value == "none" else value


class Section(BaseModel):
    """A table of the settings file: frozen, and without room for unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Application(Section):
    """Who this task is."""

    # Names the consumer group, the transactional id and the journal topic, and is part of every rec_id.
    name: TopicName = "springtide"


class Kafka(Section):
    """How to reach the broker."""

    bootstrap: Name = "127.0.0.1:9092"
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    sasl_username: str = ""
    sasl_password_file: Annotated[Path | None, BeforeValidator(_none_from_text)] = None
    ssl_cafile: Annotated[Path | None, BeforeValidator(_none_from_text)] = None
    allow_plaintext: bool = False

    @field_validator("bootstrap")
    @classmethod
    def _hosts_with_ports(cls, value: str) -> str:
        for server in value.split(","):
            host, _, port = server.strip().rpartition(":")
            if not host or not port.isdecimal():
                message = "must be host:port, or several of them with commas, such as '127.0.0.1:9092'"
                raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _secure(self) -> Self:
        if self.security_protocol.startswith("SASL") and not (self.sasl_username and self.sasl_password_file):
            message = f"{self.security_protocol} needs kafka.sasl_username and kafka.sasl_password_file"
            raise ValueError(message)
        for key in ("sasl_password_file", "ssl_cafile"):
            path = getattr(self, key)
            if path is not None and not path.is_file():
                message = f"{key} names {path}, which does not exist"
                raise ValueError(message)
        return self

    def connection(self) -> "Connection":
        """Return what every client is made with.

        Raises SettingsError when the password file cannot be read, LogError when data would travel unencrypted to
        another machine without permission.
        """
        from stream.kafka_clients import Connection  # noqa: PLC0415  # the client is slow to import, settings are not

        return Connection(
            self.bootstrap,
            self.security_protocol,
            self.sasl_mechanism,
            self.sasl_username,
            self._password(),
            None if self.ssl_cafile is None else str(self.ssl_cafile),
            self.allow_plaintext,
        )

    def _password(self) -> str | None:
        if self.sasl_password_file is None:
            return None
        try:
            return self.sasl_password_file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            message = f"The file {self.sasl_password_file} of kafka.sasl_password_file cannot be read: {error}."
            raise SettingsError(message) from error


class Fields(Section):
    """Where the fields of an event stand in the input topic; see `stream.fields.FieldMap`."""

    user_id: str = "user_id"
    item_id: str = "item_id"
    event_time: str = "event_time"
    type: str = "type"
    event_id: str = "event_id"
    event_type: str = "event_type"
    value: str = "value"
    items: str = "items"
    k: str = "k"
    exclude: str = "exclude"

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        try:
            self.field_map()
        except SettingsError as error:
            raise ValueError(str(error).rstrip(".")) from error
        return self

    def field_map(self) -> FieldMap:
        """Return the same as the decoder takes it."""
        return FieldMap(**self.model_dump())


class Input(Section):
    """What is read, and from where on."""

    topic: TopicName = "interactions"
    partitions: Annotated[int, Field(ge=1, le=1024)] = 4
    start: str = "earliest"
    max_value_bytes: Annotated[int, Field(ge=1_024, le=8_388_608)] = 1_048_576
    integer_ids: bool = False
    fields: Fields = Fields()

    @field_validator("start", mode="before")
    @classmethod
    def _known_start(cls, value: object) -> object:
        text = value.isoformat() if isinstance(value, datetime) else value
        if not isinstance(text, str):
            return text
        if text not in {"earliest", "latest"} and _time_ms(text) is None:
            message = "must be 'earliest', 'latest' or a time with a zone such as '2026-03-01T12:00:00Z'"
            raise ValueError(message)
        return text

    def start_time_ms(self) -> int | None:
        """Record timestamp to start at, epoch milliseconds; None for earliest and latest."""
        return _time_ms(self.start)


def _time_ms(text: str) -> int | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if time.tzinfo is None else int(time.timestamp() * 1000)


def _weight_or_role(value: object) -> object:
    if value in {role.value for role in Role}:
        return value
    try:
        weight = float(value)  # type: ignore[arg-type]  # what it does not take raises
    except (TypeError, ValueError):
        weight = math.nan
    if 0 < weight <= 100:
        return weight
    message = f"must be a weight above 0 and at most 100, or one of {', '.join(repr(role.value) for role in Role)}"
    raise ValueError(message)


class Items(Section):
    """What is told of items, and where."""

    topic: Annotated[TopicName | None, BeforeValidator(_none_from_text)] = None
    vector_length: Annotated[int, Field(ge=0, le=MAX_VECTOR)] = 0

    @property
    def told_length(self) -> int | None:
        """How many numbers the vectors of items have, 0 for none; None where nothing is told of items."""
        return None if self.topic is None else self.vector_length


class Events(Section):
    """What each event type means: a weight to learn with, or a role."""

    types: dict[Name, Annotated[float | str, BeforeValidator(_weight_or_role)]] = {}
    negative_below: Annotated[float | None, BeforeValidator(_none_from_text)] = None

    def policy(self) -> EventPolicy:
        """Return the table of roles that these settings and the defaults make."""
        return EventPolicy(self.types, self.negative_below)


class Cleaning(Section):
    """What is let through."""

    future: Duration = Duration.parse("5m")
    grace: Duration = Duration.parse("1m")
    dedupe_ids: Annotated[int, Field(ge=0, le=100_000_000)] = 100_000


class Windows(Section):
    """What is remembered of each user."""

    length: Annotated[int, Field(ge=2, le=1_024)] = 128
    span: Duration = Duration.parse("730d")
    users: Annotated[int, Field(ge=10, le=100_000_000)] = 200_000


class Models(Section):
    """How the experts learn."""

    items: Annotated[int, Field(ge=10, le=10_000_000)] = 100_000
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    micro_batch: Annotated[int, Field(ge=1, le=4_096)] = 128
    training_share: Annotated[float, Field(ge=0, le=1)] = 1.0
    dynamics: bool = False
    demand: bool = False
    item_transformer: bool = False

    def optional(self) -> tuple[str, ...]:
        """Return the families of experts that are asked for."""
        return tuple(name for name in ("dynamics", "demand", "item_transformer") if getattr(self, name))


class Network(Section):
    """The network over the window."""

    enabled: bool = True
    encoder: Literal["transformer", "lstm"] = "transformer"
    calendar: bool = False
    checkpoint: Annotated[Path | None, BeforeValidator(_none_from_text)] = None

    def config(self) -> NetworkConfig | None:
        """Return its shape; None where there is none."""
        return NetworkConfig(self.encoder, self.calendar) if self.enabled else None


class Publish(Section):
    """What goes out."""

    topic: TopicName = "recommendations"
    k: Annotated[int, Field(ge=1, le=100)] = 10
    max_age: Annotated[Duration | None, BeforeValidator(_none_from_text)] = None
    coalesce: bool = False


class Serving(Section):
    """What may be recommended."""

    repeats: Literal["learned", "never"] = "learned"


class State(Section):
    """Where snapshots are kept, how often one is made, and how long they may hold erased users."""

    dir: Path = Path("springtide-state")
    snapshot_every: Duration = Duration.parse("60s")
    erase_within: Duration = Duration.parse("10m")


class Batch(Section):
    """How much goes into one transaction."""

    max_records: Annotated[int, Field(ge=1, le=100_000)] = 1_024
    latency: Duration = Duration.parse("5ms")


class Metrics(Section):
    """Where /metrics, /livez, /readyz and the live page are served."""

    enabled: bool = True
    host: Name = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 9464
    page: bool = True


STATE_CHANGING: dict[str, set[str] | None] = {
    "input": {"topic", "max_value_bytes", "integer_ids", "fields"},
    "items": None,
    "events": None,
    "cleaning": None,
    "windows": None,
    "models": None,
    "network": {"enabled", "encoder", "calendar"},  # what is in a checkpoint counts, not where it is: see Task
    "publish": {"k"},  # the quality of the published lists is part of the state
    "serving": None,
}
"""Settings that decide what the same events teach: for each section its keys, None for all."""


class Settings(BaseSettings):
    """All settings of one task; `configuration.load` is the way to get one."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=ENVIRONMENT_PREFIX,
        env_nested_delimiter=ENVIRONMENT_DELIMITER,
    )

    preset: Literal["none", "shop", "news", "music", "video", "checkins", "social"] = "none"
    application: Application = Application()
    kafka: Kafka = Kafka()
    input: Input = Input()
    items: Items = Items()
    events: Events = Events()
    cleaning: Cleaning = Cleaning()
    windows: Windows = Windows()
    models: Models = Models()
    network: Network = Network()
    publish: Publish = Publish()
    serving: Serving = Serving()
    state: State = State()
    batch: Batch = Batch()
    metrics: Metrics = Metrics()

    @model_validator(mode="after")
    def _topics_of_their_own(self) -> Self:
        names = [self.input.topic, self.publish.topic, f"{self.input.topic}.dlq", f"{self.application.name}.journal"]
        if self.items.topic is not None:
            names.append(self.items.topic)
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            message = (
                f"input.topic, items.topic, publish.topic, the dead letters <input.topic>.dlq and the journal "
                f"<application.name>.journal must be topics of their own, and {twice[0]} is named twice"
            )
            raise ValueError(message)
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file; there are no other sources."""
        return env_settings, init_settings

    def with_overrides(
        self,
        *,
        repeats: Literal["learned", "never"] | None = None,
        seed: int | None = None,
        checkpoint: Path | None = None,
        items_topic: str | None = None,
    ) -> Self:
        """Return the same settings with what a command line may say instead; None leaves what is there."""
        changes: dict[str, Section] = {}
        if repeats is not None:
            changes["serving"] = self.serving.model_copy(update={"repeats": repeats})
        if seed is not None:
            changes["models"] = self.models.model_copy(update={"seed": seed})
        if checkpoint is not None:
            changes["network"] = self.network.model_copy(update={"checkpoint": checkpoint})
        if items_topic is not None:
            changes["items"] = self.items.model_copy(update={"topic": items_topic})
        return self.model_copy(update=changes)

    def topics(self) -> "TaskTopics":
        """Return the table of this task's topics."""
        from stream.snapshots import KEPT  # noqa: PLC0415  # slow to import, as the client is; settings are not
        from stream.topics import task_topics  # noqa: PLC0415

        oldest_ms = (KEPT + 1) * self.state.snapshot_every.ms  # one more is being made
        return task_topics(
            self.application.name,
            self.input.topic,
            self.publish.topic,
            self.input.partitions,
            oldest_ms,
            self.items.topic,
        )

    def state_changing(self) -> dict[str, Any]:
        """Return the settings that decide what the same events teach, as plain values by section."""
        everything = self.model_dump(mode="json")
        return {
            section: {key: value for key, value in everything[section].items() if keys is None or key in keys}
            for section, keys in STATE_CHANGING.items()
        }

    def settings_hash(self) -> str:
        """Return a hash of `state_changing`: 16 hex digits, equal for equal values whatever their source."""
        canonical = json.dumps(self.state_changing(), sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]
