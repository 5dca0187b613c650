"""The calendars that travel with the package: one generated file each, read when it is asked for."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from dataspine.calendars.lookup import Calendar
from dataspine.calendars.session_text import calendar_from_text
from dataspine.errors import RequestError, StorageCorrupt

CALENDARS = {
    "XNYS": "New York Stock Exchange",
    "XNAS": "Nasdaq",
    "XLON": "London Stock Exchange",
    "XETR": "Xetra, Frankfurt",
    "XHKG": "Hong Kong Exchange",
    "XTKS": "Tokyo Stock Exchange",
    "CMES": "CME futures, Chicago",
    "24/7": "every UTC day, e.g. crypto",
    "24/5": "currencies, Sunday 17:00 to Friday 17:00 New York",
}
"""Every calendar by name, and whose it is."""


@cache
def shipped_calendar(name: str) -> Calendar:
    """A calendar as it was shipped.

    Raises: RequestError if there is none of that name; StorageCorrupt if its file was changed.
    """
    check_name(name)
    place = files("dataspine.calendars").joinpath("sessions", file_name(name))
    try:
        return calendar_from_text(place.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise StorageCorrupt(
            f"the shipped calendar cannot be read ({error})", where=str(place), cure="Install dataspine again"
        ) from error


def check_name(name: str) -> None:
    """Refuse a calendar that does not exist.

    Raises: RequestError that lists those that do.
    """
    if name not in CALENDARS:
        raise RequestError(
            "there is no such calendar", found=name, cure="Calendars are " + ", ".join(CALENDARS)
        )


def file_name(name: str) -> str:
    """Name of the file that holds a calendar."""
    return name.replace("/", "-") + ".json"
