"""What is asked of a vendor for one partition: the placeholders of a path, URL and parameters, filled in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote
from zoneinfo import ZoneInfo

from dataspine.clock import us_from_datetime
from dataspine.errors import ConfigError

if TYPE_CHECKING:
    from dataspine.calendars.lookup import Calendar
    from dataspine.schemas.source import SourceProfile

DAY_NAMES = ("date", "start", "end")
"""Placeholders of the partition's day; `{date:%Y%m%d}` writes it in another form."""
_PLACEHOLDER = re.compile(r"\{(date|start|end|symbols|symbol)(?::([^{}]*))?\}")


def has_day(profile: SourceProfile) -> bool:
    """Whether what is asked depends on the day; a source of which it does not cannot be backfilled."""
    return bool(_names(profile).intersection(DAY_NAMES))


def has_symbol(profile: SourceProfile) -> bool:
    """Whether every symbol is asked for by itself."""
    return "symbol" in _names(profile)


def day_of_partition(partition: str, calendar: Calendar | None, *, zone: str) -> date:
    """The session date of a partition: its own, or that of the planned instant of a live fire."""
    if "T" not in partition:
        return date.fromisoformat(partition)
    instant = datetime.fromisoformat(partition)
    if calendar is not None:
        session = calendar.session_of(us_from_datetime(instant))
        if session is not None:
            return session.day
    return instant.astimezone(ZoneInfo(calendar.zone if calendar else zone)).date()


def asked(profile: SourceProfile, day: date, symbols: Sequence[str]) -> Iterator[SourceProfile]:
    """The profile with its placeholders filled: once, or once for each symbol.

    Raises: ConfigError if symbols are asked for and none is named.
    """
    names = _names(profile)
    if not names.isdisjoint(("symbol", "symbols")) and not symbols:
        raise ConfigError(
            "the source asks for symbols and names none",
            where=f"sources.{profile.name}.symbols",
            cure='Write symbols = ["AAPL", "MSFT"]',
        )
    for symbol in symbols if "symbol" in names else ("",):
        values: dict[str, str | date] = {"symbol": symbol, "symbols": ",".join(symbols)}
        values |= dict.fromkeys(DAY_NAMES, day)
        yield _filled(profile, values)


def _filled(profile: SourceProfile, values: dict[str, str | date]) -> SourceProfile:
    params = {name: _text(text, values, _as_is) for name, text in profile.http.params.items()}
    return profile.model_copy(
        update={
            "path": None if profile.path is None else _text(profile.path, values, _as_is),
            "url": None if profile.url is None else _text(profile.url, values, _quoted),
            "http": profile.http.model_copy(update={"params": params}),
        }
    )


def _text(text: str, values: dict[str, str | date], encode: Callable[[str], str]) -> str:
    def value_of(found: re.Match[str]) -> str:
        value = values[found[1]]
        if isinstance(value, date):
            return encode(value.strftime(found[2]) if found[2] else value.isoformat())
        return encode(value)

    return _PLACEHOLDER.sub(value_of, text)


def _quoted(value: str) -> str:
    return quote(value, safe=",:")


def _as_is(value: str) -> str:
    return value


def _names(profile: SourceProfile) -> set[str]:
    texts = [profile.path or "", profile.url or "", *profile.http.params.values()]
    return {found[1] for text in texts for found in _PLACEHOLDER.finditer(text)}
