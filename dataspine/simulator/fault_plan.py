"""Faults as people write them: `NAME@HH:MM` on the command line, a table in TOML; read into a schedule."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from dataspine.clock import us_from_datetime
from dataspine.errors import ConfigError, DataspineError, RequestError
from dataspine.simulator.faults import FAULT_KINDS, FaultKind, FaultName, PlannedFault, Vendor

MAX_DURATION_S = 366 * 86_400
MAX_FAULTS = 1_000
FORM = (
    "[VENDOR.]NAME@[YYYY-MM-DDT]HH:MM[+DURATION][:NUMBER], e.g. server_errors@10:30+5m or aggs.hang@11:00:10"
)
_SPELLED = re.compile(
    r"(?:(?P<vendor>[a-z]+)\.)?(?P<name>[a-z_]+)@(?P<at>(?:[0-9-]{10}T)?[0-9]{2}:[0-9]{2})"
    r"(?:\+(?P<duration>[0-9]+[a-z]))?(?::(?P<number>[0-9]{1,9}))?"
)
_DURATION = re.compile(r"([0-9]{1,8})([smhd])")
_UNIT_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_KEYS = frozenset({"name", "at", "duration", "number", "vendor"})


@dataclass(frozen=True, slots=True)
class FaultCalendar:
    """What gives a time of day its instant."""

    first_day: date
    """The day of a time that names none."""
    zone: str
    """IANA zone of the exchange's clock, in which times are written."""

    def instant_us(self, at: str) -> int:
        """Instant of `HH:MM` or `YYYY-MM-DDTHH:MM`.

        Raises: ValueError if it is neither.
        """
        text = at if "T" in at else f"{self.first_day}T{at}"
        return us_from_datetime(datetime.strptime(text, "%Y-%m-%dT%H:%M").replace(tzinfo=ZoneInfo(self.zone)))


def faults_from_texts(texts: Iterable[str], calendar: FaultCalendar) -> tuple[PlannedFault, ...]:
    """Faults as they stand on the command line.

    Raises: RequestError that names the text and the cure.
    """
    return tuple(_fault_from_text(text, calendar) for text in texts)


def faults_from_toml(path: Path, calendar: FaultCalendar) -> tuple[PlannedFault, ...]:
    """Faults of the `[[fault]]` tables of a file.

    Raises: ConfigError that names the file, the table and the cure.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            "a file of faults must be readable TOML",
            found=str(error),
            where=str(path),
            cure="Write one [[fault]] table a fault",
        ) from error
    tables = document.get("fault", [])
    if document.keys() - {"fault"} or not isinstance(tables, list) or len(tables) > MAX_FAULTS:
        raise ConfigError(
            f"a file of faults has up to {MAX_FAULTS} [[fault]] tables and nothing else",
            found=", ".join(sorted(document)) or "nothing",
            where=str(path),
            cure="See docs/reference/simulator.md",
        )
    return tuple(
        _fault_from_table(table, calendar, where=f"{path}, fault {number}")
        for number, table in enumerate(tables, start=1)
    )


def _fault_from_text(text: str, calendar: FaultCalendar) -> PlannedFault:
    found = _SPELLED.fullmatch(text)
    if found is None:
        raise RequestError("a fault must be spelled like its form", found=text, cure=f"Write {FORM}")
    parts = {key: value for key, value in found.groupdict().items() if value is not None}
    if "number" in parts:
        return _checked({**parts, "number": int(parts["number"])}, calendar, where=text, error=RequestError)
    return _checked(parts, calendar, where=text, error=RequestError)


def _fault_from_table(table: Any, calendar: FaultCalendar, *, where: str) -> PlannedFault:
    if not isinstance(table, dict) or not {"name", "at"} <= table.keys() <= _KEYS:
        raise ConfigError(
            "a fault has name and at, and may have duration, number and vendor",
            found=", ".join(sorted(table)) if isinstance(table, dict) else table,
            where=where,
            cure="See docs/reference/simulator.md",
        )
    return _checked(table, calendar, where=where, error=ConfigError)


def _checked(
    parts: Mapping[str, Any], calendar: FaultCalendar, *, where: str, error: type[DataspineError]
) -> PlannedFault:
    try:
        return _planned(parts, calendar)
    except (ValueError, TypeError) as wrong:
        raise error(
            "a fault cannot be planned", found=str(wrong), where=where, cure=f"Write {FORM}"
        ) from wrong


def _planned(parts: Mapping[str, Any], calendar: FaultCalendar) -> PlannedFault:
    name = _word(FaultName, parts["name"])
    kind = FAULT_KINDS[name]
    vendors = (_word(Vendor, parts["vendor"]),) if "vendor" in parts else kind.vendors
    if not set(vendors) <= set(kind.vendors):
        raise ValueError(f"{name} can happen to {', '.join(kind.vendors)}, not to {vendors[0]}")
    return PlannedFault(
        name,
        start_us=calendar.instant_us(str(parts["at"])),
        duration_s=duration_s(str(parts["duration"])) if "duration" in parts else kind.duration_s,
        parameter=_number(parts.get("number"), kind, name=name),
        vendors=vendors,
    )


def _word(choices: type[FaultName | Vendor], text: Any) -> Any:
    try:
        return choices(text)
    except ValueError:
        raise ValueError(f"{text!a} is none of {', '.join(choices)}") from None


def duration_s(text: str) -> int:
    """Seconds of a duration such as `90s`, `5m`, `2h` or `1d`.

    Raises: ValueError if it is none, or is longer than 366 days.
    """
    found = _DURATION.fullmatch(text)
    seconds = int(found[1]) * _UNIT_S[found[2]] if found else 0
    if not 0 < seconds <= MAX_DURATION_S:
        raise ValueError(f"a duration is like 90s, 5m, 2h or 1d and at most 366 days, not {text}")
    return seconds


def _number(given: Any, kind: FaultKind, *, name: FaultName) -> int:
    if given is None:
        return kind.default
    if not kind.parameter:
        raise ValueError(f"{name} takes no number")
    if isinstance(given, bool) or not isinstance(given, int) or not kind.least <= given <= kind.most:
        raise ValueError(
            f"the number of {name} is {kind.parameter}, {kind.least} to {kind.most}, not {given}"
        )
    return given
