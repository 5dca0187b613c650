"""Health: whether the engine lives and every source fares well, for a probe that asks often."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from dataspine.errors import DataspineError

if TYPE_CHECKING:
    from dataspine.schemas.job import SourceHealth
    from dataspine.service.desk import Desk
    from dataspine.service.engine import EngineState


class Verdict(IntEnum):
    """How it is, and the exit code of it."""

    OK = 0
    DEGRADED = 1
    """The engine works, but something needs an operator."""
    FAILED = 2
    """No engine works, or the workspace cannot be read."""


@dataclass(frozen=True, slots=True)
class Health:
    """How a workspace fares."""

    verdict: Verdict
    problems: tuple[str, ...]
    """What is wrong, worst first."""
    engine: EngineState | None = None
    """None where the database cannot be read."""
    sources: tuple[SourceHealth, ...] = ()
    dead_tasks: int = 0


def health_of(desk: Desk) -> Health:
    """How a workspace fares; a database that cannot be read is an answer, too."""
    from dataspine.service.engine import engine_state
    from dataspine.store import jobs, source_health

    try:
        engine = engine_state(desk)
        with desk.reading() as database:
            sources = tuple(source_health.every(database.connection))
            dead = jobs.dead_count(database.connection)
    except DataspineError as error:
        return Health(Verdict.FAILED, (str(error),))
    problems = [*_source_problems(sources)]
    if dead:
        problems.append(f"{dead} tasks were given up; `dataspine jobs list --dead`")
    verdict = Verdict.DEGRADED if problems else Verdict.OK
    if not engine.is_alive:
        verdict = Verdict.FAILED
        problems.insert(0, _engine_problem(engine))
    return Health(verdict, tuple(problems), engine, sources, dead)


def _source_problems(sources: tuple[SourceHealth, ...]) -> list[str]:
    worst_first = sorted(sources, key=lambda health: (health.state != "failed", health.source))
    return [
        f"{health.source} is {health.state} after {health.failures} failures: {health.last_error}"
        for health in worst_first
        if health.state != "ok"
    ]


def _engine_problem(engine: EngineState) -> str:
    if engine.lease is None or not engine.lease.owner:
        return "no engine runs; start one with `dataspine run --mode live`"
    age = "" if engine.beat_age_s is None else f" for {engine.beat_age_s:.0f} s"
    return f"the engine {engine.lease.owner} has given no sign of life{age}; it has died or stands still"
