"""An embedded Apache Kafka for the demo, the tests and small installations.

It is the real broker, one node with KRaft, run by the Java at hand from jars that were verified a moment before. It
listens on loopback only. Without a data directory it lives in a temporary one and leaves nothing behind; with one, the
next start finds its topics, groups and transactions again.

The broker runs in a session of its own, so that a Ctrl-C in the terminal reaches Python alone, and behind a `guard`,
so that it never outlives Python. Its directory is locked while it runs: Kafka's own lock comes too late, after it has
"repaired" a log that the other one is writing.
"""

import fcntl
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from stream.errors import BrokerError
from stream.guard import Guarded
from stream.jars import cache_folder, ensure_jars, locked
from stream.java import find_java

HOST = "127.0.0.1"

_START_TIMEOUT_S = 90.0  # 4 s is usual; a loaded machine may take many times that
_STOP_TIMEOUT_S = 30.0  # a clean stop takes 1 to 2 s
_POLL_S = 0.05
_PORT_ATTEMPTS = 3  # a free port may be taken before Java binds it
_QUARTER_CENTURY_MINUTES = 25 * 365 * 24 * 60

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={log_dir}
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
offsets.retention.minutes={offsets_retention}
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
"""

_LOGGING = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
)
_FORMAT_JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_BROKER_JVM = ("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC")


class EmbeddedBroker:
    """A Kafka broker that runs between `start` and `stop`, or inside a ``with`` block.

    Parameters
    ----------
    data_dir
        Where topics are kept; created when missing. None: a temporary directory, removed by `stop`.
    port
        Port on loopback; None picks a free one.
    jars_arrived
        Called with (fetched, to fetch) while jars are being downloaded, which happens once on a machine.
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        port: int | None = None,
        jars_arrived: Callable[[int, int], None] = lambda _done, _all: None,
    ) -> None:
        self._asked_dir = data_dir
        self._asked_port = port
        self._jars_arrived = jars_arrived
        self._temporary: Path | None = None
        self._lock: IO[bytes] | None = None
        self._process: Guarded | None = None
        self._port = 0

    @property
    def bootstrap(self) -> str:
        """Address for clients, ``host:port``."""
        return f"{HOST}:{self._port}"

    @property
    def data_dir(self) -> Path:
        """Directory that holds the broker's topics, its properties and ``broker.log``."""
        directory = self._temporary or self._asked_dir
        assert directory is not None, "the broker has not been started"
        return directory

    def running(self) -> bool:
        """Whether the broker has been started and has not ended, by `stop` or by itself."""
        return self._process is not None and self._process.running()

    def start(self) -> Self:
        """Start the broker and return when it answers.

        Raises
        ------
        BrokerError
            When there is no usable Java, a jar cannot be had, the port or the directory is in use, or Kafka fails.
        """
        if self._asked_port is not None:
            _refuse_busy_port(self._asked_port)
        java = find_java()
        jars, folder = locked(), cache_folder()
        ensure_jars(jars, folder, self._jars_arrived)
        kafka = (str(java), "-cp", os.pathsep.join(str(folder / jar.filename) for jar in jars), *_LOGGING)
        if self._asked_dir is None:
            self._temporary = Path(tempfile.mkdtemp(prefix="springtide-broker-"))
        try:
            self._lock_directory()
            self._start_on_a_free_port(kafka)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop the broker cleanly and wait for it; does nothing when it does not run."""
        self._end_process()
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.close()
        temporary, self._temporary = self._temporary, None
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.stop(_STOP_TIMEOUT_S)

    def _lock_directory(self) -> None:
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            self._lock = (self.data_dir / "broker.lock").open("wb")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            message = (
                f"The data directory {self.data_dir} is in use by another broker: "
                "stop that one, or choose another directory."
            )
            raise BrokerError(message) from error
        except OSError as error:
            message = f"The data directory {self.data_dir} cannot be used ({error.strerror}): choose another one."
            raise BrokerError(message) from error

    def _start_on_a_free_port(self, kafka: tuple[str, ...]) -> None:
        for attempts_left in reversed(range(_PORT_ATTEMPTS)):
            with (self.data_dir / "broker.log").open("ab") as log:
                said_before = log.tell()
                self._write_properties()
                if self._is_formatted() or self._format(kafka, log):
                    self._launch(kafka, log)
            if self._answers_in_time():
                return
            self._end_process()
            complaint = self._complaint(said_before)
            taken = "Address already in use" in complaint
            if not (taken and self._asked_port is None and attempts_left):
                advice = (
                    f"see {self.data_dir / 'broker.log'}"
                    if self._asked_dir
                    else "give it a data directory to see its log"
                )
                message = f"Apache Kafka did not start ({complaint}): {advice}."
                raise BrokerError(message)

    def _write_properties(self) -> None:
        port, controller_port = _free_ports()
        self._port = port if self._asked_port is None else self._asked_port
        properties = _PROPERTIES.format(
            host=HOST,
            port=self._port,
            controller_port=controller_port,
            log_dir=self.data_dir / "topics",
            # A task that rests for longer than Kafka's default of a week must find its offsets again.
            offsets_retention=_QUARTER_CENTURY_MINUTES,
        )
        (self.data_dir / "server.properties").write_text(properties, encoding="utf-8")

    def _is_formatted(self) -> bool:
        return (self.data_dir / "topics" / "meta.properties").exists()

    def _format(self, kafka: tuple[str, ...], log: IO[bytes]) -> bool:
        cluster = "A" + urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]  # no leading dash: it would be an option
        properties = str(self.data_dir / "server.properties")
        arguments = ("kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", cluster, "-c", properties)
        command = [kafka[0], *_FORMAT_JVM, *kafka[1:], *arguments]
        return subprocess.run(command, stdout=log, stderr=log, check=False).returncode == 0

    def _launch(self, kafka: tuple[str, ...], log: IO[bytes]) -> None:
        command = (kafka[0], *_BROKER_JVM, *kafka[1:], "kafka.Kafka", str(self.data_dir / "server.properties"))
        assert self._lock is not None
        self._process = Guarded(command, log, held=[self._lock.fileno()])

    def _answers_in_time(self) -> bool:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while self.running() and time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex((HOST, self._port)) == 0:
                    return True
            time.sleep(_POLL_S)
        return False

    def _complaint(self, said_before: int) -> str:
        """Return the decisive line of what the broker has said since `said_before`."""
        with (self.data_dir / "broker.log").open("rb") as log:
            log.seek(said_before)
            lines = log.read().decode(errors="replace").splitlines()
        causes = [line for line in lines if re.search(r"Exception: |Error: |Caused by: ", line)]
        return causes[-1].strip() if causes else lines[-1].strip() if lines else "it said nothing"


def _refuse_busy_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            message = (
                f"Port {port} on {HOST} cannot be used ({error.strerror}): stop what listens there, or choose another."
            )
            raise BrokerError(message) from error


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind((HOST, 0))
        other.bind((HOST, 0))
        return one.getsockname()[1], other.getsockname()[1]
