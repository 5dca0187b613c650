"""`dataspine simulate`: vendors on this machine that serve a seeded market and fail as they are told."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dataspine.cli.desk import desk_of
from dataspine.cli.output import JsonOption, emit_line, narrate, say_line
from dataspine.clock import iso_from_us
from dataspine.errors import RequestError

if TYPE_CHECKING:
    from dataspine.simulator.simulation import Simulation

EXAMPLE_SYMBOLS = 3
"""Symbols whose bars are shown as addresses for people."""
_STOPPING = (signal.SIGINT, signal.SIGTERM)

Seed = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Decides the whole market.")]
Day = Annotated[
    str | None,
    typer.Option("--date", metavar="DAY", help="First session. Default: the last one before today."),
]
Days = Annotated[int, typer.Option("--days", metavar="N", min=1, max=260, help="Sessions that are played.")]
Symbols = Annotated[
    int, typer.Option("--symbols", metavar="N", min=1, max=500, help="Instruments of the market.")
]
Speed = Annotated[
    str,
    typer.Option(
        "--speed", metavar="SPEED", help="60x plays a minute in a second; live plays the machine's own time."
    ),
]
Start = Annotated[
    str | None, typer.Option("--start", metavar="HH:MM", help="New York time to begin at. Default: the open.")
]
Port = Annotated[int, typer.Option("--port", metavar="N", min=0, max=65_535, help="0 takes a free one.")]
DropDir = Annotated[
    Path | None, typer.Option("--drop-dir", metavar="DIR", help="Drop executions here as CSV.")
]
Style = Annotated[
    str, typer.Option("--drop-style", metavar="STYLE", help="How files appear: rename, done or growing.")
]
DropEvery = Annotated[
    str, typer.Option("--drop-every", metavar="DURATION", help="Simulated time whose fills share a file.")
]
Faults = Annotated[
    list[str] | None,
    typer.Option("--fault", metavar="FAULT", help="NAME@HH:MM[+DURATION][:NUMBER]; may be repeated."),
]
FaultsFile = Annotated[
    Path | None, typer.Option("--faults", metavar="FILE", help="More faults, as [[fault]] tables in TOML.")
]
Truth = Annotated[
    Path | None,
    typer.Option("--ground-truth", metavar="FILE", help="Append each fault that is played, as JSON lines."),
]
Key = Annotated[
    str, typer.Option("--api-key", metavar="KEY", help="What the aggregates API wants as apiKey.")
]
PerMinute = Annotated[
    int, typer.Option("--requests-per-minute", metavar="N", min=0, help="Limit of each vendor; 0 for none.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("simulate")(simulate)


def simulate(
    context: typer.Context,
    *,
    seed: Seed = 1,
    day: Day = None,
    days: Days = 1,
    symbols: Symbols = 20,
    speed: Speed = "60x",
    start: Start = None,
    port: Port = 0,
    drop_dir: DropDir = None,
    drop_style: Style = "rename",
    drop_every: DropEvery = "30m",
    fault: Faults = None,
    faults: FaultsFile = None,
    ground_truth: Truth = None,
    api_key: Key = "simulator",
    requests_per_minute: PerMinute = 0,
    as_json: JsonOption = False,
) -> None:
    """Serve a seeded market on 127.0.0.1 until Ctrl-C: a quote API, an aggregates API, and files of executions.

    Same seed, symbols, faults and simulated instant, same bytes. With --json the first line on stdout is a document
    with every address.
    """
    from dataspine.simulator.options import SimulationOptions, plan_from_options
    from dataspine.simulator.simulation import running

    clock = desk_of(context).clock
    options = SimulationOptions(
        seed=seed,
        day=_day(day),
        days=days,
        symbols=symbols,
        speed=speed,
        start=start,
        port=port,
        drop_dir=drop_dir,
        drop_style=drop_style,
        drop_every=drop_every,
        faults=tuple(fault or ()),
        faults_file=faults,
        truth=ground_truth,
        api_key=api_key,
        requests_per_minute=requests_per_minute,
    )
    plan = plan_from_options(options, clock=clock)
    with running(plan, clock=clock) as simulation, _stopped_by_signals(simulation):
        _announce(simulation, as_json=as_json)
        simulation.stopped.wait()
    if simulation.failures:
        raise simulation.failures[0]
    narrate("stopped")


@contextmanager
def _stopped_by_signals(simulation: Simulation) -> Iterator[None]:
    """Let Ctrl-C and a service manager end the simulation as it should end."""
    before = {number: signal.signal(number, lambda *_: simulation.stopped.set()) for number in _STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _announce(simulation: Simulation, *, as_json: bool) -> None:
    if as_json:
        emit_line(_document(simulation))
        return
    plan = simulation.plan
    days = [session.day.isoformat() for session in plan.sessions]
    say_line(f"quotes      {simulation.quotes_url}")
    for ticker in plan.tickers[:EXAMPLE_SYMBOLS]:
        say_line(f"aggregates  {simulation.bars_url(ticker.symbol, days[0], days[-1])}?apiKey=...")
    if plan.drop:
        say_line(f"executions  {plan.drop.folder} ({plan.drop.style})")
    pace = "live" if plan.speed is None else f"at {plan.speed:g}x"
    say_line(f"market      seed {plan.seed}, {len(plan.tickers)} symbols, {days[0]} to {days[-1]}, {pace}")
    say_line(f"time        {iso_from_us(simulation.market_clock.now_us())}")
    for fault in plan.schedule.faults:
        say_line(f"fault       {fault.name} {iso_from_us(fault.start_us)} to {iso_from_us(fault.end_us)}")
    narrate("Ctrl-C stops it")


def _document(simulation: Simulation) -> dict[str, Any]:
    plan = simulation.plan
    return {
        "origin": simulation.origin,
        "quotes_url": simulation.quotes_url,
        "aggregates_url": simulation.bars_url("{ticker}", "{from}", "{to}"),
        "drop_dir": str(plan.drop.folder) if plan.drop else None,
        "drop_style": str(plan.drop.style) if plan.drop else None,
        "ground_truth": str(plan.truth) if plan.truth else None,
        "seed": plan.seed,
        "symbols": [ticker.symbol for ticker in plan.tickers],
        "sessions": [session.day.isoformat() for session in plan.sessions],
        "speed": plan.speed,
        "simulated_at": iso_from_us(simulation.market_clock.now_us()),
        "faults": [
            {
                "name": str(fault.name),
                "start": iso_from_us(fault.start_us),
                "end": iso_from_us(fault.end_us),
                "parameter": fault.parameter,
                "vendors": [str(vendor) for vendor in fault.vendors],
            }
            for fault in plan.schedule.faults
        ],
    }


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise RequestError("--date must be a day", found=text, cure="Write it like 2026-01-05") from error
