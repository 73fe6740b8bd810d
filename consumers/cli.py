"""The command line: names, options and exit codes, nothing else.

Each command imports what it needs when it runs, so that ``springtide --help`` is there at once. What springtide raises
on purpose ends as one sentence on stderr and the exit code of its class; Ctrl-C ends with 130 and says nothing.
"""

# ruff: noqa: PLC0415  # imports inside the commands: see above

import signal
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console

from stream.errors import SpringtideError

if TYPE_CHECKING:
    from consumers.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_WIDE = 160

Config = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file.", show_default="./springtide.toml, where there is one"),
]
Columns = Annotated[
    str, typer.Option(help="Columns that are not recognised: user=uid,item=track,time=at.", show_default=False)
]
Preset = Annotated[
    str | None,
    typer.Option(
        help="Kind of stream, which says where fields stand and what events mean: shop, news, music, video, checkins "
        "or social.",
        show_default="preset",
    ),
]
Limit = Annotated[int | None, typer.Option(min=1, help="Read only so many events.", show_default=False)]
From = Annotated[
    Path | None,
    typer.Option("--from", help="Begin with this checkpoint of pretrain.", show_default="network.checkpoint"),
]
Seed = Annotated[int | None, typer.Option(min=0, help="Seed of all random numbers.", show_default="models.seed")]


def main() -> None:
    """Run the command line."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        app()
    except SpringtideError as error:
        Console(stderr=True, soft_wrap=True).print(str(error), markup=False, highlight=False)
        sys.exit(error.exit_code)


def _terminate(_signal: int, _frame: object) -> NoReturn:
    """Leave on SIGTERM as on Ctrl-C: through every clean-up."""
    raise KeyboardInterrupt


def _version(asked: bool) -> None:
    if asked:
        typer.echo(version("springtide"))
        raise typer.Exit


@app.callback()
def springtide(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Recommend from a stream and learn from it: Kafka in, learned lists out, exactly once."""


def _console() -> Console:
    """Where to show things: as wide as the terminal, and wide enough for whole names where there is none."""
    return Console() if sys.stdout.isatty() else Console(width=_WIDE)


def _settings(config: Path | None, preset: str | None = None) -> "Settings":
    from consumers.configuration import load

    return load(config, preset)


@app.command()
def demo(
    events: Annotated[int, typer.Option(min=1, help="End after so many events.")] = 20_000,
    file: Annotated[
        Path | None, typer.Option(help="Play this file instead of the synthetic stream.", show_default=False)
    ] = None,
    columns: Columns = "",
    rate: Annotated[float | None, typer.Option(min=0.1, help="Events a second.", show_default="as they come")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the synthetic stream.")] = 1,
) -> None:
    """Kafka, a stream, the recommender and its lists in one command; leaves nothing behind."""
    from consumers.commands.demo import demo as run_demo
    from consumers.files.reading import EventFile, parse_columns

    played = None if file is None else EventFile(file, parse_columns(columns), events)
    run_demo(played, events=events, rate=rate, seed=seed, console=_console())


@app.command()
def broker(
    data: Annotated[
        Path | None, typer.Option(help="Keep topics in this folder.", show_default="a temporary one")
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port on 127.0.0.1.")] = 9092,
) -> None:
    """Run an embedded Apache Kafka until Ctrl-C."""
    from consumers.commands.reporting import serve_broker

    serve_broker(data, port, _console())


@app.command()
def run(
    config: Config = None,
    preset: Preset = None,
    begin: From = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Begin a new state from what the input topic still has.")
    ] = False,
) -> None:
    """Read interactions, learn, and publish lists, until Ctrl-C."""
    from stream.topics import ensure_topics

    settings = _settings(config, preset).with_overrides(checkpoint=begin)
    topics = ensure_topics(settings.kafka.connection(), settings.topics())  # before all that takes seconds to load

    from consumers.commands.run import run as run_service

    run_service(settings, topics, rebuild=rebuild)


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="CSV, TSV, JSON lines (all also .gz) or Parquet.")],
    config: Config = None,
    preset: Preset = None,
    columns: Columns = "",
    limit: Limit = None,
    rate: Annotated[
        float | None, typer.Option(min=0.001, help="Events a second.", show_default="as fast as it goes")
    ] = None,
    speed: Annotated[
        float | None, typer.Option(min=0.001, help="Event time at this multiple of its speed.", show_default=False)
    ] = None,
    sort: Annotated[bool, typer.Option("--sort", help="Sort by time first, in memory.")] = False,
    ids: Annotated[
        bool,
        typer.Option(
            help="Name events FILENAME:ROW (without the folder), so that a row sent twice is noticed; another file of "
            "the same name would be taken for the same rows: rename it, or --no-ids."
        ),
    ] = True,
) -> None:
    """Send a file to the input topic."""
    from consumers.commands.replay import Pace, replay_file
    from consumers.files.reading import EventFile, parse_columns

    events = EventFile(file, parse_columns(columns), limit)
    replay_file(_settings(config, preset), events, Pace(rate, speed), ids=ids, sort=sort, console=_console())


