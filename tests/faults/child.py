"""One process of a task: what `springtide run` does, with shorter limits, and a word to the harness now and then.

Processes are forked from one that has everything loaded and compiled (`warm`), because a start from nothing takes
longer than all the rest of an iteration.
"""

import logging
import sys
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from typing import Any

from consumers.commands.run import stopping_on_signals
from consumers.pipeline import Outputs, Pipeline
from consumers.service import Service
from consumers.serving.contents import Contents
from consumers.serving.observer import Role
from consumers.serving.task import Task
from consumers.settings import Settings
from consumers.telemetry import Telemetry
from models.base import Expert
from models.families import experts
from models.network.config import NetworkConfig
from models.network.training import SequenceExpert, TrainingConfig
from models.recommender import Recommender
from stream.errors import SpringtideError
from stream.kafka import COMMIT_BUDGET_S, KafkaLog
from stream.log import Log
from stream.topics import ensure_topics
from tests.consumers.brittle import Brittle
from tests.faults.points import Point, arm

SESSION_S = 4.0


@dataclass(frozen=True)
class Plan:
    """What a process is started with."""

    settings: dict[str, dict[str, Any]]
    rebuild: bool = False
    point: Point | None = None
    commit_budget_s: float = COMMIT_BUDGET_S


def family(settings: Settings) -> list[Expert]:
    """All experts, with a small network; of the type "boom" one of them knows only how to raise."""
    network = SequenceExpert(
        NetworkConfig(width=16, window=8), TrainingConfig(batch=8, replay_capacity=200), settings.models.seed
    )
    counting = experts(settings.models.seed, None)
    if "boom" in settings.events.types:
        counting = [Brittle() if expert.name == "popularity" else expert for expert in counting]
    return [*counting, network] if settings.network.enabled else counting


def pipeline(settings: Settings, epoch: int) -> Pipeline:
    """Return an empty pipeline with that family."""
    return Pipeline(settings, epoch, Recommender(family(settings)))


def task(log: Log, settings: Settings) -> Task[Pipeline]:
    """Return a task with that pipeline."""
    return Task(
        log,
        settings.application.name,
        settings.settings_hash(),
        settings.state.dir,
        lambda epoch: pipeline(settings, epoch),
    )


class Reporter(Telemetry):
    """Counts as in service, and tells the harness what it waits for."""

    def __init__(self, scorers: tuple[str, ...], pipe: Pipe) -> None:
        super().__init__(scorers)
        self._pipe = pipe
        self._one_at_a_time = threading.Lock()

    def say(self, what: str, more: object = None) -> None:
        """Tell the harness."""
        with self._one_at_a_time:
            self._pipe.send((what, more))

    def takes(self, role: Role) -> None:
        super().takes(role)
        self.say("role", str(role))

    def answered(self, outputs: Outputs, *more: Any) -> None:
        super().answered(outputs, *more)
        self.say("answered")

    def snapshot(self, contents: Contents, now_ms: int) -> None:
        super().snapshot(contents, now_ms)
        self.say("snapshot")

    def snapshot_failed(self) -> None:
        super().snapshot_failed()
        self.say("snapshot failed")


def nothing() -> None:
    """Do nothing, and be there."""


def serve(plan: Plan, pipe: Pipe) -> None:
    """Lead or stand by until a signal, or until it cannot go on; exits as the command line does."""
    logging.basicConfig(level=logging.ERROR, format="%(process)d %(message)s", force=True)
    settings = Settings(**plan.settings)  # type: ignore[arg-type]  # pydantic makes sections of the tables
    if plan.point is not None:
        arm(plan.point)
    reporter = Reporter(pipeline(settings, 0).recommender.scorers, pipe)
    try:
        connection = settings.kafka.connection()
        topics = ensure_topics(connection, settings.topics(), create=False)
        log = KafkaLog(
            connection, settings.application.name, topics, round(SESSION_S * 1000), commit_budget_s=plan.commit_budget_s
        )
        service = Service(task(log, settings), settings, reporter, rebuild=plan.rebuild)
        with stopping_on_signals(service):
            reporter.say("starts")
            service.run()
    except SpringtideError as error:
        reporter.say("ended", str(error))
        sys.exit(error.exit_code)
