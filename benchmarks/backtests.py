"""The same events without a broker: what shedding costs in quality, and how fast a backtest is."""

import numpy as np

from benchmarks.bench import Messages
from consumers.backtest import Trial, backtest
from consumers.commands.figures import FINAL_LIST
from consumers.settings import Settings
from models.metrics import ndcg


def run(base: Settings, messages: Messages, events: int, share: float) -> Trial:
    """Backtest the first `events` events with one training share."""
    settings = base.model_copy(update={"models": base.models.model_copy(update={"training_share": share})})
    return backtest(settings, messages.batches_of(0, events), batch=1_024, progress=lambda _count: None)


def quality(trial: Trial) -> float:
    """Prequential NDCG@10 of the final list over all events of users met before, as a service's metrics count it."""
    return float(np.mean(ndcg(trial.of(FINAL_LIST)[trial.stream.with_history()])))
