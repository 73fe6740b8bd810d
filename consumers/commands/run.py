"""A task's service as a process: made of its settings, seen over HTTP, and stopped by signals."""

import gc
import logging
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from consumers.files import checkpoints
from consumers.pipeline import Pipeline
from consumers.service import Service
from consumers.serving.core import P
from consumers.serving.memory import MemoryWatch
from consumers.serving.observer import Both
from consumers.serving.rehearsal import rehearse
from consumers.serving.task import Task
from consumers.settings import Settings
from consumers.telemetry import Telemetry
from consumers.web.endpoint import Endpoint
from consumers.web.live import LiveView
from consumers.web.site import Site
from stream.kafka import KafkaLog
from stream.topics import TaskTopics

_log = logging.getLogger(__name__)


def task_on_kafka(settings: Settings, topics: TaskTopics, scorers: Sequence[str]) -> Task[Pipeline]:
    """Return the task of these settings; a state also depends on which experts there are, and on its checkpoint.

    Raises SettingsError when the checkpoint cannot be used.
    """
    start = checkpoints.start(settings)
    digest = None if start is None else start.digest
    name = settings.application.name
    kind = " ".join([settings.settings_hash(), *scorers, *([] if digest is None else [digest])])
    log = KafkaLog(settings.kafka.connection(), name, topics)
    return Task(log, name, kind, Path(settings.state.dir), lambda epoch: Pipeline(settings, epoch, start=start), digest)


def run(settings: Settings, topics: TaskTopics, *, rebuild: bool = False) -> None:
    """Lead a task on Kafka, or stand by, until SIGINT or SIGTERM; what goes wrong is raised as one sentence.

    `topics` are those of the settings, as they are.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    rehearsed = Pipeline(settings)
    scorers = rehearsed.recommender.scorers
    name = settings.application.name
    telemetry, view = Telemetry(scorers, topics.input.retention_ms, name), LiveView(name, scorers)
    task = task_on_kafka(settings, topics, scorers)
    service = Service(task, settings, Both(telemetry, view), rebuild=rebuild)
    metrics = settings.metrics
    site = Site(view, metrics.host, service.live, service.role) if metrics.page else None
    endpoint = Endpoint(metrics.host, metrics.port, telemetry.registry, service.live, service.role, site)
    with endpoint if metrics.enabled else nullcontext(), MemoryWatch(), stopping_on_signals(service):
        with leaving_on_signals(service):
            if metrics.enabled:
                _log.info("%s %s", "Live page, metrics and health:" if site else "Metrics and health:", endpoint.url)
            rehearse(rehearsed)
            del rehearsed
            _keep_for_good()
        service.run()


def _keep_for_good() -> None:
    """Exempt all that is there by now from searches for garbage: each would stop the loop for a fifth of a second."""
    gc.collect()
    gc.freeze()


@contextmanager
def leaving_on_signals(service: Service[P]) -> Iterator[None]:
    """Let SIGINT or SIGTERM end the process at once and cleanly, where a service has not begun yet."""

    def leave(_number: int, _frame: object) -> None:
        service.stop()  # should whatever is interrupted swallow the exception
        raise SystemExit(0)

    before = {number: signal.signal(number, leave) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def stopping_on_signals(service: Service[P]) -> Iterator[None]:
    """Let the first SIGINT or SIGTERM stop the service cleanly, and a second one at once."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def stop(_number: int, _frame: object) -> None:
        _log.info("Stopping after this batch; once more to stop at once.")
        service.stop()
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
