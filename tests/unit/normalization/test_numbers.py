"""Number columns: canonical text, ornaments that a profile declares, and scale."""

from __future__ import annotations

import polars as pl
import pytest

from dataspine.normalization.numbers import TOO_MANY, bare_number, exact_text, integer_from_text, scaled
from dataspine.schemas.source import FieldMap


def exact(*texts: str | None) -> list[str | None]:
    return exact_text(pl.Series(texts, dtype=pl.String)).to_list()


def bare(text: str, **mapping: object) -> str:
    field = FieldMap.model_validate({"column": "x", **mapping})
    return pl.select(bare_number(pl.lit(pl.Series([text])), field)).item()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("150.25", "150.25"),
        ("150.250", "150.25"),
        ("642646396.0", "642646396"),
        ("007", "7"),
        ("0.00", "0"),
        ("-0.0", "-0"),
        ("1e3", "1000"),
        ("-2.637591265E-4", "-0.0002637591265"),
        ("9" * 20, "9" * 20),
        ("9" * 21, TOO_MANY),
        ("0." + "1" * 18, "0." + "1" * 18),
        ("0." + "1" * 19, TOO_MANY),
        ("0." + "1" * 18 + "0", "0." + "1" * 18),
        ("1e5000000", TOO_MANY),
        ("0e5000000", "0"),
        ("9" * 5000, TOO_MANY),
    ],
)
def test_a_number_has_one_text(text: str, expected: str) -> None:
    """Alone, and beside one that is canonical already."""
    assert exact(text) == [expected]
    assert exact("1", text, None) == ["1", expected, None]


@pytest.mark.parametrize(
    "text", ["1.", ".5", "+1", "1,5", "１", "NaN", "inf", "1_0", "0x1", "1\n", " 1", "--1", ""]
)
def test_what_is_no_number_is_none(text: str) -> None:
    assert exact(text, "2") == [None, "2"]


@pytest.mark.parametrize(
    ("text", "mapping", "expected"),
    [
        ("$73.7789", {"strip": ["$"]}, "73.7789"),
        ("-$3320.05", {"strip": ["$"]}, "-3320.05"),
        ("$-5", {"strip": ["$"]}, "-5"),
        ("89,162.28 SEK", {"strip": [" SEK"], "thousands": ","}, "89162.28"),
        ("-32.052,00 €", {"strip": ["€"], "thousands": ".", "decimal_comma": True}, "-32052.00"),
        ("267,10\u00a0€", {"strip": ["€"], "decimal_comma": True}, "267.10"),
        ("-1200", {"abs": True}, "1200"),
        ("1200", {"abs": True}, "1200"),
    ],
)
def test_declared_ornaments_are_dropped(text: str, mapping: dict[str, object], expected: str) -> None:
    assert bare(text, **mapping) == expected


def test_an_ornament_inside_the_digits_stays() -> None:
    """`1$5` is no 15: the sign is dropped around a number, not within it."""
    assert exact(bare("1$5", strip=["$"])) == [None]


def test_a_second_decimal_mark_is_no_number() -> None:
    """With a decimal comma, a point that is not declared as grouping is an error."""
    assert exact(bare("1.234,5", decimal_comma=True)) == [None]


@pytest.mark.parametrize(
    ("text", "places", "expected"),
    [("1502500", 4, "150.25"), ("5", 4, "0.0005"), ("-15", 1, "-1.5"), ("0", 2, "0"), ("12.5", 2, "0.125")],
)
def test_scale_moves_the_point(text: str, places: int, expected: str) -> None:
    moved = pl.select(scaled(pl.lit(pl.Series([text])), places)).to_series()
    assert exact_text(moved).to_list() == [expected]


def test_integers_are_whole_and_within_64_bits() -> None:
    texts = pl.Series(["5", "-5", "1.5", str(2**63 - 1), str(2**63), None])
    assert pl.select(integer_from_text(pl.lit(texts))).to_series().to_list() == [
        5,
        -5,
        None,
        2**63 - 1,
        None,
        None,
    ]
