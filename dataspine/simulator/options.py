"""From what an operator types to a simulation's plan: sessions, speed, start, faults and files."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

from dataspine.calendars.lookup import Calendar, Session
from dataspine.calendars.shipped import shipped_calendar
from dataspine.clock import Clock, datetime_from_us
from dataspine.errors import RequestError
from dataspine.simulator.drop import DropPlan, DropStyle
from dataspine.simulator.fault_plan import FaultCalendar, duration_s, faults_from_texts, faults_from_toml
from dataspine.simulator.faults import FaultSchedule
from dataspine.simulator.simulation import DEFAULT_KEY, SimulationPlan
from dataspine.simulator.tickers import tickers

EXCHANGE = "XNYS"
MAX_SPEED = 100_000
Given = TypeVar("Given")
Made = TypeVar("Made")
_LIVE = "live"
_SPEED = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)x")


@dataclass(frozen=True, slots=True)
class SimulationOptions:
    """A simulation as it is asked for."""

    seed: int = 1
    day: date | None = None
    """First session, or the first one after it; without it the last session that is over, or when live today's."""
    days: int = 1
    symbols: int = 20
    speed: str = "60x"
    """Simulated seconds a second, or `live`."""
    start: str | None = None
    """Time of day on the exchange's clock at which a simulation that is not live begins; without it the open."""
    port: int = 0
    drop_dir: Path | None = None
    drop_style: str = DropStyle.RENAME
    drop_every: str = "30m"
    faults: tuple[str, ...] = ()
    faults_file: Path | None = None
    truth: Path | None = None
    api_key: str = DEFAULT_KEY
    requests_per_minute: int = 0


def plan_from_options(
    options: SimulationOptions, *, clock: Clock, calendar: Calendar | None = None
) -> SimulationPlan:
    """The plan, everything checked; `calendar` is New York's as it was shipped unless it is given.

    Raises: RequestError and ConfigError that name the option and the cure; OutsideCalendar.
    """
    calendar = calendar or shipped_calendar(EXCHANGE)
    speed = _speed(options.speed)
    sessions = _sessions(options, calendar, now_us=clock.now_us(), is_live=speed is None)
    dates = FaultCalendar(sessions[0].day, calendar.zone)
    return SimulationPlan(
        seed=options.seed,
        tickers=_checked(tickers, options.symbols, option="--symbols"),
        calendar=calendar,
        sessions=sessions,
        start_us=_start_us(options, sessions[0], dates, is_live=speed is None),
        speed=speed,
        schedule=_schedule(options, dates),
        port=options.port,
        api_key=options.api_key,
        requests_per_minute=options.requests_per_minute,
        drop=_drop(options),
        truth=options.truth,
    )


def _speed(text: str) -> float | None:
    found = _SPEED.fullmatch(text)
    if text == _LIVE:
        return None
    if found is None or not 0 < float(found[1]) <= MAX_SPEED:
        raise RequestError(
            f"--speed must be live or up to {MAX_SPEED}x", found=text, cure="Write it like 60x"
        )
    return float(found[1])


def _sessions(
    options: SimulationOptions, calendar: Calendar, *, now_us: int, is_live: bool
) -> tuple[Session, ...]:
    """As many sessions as are wanted, from the first day on."""
    if is_live and options.day:
        raise RequestError(
            "a live simulation takes the machine's date", found=options.day, cure="Leave --date out"
        )
    today = datetime_from_us(now_us).astimezone(ZoneInfo(calendar.zone)).date()
    first = options.day or (today if is_live else calendar.session_before(today).day)
    session = calendar.session(first) if calendar.is_session(first) else calendar.session_after(first)
    sessions = [session]
    while len(sessions) < options.days:
        sessions.append(calendar.session_after(sessions[-1].day))
    return tuple(sessions)


def _start_us(options: SimulationOptions, first: Session, dates: FaultCalendar, *, is_live: bool) -> int:
    if options.start is None:
        return first.open_us
    if is_live:
        raise RequestError("a live simulation begins now", found=options.start, cure="Leave --start out")
    return _checked(dates.instant_us, options.start, option="--start")


def _schedule(options: SimulationOptions, dates: FaultCalendar) -> FaultSchedule:
    from_file = faults_from_toml(options.faults_file, dates) if options.faults_file else ()
    return FaultSchedule((*from_file, *faults_from_texts(options.faults, dates)))


def _drop(options: SimulationOptions) -> DropPlan | None:
    if options.drop_dir is None:
        return None
    style = _checked(DropStyle, options.drop_style, option="--drop-style")
    return DropPlan(options.drop_dir, style, _checked(duration_s, options.drop_every, option="--drop-every"))


def _checked(make: Callable[[Given], Made], value: Given, *, option: str) -> Made:
    """What `make` makes of an option's value; what it refuses is the operator's to mend."""
    try:
        return make(value)
    except ValueError as error:
        raise RequestError(
            f"{option} cannot be used", found=str(error), cure="See `dataspine simulate --help`"
        ) from error
