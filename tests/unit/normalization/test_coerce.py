"""Text columns to canonical columns: where a field comes from, and what is done to it by declaration."""

from __future__ import annotations

import polars as pl
import pytest

from dataspine.normalization.coerce import Origin, canonical_columns, wire_text
from dataspine.schemas.source import FieldMap, Kind, SourceProfile
from dataspine.validation.contracts import rules_of

FRAME = pl.DataFrame(
    {
        "position": [1, 2],
        "a": ["x", ""],
        "b": [None, "y"],
        "date": ["2026-01-09", None],
        "time": ["10:00", "11:00"],
        "envelope:ticker": ["AAPL", "AAPL"],
        "key:": ["K1", "K2"],
    }
)


def text(**mapping: object) -> list[str | None]:
    origin = Origin("0123456789abcdef" * 4, {"symbol": "spy"}, offset=10)
    return wire_text(FRAME, FieldMap.model_validate(mapping), origin).to_list()


@pytest.mark.parametrize(
    ("mapping", "expected"),
    [
        ({"column": "a"}, ["x", None]),
        ({"column": ["b", "a"]}, ["x", "y"]),
        ({"column": "time", "absent": ["10:00"]}, [None, "11:00"]),
        ({"join": ["date", "time"]}, ["2026-01-09 10:00", None]),
        ({"const": 60}, ["60", "60"]),
        ({"file": "symbol"}, ["spy", "spy"]),
        ({"file": "other"}, [None, None]),
        ({"envelope": "ticker"}, ["AAPL", "AAPL"]),
        ({"key": True}, ["K1", "K2"]),
        ({"generate": "ordinal"}, ["0123456789abcdef-11", "0123456789abcdef-12"]),
    ],
)
def test_each_origin_gives_its_text(mapping: dict[str, object], expected: list[str | None]) -> None:
    assert text(**mapping) == expected


def canonical(values: dict[str, list[str | None]], **table: object) -> dict[str, list[object]]:
    """Canonical values of a market frame whose columns are named as the fields."""
    fields = {name: {"column": name} for name in ("symbol", "price", "volume")} | table.pop("fields", {})
    profile = SourceProfile.model_validate(
        {"name": "desk", "kind": "market", "format": "csv", "fields": fields, **table}
    )
    frame = pl.DataFrame(values, schema=dict.fromkeys(values, pl.String)).with_row_index("position", offset=1)
    columns = canonical_columns(frame, profile, rules_of(Kind.MARKET), origin=Origin())
    return {name: column.value.to_list() for name, column in columns.items()}


GOOD = {"symbol": ["AAPL"], "price": ["1.50"], "volume": ["5.0"]}


def test_a_price_is_canonical_text_and_a_volume_an_integer() -> None:
    assert canonical(GOOD) == {"symbol": ["AAPL"], "price": ["1.5"], "volume": [5]}


def test_a_decimal_volume_is_text() -> None:
    assert canonical({**GOOD, "volume": ["28053.196533"]}, volume="decimal")["volume"] == ["28053.196533"]


def test_ten_thousandths_are_divided_exactly() -> None:
    fields = {"price": {"column": "price", "scale": 4}}
    assert canonical({**GOOD, "price": ["1502501"]}, fields=fields)["price"] == ["150.2501"]


@pytest.mark.parametrize(
    ("symbology", "symbol", "expected"),
    [
        ({"case": "upper"}, "brk.b", "BRK.B"),
        ({"case": "upper"}, "ß", "ß"),
        ({"case": "exact"}, "brk.b", "brk.b"),
        ({"mapping": {"US0378331005": "AAPL"}}, "US0378331005", "AAPL"),
        ({"mapping": {"aapl": "AAPL"}, "case": "upper"}, "aapl", "AAPL"),
    ],
)
def test_a_symbol_becomes_what_the_symbology_says(
    symbology: dict[str, object], symbol: str, expected: str
) -> None:
    assert canonical({**GOOD, "symbol": [symbol]}, symbology=symbology)["symbol"] == [expected]


def test_an_upper_case_symbology_leaves_nulls_alone() -> None:
    found = canonical({name: [*values, None] for name, values in GOOD.items()}, symbology={"case": "upper"})
    assert found["symbol"] == ["AAPL", None]
