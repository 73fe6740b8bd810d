"""``python -m benchmarks``: all runs one after the other, a table, and a JSON file."""

import tempfile
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import scaling
from benchmarks.backtests import quality, run
from benchmarks.bench import Messages
from benchmarks.report import Report, Rounds, machine
from benchmarks.throughput import PACED_ROUNDS, Plan, Throughput, task_settings, throughput
from consumers.commands.reporting import start_broker
from consumers.files.reading import EventFile, by_time
from consumers.files.synthetic import DESCRIPTION, synthetic
from consumers.settings import Settings

_SHED = 0.05  # the share down to which training is shed under load
_SMALL = 10_000
_FASTEST = 5_000  # events/s at half load


class Stage(StrEnum):
    """What can be measured alone."""

    BROKER = "broker"
    BACKTEST = "backtest"
    SCALING = "scaling"


def main(
    out: Annotated[Path, typer.Option(help="Where the figures go, as JSON.")],
    file: Annotated[Path | None, typer.Option(help="Events to replay.", show_default="a synthetic stream")] = None,
    unseen: Annotated[bool, typer.Option("--unseen", help="No item is recommended again, as for ratings.")] = False,
    warm_up: Annotated[int, typer.Option(min=1_000, help="Events learned before anything is measured.")] = 40_000,
    chunk: Annotated[int, typer.Option(min=100, help="Events of a round.")] = 6_000,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each loop.")] = 5,
    paced: Annotated[float, typer.Option(min=0, help="Seconds of a round at half load.")] = 6.0,
    large: Annotated[int, typer.Option(min=_SMALL + 1, help="Users, and items, of the large states.")] = 1_000_000,
    only: Annotated[list[Stage] | None, typer.Option(help="Leave out the other stages.", show_default="all")] = None,
) -> None:
    """Measure springtide against the bare loop, against itself without load, and against its own size."""
    console, report = Console(soft_wrap=True), Report(out)
    stages = only or list(Stage)
    plan = Plan(warm_up, chunk, rounds, paced)
    base = Settings().with_overrides(repeats="never" if unseen else None, seed=None)
    latest = plan.events + PACED_ROUNDS * round(paced * _FASTEST)
    messages = Messages(synthetic(latest) if file is None else by_time(EventFile(file, limit=latest)), base)
    if len(messages) < plan.events:
        message = f"The stream has {len(messages):,} events: lower --warm-up, --chunk or --rounds to fit into them."
        raise typer.BadParameter(message)
    report.note("machine", machine())
    report.note("stream", {"name": DESCRIPTION if file is None else file.name, "measured_events": plan.events})
    served: Throughput | None = None
    if Stage.BROKER in stages:
        served = _broker(base, messages, plan, report, console)
    if Stage.BACKTEST in stages:
        _backtests(base, messages, plan.events, served, report, console.print)
    if Stage.SCALING in stages:
        _scaling(large, report, console.print)
    console.print(report.table())


def _broker(base: Settings, messages: Messages, plan: Plan, report: Report, console: Console) -> Throughput:
    """Measure on a broker: shed as under load, with every event trained on, and with one list a user and batch."""
    with tempfile.TemporaryDirectory(prefix="springtide-bench-") as folder_name:
        folder = Path(folder_name)
        broker = start_broker(None, None, console)
        try:

            def measured(name: str, plan: Plan, share: float, *, coalesce: bool = False) -> Throughput:
                (folder / name).mkdir()
                settings = task_settings(broker.bootstrap, name, folder / name, base, share=share, coalesce=coalesce)
                return throughput(settings, messages, plan, folder / name, console.print)

            shed = measured("shed", plan, _SHED)
            report.add("throughput_ratio", shed.full.over(shed.bare), ">= 0.5")
            report.add("training_share", _SHED)
            report.add("events_per_s", shed.full)
            report.add("bare_events_per_s", shed.bare)
            for q in ("p50", "p99") if shed.waits else ():
                full, bare = shed.waits[f"full_{q}_s"], shed.waits[f"bare_{q}_s"]
                report.add(f"latency_{q}_ratio", full.over(bare), "<= 1.5")
                report.add(f"latency_{q}_s", full)
                report.add(f"bare_latency_{q}_s", bare)
                report.add(f"freshness_{q}_s", shed.waits[f"fresh_{q}_s"], "<= 1" if q == "p99" else "")
                if (network := shed.waits.get(f"fresh_network_{q}_s")) is not None:
                    report.add(f"network_freshness_{q}_s", network)
            report.add("cold_start_s", shed.cold_start_s, "<= 10")
            report.note("microseconds_an_event_by_stage", shed.stages_us)
            short = Plan(plan.warm_up // 4, plan.chunk, 2)
            whole = measured("whole", short, 1.0)
            report.add("throughput_ratio_all_trained", whole.full.over(whole.bare))
            coalesced = measured("coalesced", short, _SHED, coalesce=True)
            report.add("throughput_ratio_coalesced", coalesced.full.over(coalesced.bare))
            return shed
        finally:
            broker.stop()


def _backtests(
    base: Settings,
    messages: Messages,
    events: int,
    served: Throughput | None,
    report: Report,
    say: Callable[[str], None],
) -> None:
    """Measure the same events without a broker."""
    say(f"backtests of {events:,} events, with and without shedding")
    whole, shed = run(base, messages, events, 1.0), run(base, messages, events, _SHED)
    report.add("backtest_events_per_s", len(shed) / shed.seconds, ">= 2,000")
    report.add("backtest_events_per_s_all_trained", len(whole) / whole.seconds, ">= 400")
    report.add("ndcg", quality(whole))
    report.add("ndcg_ratio", (quality(shed) if served is None else served.ndcg) / quality(whole), ">= 0.97")


def _scaling(large: int, report: Report, say: Callable[[str], None]) -> None:
    """Measure cost and memory of many users, and of as many items besides."""
    say(f"filling states of {_SMALL:,} and {large:,} users, then of as many items too")
    report.note("large", large)
    users, both = scaling.compared(_SMALL, large, scaling.BEST_KNOWN), scaling.compared(_SMALL, large)
    report.add("event_cost_1m_users_over_10k", users.events, "<= 1.2")
    report.add("list_cost_1m_over_10k", both.lists, "<= 2")
    report.add("event_cost_1m_users_and_items_over_10k", both.events)
    items = {name: size - users.bytes_each[name] for name, size in both.bytes_each.items()}
    for what, each in (("user", users.bytes_each), ("item", items)):
        report.note(f"bytes_per_{what}_by_table", {name: round(size, 1) for name, size in each.items() if size >= 1})
        report.add(f"bytes_per_{what}", sum(each.values()), "<= 2,048")
    report.add("snapshot_pause_ms", Rounds.of(pause * 1_000 for pause in users.pause_s.values), "<= 100")


if __name__ == "__main__":
    typer.run(main)
