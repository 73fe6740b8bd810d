import gc
from pathlib import Path

import pytest

from consumers.commands import run
from consumers.pipeline import Pipeline
from consumers.service import Service
from consumers.settings import Metrics, Settings, State
from stream.memory import MemoryBroker, MemoryLog


def test_what_a_start_leaves_is_never_searched_for_garbage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exempt, pipelines = [0], [-1]

    def led(_service: Service[Pipeline]) -> None:
        exempt.append(gc.get_freeze_count())
        gc.unfreeze()
        pipelines.append(sum(type(one) is Pipeline for one in gc.get_objects()))

    gc.collect()
    before = sum(type(one) is Pipeline for one in gc.get_objects())
    monkeypatch.setattr(run, "KafkaLog", lambda *_: MemoryLog(MemoryBroker("in", 1)))
    monkeypatch.setattr(Service, "run", led)
    settings = Settings(state=State(dir=tmp_path), metrics=Metrics(enabled=False))
    run.run(settings, settings.topics())
    assert exempt[-1] > 100_000, "modules, mostly"
    assert pipelines[-1] == before, "the one that rehearsed is not kept"
