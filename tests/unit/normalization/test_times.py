"""Time columns: declared units, formats and zones, and what is refused instead of guessed."""

from __future__ import annotations

import polars as pl
import pytest

from dataspine.clock import iso_from_us
from dataspine.normalization.times import FAR_US, instants
from dataspine.schemas.column import Column
from dataspine.schemas.source import FieldMap


def read(*texts: str | None, day: str | None = None, **mapping: object) -> Column:
    field = FieldMap.model_validate({"column": "t", **mapping, **({"day": "day"} if day else {})})
    return instants(pl.Series(texts, dtype=pl.String), field, field="timestamp", day=day)


def shown(column: Column) -> list[str | None]:
    return [None if instant_us is None else iso_from_us(instant_us) for instant_us in column.value]


def codes(column: Column) -> list[str]:
    """Codes against the first text."""
    return [str(check.code) for check in column.checks if check.violated[0]]


@pytest.mark.parametrize(
    ("text", "mapping", "expected"),
    [
        ("1112331600000", {"unit": "ms"}, "2005-04-01T05:00:00Z"),
        ("345479400", {"unit": "s"}, "1980-12-12T14:30:00Z"),
        ("1704067200.123456789", {"unit": "s"}, "2024-01-01T00:00:00.123456Z"),
        ("1704067200123456789", {"unit": "ns"}, "2024-01-01T00:00:00.123456Z"),
        ("-1", {"unit": "ns"}, "1970-01-01T00:00:00Z"),
        ("-0.5", {"unit": "s"}, "1969-12-31T23:59:59.500000Z"),
        ("2018-04-12T00:00:00+00:00", {"format": "iso"}, "2018-04-12T00:00:00Z"),
        ("2026-01-09 10:00:00.5-0500", {"format": "iso"}, "2026-01-09T15:00:00.500000Z"),
        ("2026-01-09T10:00", {"format": "iso", "zone": "America/New_York"}, "2026-01-09T15:00:00Z"),
        ("2026-01-09", {"format": "iso", "zone": "America/New_York"}, "2026-01-09T05:00:00Z"),
        (
            "09.01.2026 15:31:02",
            {"format": "%d.%m.%Y %H:%M:%S", "zone": "Europe/Berlin"},
            "2026-01-09T14:31:02Z",
        ),
        ("4/17/2023", {"format": "%m/%d/%Y", "zone": "UTC"}, "2023-04-17T00:00:00Z"),
        (
            "20260109-10:00:00.123",
            {"format": "%Y%m%d-%H:%M:%S.%f", "zone": "UTC"},
            "2026-01-09T10:00:00.123000Z",
        ),
        ("2026-01-09T10:00:00Z", {"format": "%Y-%m-%dT%H:%M:%S%z"}, "2026-01-09T10:00:00Z"),
        ("2026-01-09 10:00:00+0530", {"format": "%F %T%z", "zone": "UTC"}, "2026-01-09T04:30:00Z"),
        ("2026-01-09T15:31:00Z", {"format": "iso", "shift_s": -60}, "2026-01-09T15:30:00Z"),
    ],
)
def test_a_declared_time_is_read(text: str, mapping: dict[str, object], expected: str) -> None:
    """Beside a null and alone."""
    assert shown(read(text, None, **mapping)) == [expected, None]
    assert codes(read(text, **mapping)) == []


@pytest.mark.parametrize(
    ("text", "mapping"),
    [
        ("2026-01-09T10:00:00", {"format": "iso"}),
        ("2026-01-09Z", {"format": "iso", "zone": "UTC"}),
        ("2026-01-09+05:30", {"format": "iso", "zone": "UTC"}),
        ("2026-01-09T23:59:60Z", {"format": "iso"}),
        ("0000-01-01T00:00:00Z", {"format": "iso"}),
        ("1e9", {"unit": "s"}),
        ("１７０４０６７２００", {"unit": "s"}),
        ("2026-01-09T10:00:00Z", {"unit": "ms"}),
        ("2026109", {"format": "%Y%m%d", "zone": "UTC"}),
        (" 20260109", {"format": "%Y%m%d", "zone": "UTC"}),
        ("09.01.26 10:00:00", {"format": "%d.%m.%Y %H:%M:%S", "zone": "UTC"}),
        ("09.01.2026 10:00:60", {"format": "%d.%m.%Y %H:%M:%S", "zone": "UTC"}),
        ("31.02.2026 10:00:00", {"format": "%d.%m.%Y %H:%M:%S", "zone": "UTC"}),
        ("20260109", {"format": "%Y%m%d"}),
    ],
)
def test_another_form_is_refused(text: str, mapping: dict[str, object]) -> None:
    """A time without zone, a pasted offset, a leap second, a date that could be two dates."""
    column = read(text, **mapping)
    assert column.value.to_list() == [None]
    assert codes(column) == ["TIMESTAMP_FORMAT"]


def test_a_neighbour_changes_no_verdict() -> None:
    """A column that is all of one form takes a shorter way to the same result."""
    utc, other = "0000-01-01T00:00:00Z", "2026-01-09T10:00:00+01:00"
    assert codes(read(utc, format="iso")) == codes(read(utc, other, format="iso")) == ["TIMESTAMP_FORMAT"]


def test_a_local_time_that_does_not_exist_is_refused() -> None:
    column = read("2026-03-08T02:30:00", format="iso", zone="America/New_York", fold="earliest")
    assert codes(column) == ["TIMESTAMP_LOCAL"]
    assert "clocks go forward" in column.checks[1].template


def test_a_local_time_that_exists_twice_needs_the_fold() -> None:
    text, zone = "2026-11-01T01:30:00", "America/New_York"
    assert codes(read(text, format="iso", zone=zone)) == ["TIMESTAMP_LOCAL"]
    assert shown(read(text, format="iso", zone=zone, fold="earliest")) == ["2026-11-01T05:30:00Z"]
    assert shown(read(text, format="iso", zone=zone, fold="latest")) == ["2026-11-01T06:30:00Z"]


@pytest.mark.parametrize("text", ["9" * 40, "9223372036854775809"])
def test_a_count_beyond_any_calendar_is_far_not_malformed(text: str) -> None:
    """The range contract names it; nothing overflows."""
    column = read(text, "-" + text, unit="ns")
    assert column.value.to_list() == [FAR_US, -FAR_US]
    assert codes(column) == []


def test_counts_since_midnight_follow_the_wall_clock() -> None:
    """Half past nine is 34,200 s after midnight by the clock, also on the day that has 23 hours."""
    column = read("34200000", "7200000", "86400000", unit="ms", day="20260308", zone="America/New_York")
    assert shown(column) == ["2026-03-08T13:30:00Z", None, None]


@pytest.mark.parametrize("day", ["2026308", "20260308x", "20261301"])
def test_a_day_of_another_form_is_refused(day: str) -> None:
    assert codes(read("0", unit="ms", day=day, zone="UTC")) == ["TIMESTAMP_FORMAT"]


@pytest.mark.parametrize("mapping", [{"format": "iso"}, {"unit": "ms"}, {"format": "%Y%m%d", "zone": "UTC"}])
def test_an_empty_column_stays_empty(mapping: dict[str, object]) -> None:
    assert read(**mapping).value.to_list() == []
