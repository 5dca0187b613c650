"""Placeholders of a source, filled for one partition."""

from __future__ import annotations

from datetime import date

import pytest

from dataspine.calendars.shipped import shipped_calendar
from dataspine.engine.partition import asked, day_of_partition, has_day, has_symbol
from dataspine.errors import ConfigError
from tests.unit.engine.engine_builder import bars_profile

DAY = date(2026, 1, 9)


def filled(symbols: tuple[str, ...] = (), **keys: object) -> list[str | None]:
    return [profile.url or profile.path for profile in asked(bars_profile(**keys), DAY, symbols)]


def test_day_is_filled_in_each_form():
    url = "https://vendor.test/{start}/{end}?d={date:%Y%m%d}"
    assert filled(url=url) == ["https://vendor.test/2026-01-09/2026-01-09?d=20260109"]


def test_symbol_is_asked_for_one_by_one_and_quoted():
    url = "https://vendor.test/{symbol}/{date}"
    assert filled(("AAPL", "BRK/B"), url=url) == [
        "https://vendor.test/AAPL/2026-01-09",
        "https://vendor.test/BRK%2FB/2026-01-09",
    ]


def test_symbols_are_asked_for_together():
    assert filled(("A", "B"), url="https://vendor.test/{date}?s={symbols}") == [
        "https://vendor.test/2026-01-09?s=A,B"
    ]


def test_parameters_are_filled_too():
    profile = bars_profile(url="https://vendor.test/", http={"params": {"from": "{start}", "key": "env:KEY"}})
    (found,) = asked(profile, DAY, ())
    assert found.http.params == {"from": "2026-01-09", "key": "env:KEY"}
    assert has_day(profile)


def test_path_is_filled():
    assert filled(path="drop/{date:%Y}/bars_{date}.csv") == ["drop/2026/bars_2026-01-09.csv"]


def test_other_braces_stay():
    assert filled(path="drop/{day}_{x}.csv") == ["drop/{day}_{x}.csv"]
    assert not has_day(bars_profile(path="drop/{day}.csv"))


def test_a_source_without_symbols_is_named():
    with pytest.raises(ConfigError, match="asks for symbols and names none"):
        filled(url="https://vendor.test/{symbol}")


def test_has_symbol():
    assert has_symbol(bars_profile(url="https://vendor.test/{symbol}"))
    assert not has_symbol(bars_profile(url="https://vendor.test/{symbols}"))


@pytest.mark.parametrize(
    ("partition", "calendar", "zone", "expected"),
    [
        ("2026-01-09", None, "UTC", "2026-01-09"),
        ("2026-01-09T23:30:00Z", None, "UTC", "2026-01-09"),
        ("2026-01-09T23:30:00Z", None, "Asia/Tokyo", "2026-01-10"),
        # Between two sessions the exchange's own date counts.
        ("2026-01-10T01:00:00Z", "XNYS", "UTC", "2026-01-09"),
        # A futures session opens on the evening before its date.
        ("2026-01-08T23:30:00Z", "CMES", "UTC", "2026-01-09"),
    ],
)
def test_day_of_partition(partition, calendar, zone, expected):
    known = shipped_calendar(calendar) if calendar else None
    assert str(day_of_partition(partition, known, zone=zone)) == expected
