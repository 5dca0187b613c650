"""Vendor fields and type converters: taken from presets and models, exact, and never guessing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from dataspine.normalization.mappings import (
    EPOCH_UNITS,
    MARKET_FIELD_MAPPINGS,
    TRADE_FIELD_MAPPINGS,
    TYPE_CONVERTERS,
    WORDS,
    instant_from_epoch,
)
from dataspine.presets import load_presets
from dataspine.schemas.market_data import MarketData
from dataspine.schemas.trade_data import TradeData


def test_every_preset_column_is_mapped() -> None:
    """A preset's new column reaches the library without another table."""
    for preset in load_presets().values():
        mappings = MARKET_FIELD_MAPPINGS if preset["kind"] == "market" else TRADE_FIELD_MAPPINGS
        for name, table in preset["fields"].items():
            paths = table.get("column", table.get("envelope", []))
            for path in [paths] if isinstance(paths, str) else paths:
                assert mappings[path] == name, path


@pytest.mark.parametrize(
    ("vendor_field", "field"),
    [
        ("latestPrice", "price"),
        ("latestUpdate", "timestamp"),
        ("T", "symbol"),
        ("c", "price"),
        ("v", "volume"),
        ("ticker", "symbol"),
    ],
)
def test_vendors_known_fields_are_mapped(vendor_field: str, field: str) -> None:
    assert MARKET_FIELD_MAPPINGS[vendor_field] == field


def test_a_canonical_name_comes_before_vendors_names() -> None:
    """A record with `price` and `close` has said which one is the price."""
    order = [name for name, field in MARKET_FIELD_MAPPINGS.items() if field == "price"]
    assert order == ["price", "latestPrice", "c", "close"]


def test_units_and_words_are_those_of_the_presets() -> None:
    assert EPOCH_UNITS == {"latestUpdate": "ms", "t": "ms"}
    assert WORDS["side"]["B"] == "BUY"


def test_every_canonical_field_has_a_converter() -> None:
    assert TYPE_CONVERTERS.keys() == MarketData.model_fields.keys() | TradeData.model_fields.keys()


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("price", "150.250", Decimal("150.25")),
        ("price", 150.1, Decimal("150.1")),
        ("price", Decimal("12345678.123456789"), Decimal("12345678.123456789")),
        ("price", "1e3", Decimal(1000)),
        ("volume", 642646396.0, 642646396),
        ("volume", "0.5", Decimal("0.5")),
        ("timestamp", "2026-01-09T10:00:00+01:00", datetime(2026, 1, 9, 9, tzinfo=UTC)),
        (
            "timestamp",
            datetime(2026, 1, 9, 10, tzinfo=timezone(timedelta(hours=1))),
            datetime(2026, 1, 9, 9, tzinfo=UTC),
        ),
        ("symbol", "aapl", "aapl"),
        ("trade_id", 12, "12"),
        ("side", "Buy", "BUY"),
        ("side", 2, "SELL"),
        ("side", "SHORT", "SHORT"),
        ("exec_type", "CANCEL", "CANCEL"),
    ],
)
def test_a_value_is_converted_exactly(field: str, value: object, expected: object) -> None:
    found = TYPE_CONVERTERS[field](value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("price", "１５０"),
        ("price", True),
        ("price", float("nan")),
        ("price", "9" * 21),
        ("price", None),
        ("volume", 10**500),
        ("timestamp", "2026-01-09T10:00:00"),
        ("timestamp", datetime(2026, 1, 9)),  # noqa: DTZ001 - a naive time is what is refused
        ("timestamp", 1704067200),
        ("timestamp", "9999-12-31T23:59:59-23:59"),
        ("symbol", 700),
        ("trade_id", 1.5),
        ("trade_id", True),
        ("side", None),
    ],
)
def test_what_has_no_exact_value_is_an_error(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        TYPE_CONVERTERS[field](value)


@pytest.mark.parametrize("value", ["1e12", "x", "", True, None, "１", "9" * 100, 10**30, float("inf")])
def test_what_is_no_count_of_a_unit_is_an_error(value: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        instant_from_epoch(value, "ms")


def test_a_count_is_cut_at_the_microsecond() -> None:
    assert instant_from_epoch("1999", "ns") == datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
    assert instant_from_epoch(1704067200123.5, "ms") == datetime(2024, 1, 1, 0, 0, 0, 123500, tzinfo=UTC)
