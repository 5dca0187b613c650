"""The engine in a process of its own, a workspace for it, and what a backfill must leave behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from dataspine.calendars.shipped import shipped_calendar
from dataspine.clock import SystemClock
from dataspine.errors import StorageError
from dataspine.schemas.audit_event import Actor, Channel
from dataspine.service.desk import Desk
from dataspine.store.workspace import open_for_reading
from tests.loopback import reply
from tests.simulation.stored import assert_sound, stored_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.loopback import Behaviour, Loopback
    from tests.simulation.stored import Stored

ROOT = Path(__file__).resolve().parents[2]
FIRST_DAY = date(2026, 1, 5)
SYMBOLS = ("AAPL", "MSFT")
BARS_A_DAY = 60
DEADLINE_S = 90.0
_STARTED: list[subprocess.Popen[str]] = []


def sessions_from(first: date, number: int) -> list[date]:
    """The first sessions of New York's exchange from a day on."""
    calendar = shipped_calendar("XNYS")
    return [session.day for session in calendar.sessions if session.day >= first][:number]


def bars(day: date, *, seed: int = 0) -> bytes:
    """A day of minute bars, some of them wrong in a way that makes letters, always the same."""
    lines = ["symbol,timestamp,close,volume"]
    for place in range(BARS_A_DAY):
        for symbol in SYMBOLS:
            price = (
                "-1" if place == day.day else f"{100 + (place * 7 + day.day + seed) % 50}.{place % 100:02d}"
            )
            lines.append(f"{symbol},{day}T15:{place:02d}:00Z,{price},{100 + place}")
    return "\n".join(lines).encode() + b"\n"


def serve_days(loopback: Loopback, days: list[date], *, slow_s: float = 0.0) -> str:
    """Serve each day's bars; the URL with a placeholder."""
    for day in days:
        loopback.serve(f"/bars/{day}", slowly(reply(bars(day)), slow_s))
    return loopback.url("/bars/{date}")


def slowly(behaviour: Behaviour, slow_s: float) -> Behaviour:
    """The same answer, later."""

    def behave(exchange) -> None:
        exchange.loopback.stopping.wait(slow_s)
        behaviour(exchange)

    return behave


def configure(home: Path, sources: dict[str, dict[str, object]]) -> Desk:
    """A workspace with these sources of `generic_bars`, and an operator's desk at it."""
    home.mkdir(mode=0o700, exist_ok=True)
    lines = []
    for name, keys in sources.items():
        lines += [f"[sources.{name}]", 'preset = "generic_bars"']
        lines += [f"{key} = {_toml(value)}" for key, value in keys.items()]
    (home / "dataspine.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Desk(home, SystemClock(), Actor("tester", Channel.LIBRARY))


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    return json.dumps(value)


def started_engine(home: Path, *arguments: str) -> subprocess.Popen[str]:
    """`dataspine run --mode live` in a process of its own."""
    return started("run", "--mode", "live", *arguments, home=home)


def started(*arguments: str, home: Path) -> subprocess.Popen[str]:
    """A command that is running."""
    command = [sys.executable, "-m", "dataspine", "--home", str(home), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment)
    _STARTED.append(process)
    return process


def end_all() -> None:
    """Kill whatever a test that failed has left running, stopped ones too."""
    for process in _STARTED:
        if process.poll() is None:
            process.kill()
        process.communicate()
    _STARTED.clear()


def ended(process: subprocess.Popen[str], *, timeout_s: float = DEADLINE_S) -> tuple[int, str, str]:
    """Exit code, output and errors of a process, awaited."""
    output, errors = process.communicate(timeout=timeout_s)
    return process.returncode, output, errors


def wait_for(
    desk: Desk, query: str, expected: object, *, process: subprocess.Popen[str] | None = None
) -> None:
    """Look until the first cell of a query's first row is as expected, or at least that if it is a number."""
    clock = SystemClock()
    deadline_s = clock.monotonic_s() + DEADLINE_S
    while not _is_there(cell(desk, query), expected):
        assert clock.monotonic_s() < deadline_s, f"it never came to {expected}: {cell(desk, query)}"
        if process is not None and process.poll() is not None:
            raise AssertionError(process.communicate())
        clock.sleep_s(0.02)


def _is_there(found: object, expected: object) -> bool:
    if isinstance(expected, int) and isinstance(found, int):
        return found >= expected
    return found == expected


def cell(desk: Desk, query: str) -> object:
    """The first cell of a query's first row; None while the database is being made."""
    try:
        with desk.reading() as database:
            row = database.one(query)
    except StorageError:
        return None
    return None if row is None else row[0]


def wait_until(condition: Callable[[], bool]) -> None:
    """Look again and again until it is so."""
    clock = SystemClock()
    deadline_s = clock.monotonic_s() + DEADLINE_S
    while not condition():
        assert clock.monotonic_s() < deadline_s, "it never came to that"
        clock.sleep_s(0.02)


@dataclass(frozen=True, slots=True)
class Left:
    """What a backfill leaves, whatever happened on the way."""

    stored: Stored
    digest: object
    slices: list[tuple[object, ...]]


def left_of(desk: Desk, source: str, job_id: int) -> Left:
    """Content, digests and states; the file is whole and the audit chain holds."""
    with open_for_reading(desk.home) as database:
        assert_sound(database, desk.home)
        slices = database.rows(
            "SELECT slice_no, partition, state, digest, rows_read, rejected FROM job_slices WHERE job_id = ?"
            " ORDER BY slice_no",
            (job_id,),
        )
        digest = database.one("SELECT digest FROM jobs WHERE job_id = ?", (job_id,))
        assert digest is not None
        return Left(stored_of(database, source), digest[0], slices)