@app.command()
def tail(
    config: Config = None,
    user: Annotated[str | None, typer.Option(help="Only the lists of this user.", show_default=False)] = None,
    from_start: Annotated[bool, typer.Option("--from-start", help="Begin with the oldest list that is kept.")] = False,
    json: Annotated[bool, typer.Option("--json", help="The messages, one a line.")] = False,
) -> None:
    """Watch the lists that go out, until Ctrl-C."""
    from consumers.commands.tail import tail as show

    show(_settings(config), user=user, from_start=from_start, as_json=json, console=_console())


@app.command()
def backtest(
    file: Annotated[Path, typer.Argument(help="CSV, TSV, JSON lines (all also .gz) or Parquet.")],
    config: Config = None,
    preset: Preset = None,
    columns: Columns = "",
    limit: Limit = None,
    unseen: Annotated[
        bool, typer.Option("--unseen", help="Never offer an item twice: for ratings (serving.repeats = never).")
    ] = False,
    seed: Seed = None,
    batch: Annotated[int, typer.Option(min=1, help="Events of a transaction.")] = 32,
    floors: Annotated[
        bool, typer.Option("--floors", help="Measure ten counting baselines too, and the list against the best.")
    ] = False,
    seeds: Annotated[int, typer.Option(min=1, help="So many runs, each with the next seed: mean and spread.")] = 1,
    ablate: Annotated[
        bool,
        typer.Option(
            "--ablate", help="Measure the lists without each part, such as a family of experts: what it is worth."
        ),
    ] = False,
    without: Annotated[
        list[str] | None,
        typer.Option("--without", help="As --ablate, but this part alone, such as sequence.", show_default=False),
    ] = None,
    update_every: Annotated[
        str | None,
        typer.Option(help="Learn late: when event time passes a multiple of this, such as 1d.", show_default=False),
    ] = None,
    freeze_after: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Learn nothing more after this share of the stream.", show_default=False),
    ] = None,
    items: Annotated[
        Path | None,
        typer.Option(help="What is told of items: a message a line (docs/messages.md, also .gz).", show_default=False),
    ] = None,
    begin: From = None,
    freeze_network: Annotated[
        bool, typer.Option("--freeze-network", help="With --from: the network learns nothing more.")
    ] = False,
    json: Annotated[Path | None, typer.Option(help="Write all figures to this file.", show_default=False)] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw curves and slices to this .svg or .png.", show_default=False)
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write a page with everything to this .html.", show_default=False)
    ] = None,
) -> None:
    """Measure the recommender on a file, event by event: test, then learn."""
    from consumers.commands.backtest import Plan, measure
    from consumers.files.reading import EventFile, parse_columns
    from consumers.measuring.variants import Variant, update_period

    late = None if update_every is None else update_period(update_every)
    variant = Variant(late, freeze_after, ablate, tuple(without or ()), freeze_network)
    plan = Plan(batch, variant, floors, seeds, items, json, plot, report)
    events = EventFile(file, parse_columns(columns), limit)
    settings = _settings(config, preset).with_overrides(
        repeats="never" if unseen else None, seed=seed, checkpoint=begin
    )
    if items is not None and settings.items.topic is None:
        settings = settings.with_overrides(items_topic="items")
    measure(settings, events, plan, _console())


