"""What a run would read: every source, when, and the objects that are there now; nothing is read or stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from dataspine.errors import DataspineError, RequestError

if TYPE_CHECKING:
    from dataspine.schemas.source import SourceProfile
    from dataspine.service.desk import Desk


@dataclass(frozen=True, slots=True)
class PlannedSource:
    """One source of a run."""

    source: str
    schedule: str | None
    """Cron, or None for a source that is only read when somebody asks."""
    object_names: tuple[str, ...]
    error: DataspineError | None = None
    """Why its objects cannot be listed."""


def plan_run(desk: Desk, *, schedule: str | None = None) -> list[PlannedSource]:
    """Each configured source; `schedule` stands in for the sources' own.

    Raises: RequestError if no source is configured; ConfigError.
    """
    from dataspine.service.ingest import requested_profiles

    return [
        _planned(desk, profile, schedule or profile.schedule)
        for profile in requested_profiles(desk, (), take_all=True)
    ]


def days_between(start: str | None, end: str | None) -> list[date]:
    """The days of a backfill, both ends included.

    Raises: RequestError if an end is missing or no day, or they are in the wrong order.
    """
    first, last = _day(start, "--start"), _day(end, "--end")
    if first > last:
        raise RequestError("--start must not be after --end", found=f"{first} and {last}")
    return [date.fromordinal(day) for day in range(first.toordinal(), last.toordinal() + 1)]


def _day(text: str | None, option: str) -> date:
    try:
        return date.fromisoformat(text or "")
    except ValueError as error:
        raise RequestError(
            f"{option} must be a day", found=text or "nothing", cure="Write it like 2026-01-09"
        ) from error


def _planned(desk: Desk, profile: SourceProfile, schedule: str | None) -> PlannedSource:
    from dataspine.service.ingest import transports_of
    from dataspine.service.sources import location

    # A page of a URL is only known by reading the one before it.
    if profile.url:
        return PlannedSource(profile.name, schedule, (location(profile),))
    try:
        names = tuple(
            fetched.object_name for transport in transports_of(desk, profile) for fetched in transport.fetch()
        )
    except DataspineError as error:
        return PlannedSource(profile.name, schedule, (), error)
    return PlannedSource(profile.name, schedule, names)