@app.command()
def pretrain(
    file: Annotated[Path, typer.Argument(help="CSV, TSV, JSON lines (all also .gz) or Parquet.")],
    to: Annotated[Path, typer.Option("--to", help="Where the checkpoint goes, such as network.safetensors.")],
    config: Config = None,
    preset: Preset = None,
    columns: Columns = "",
    limit: Limit = None,
    seed: Seed = None,
    passes: Annotated[int, typer.Option(min=1, help="At most so many over the file.")] = 20,
) -> None:
    """Train the network on history, for run --from to begin with."""
    from consumers.commands.pretrain import train
    from consumers.files.reading import EventFile, parse_columns

    events = EventFile(file, parse_columns(columns), limit)
    train(_settings(config, preset).with_overrides(seed=seed), events, to, passes, _console())


@app.command()
def clean(
    file: Annotated[Path, typer.Argument(help="CSV, TSV, JSON lines (all also .gz) or Parquet.")],
    config: Config = None,
    preset: Preset = None,
    columns: Columns = "",
    limit: Limit = None,
    json: Annotated[Path | None, typer.Option(help="Write all findings to this file.", show_default=False)] = None,
) -> None:
    """Show what of a file would be dropped or changed, and why; sends nothing and changes nothing."""
    import time

    from consumers.commands.clean import clean as inspect_file
    from consumers.files.reading import EventFile, parse_columns

    events = EventFile(file, parse_columns(columns), limit, lenient=True)
    inspect_file(_settings(config, preset), events, time.time_ns() // 1_000_000, json, _console())


@app.command()
def topics(
    config: Config = None,
    create: Annotated[bool, typer.Option("--create", help="Make those that are missing.")] = False,
) -> None:
    """Check the topics of the task, and show them as they are."""
    from consumers.commands.reporting import report_topics

    report_topics(_settings(config), create=create, console=_console())


dlq = typer.Typer(no_args_is_help=True)
app.add_typer(dlq, name="dlq", help="What became dead letters, and sending it again.")


@dlq.command("list")
def dlq_list(
    config: Config = None,
    json: Annotated[bool, typer.Option("--json", help="One group a line.")] = False,
) -> None:
    """Show the dead letters by reason: how many, since when, and which were sent again."""
    from consumers.commands.dlq import list_dead_letters

    list_dead_letters(_settings(config), as_json=json, console=_console())


@dlq.command("replay")
def dlq_replay(
    config: Config = None,
    reason: Annotated[
        list[str] | None, typer.Option(help="Only those of this reason; may be given again.", show_default="all")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent, and send nothing.")] = False,
) -> None:
    """Send dead letters to the input topic again, each once, after what was wrong is mended."""
    from consumers.commands.dlq import replay_dead_letters

    replay_dead_letters(_settings(config), reason or (), dry_run=dry_run, console=_console())


@app.command()
def audit(
    config: Config = None,
    preset: Preset = None,
    begin: Annotated[
        Path | None, typer.Option("--from", help="Begin at this snapshot.", show_default="the oldest in state.dir")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The findings as JSON.")] = False,
) -> None:
    """Follow the journal from an old snapshot to the newest one, and compare the states; changes nothing."""
    from consumers.commands.audit import audit as run_audit

    run_audit(_settings(config, preset), begin, as_json=json, console=_console())


@app.command()
def reset(config: Config = None) -> None:
    """Set the committed offsets to where the journal ends, where somebody has moved them."""
    from consumers.commands.reset import reset as run_reset

    run_reset(_settings(config), _console())


@app.command()
def config(config: Config = None, preset: Preset = None) -> None:
    """Print the settings that are in effect; passwords are in files and stay there."""
    from consumers.configuration import to_toml

    typer.echo(to_toml(_settings(config, preset)), nl=False)


if __name__ == "__main__":
    main()
