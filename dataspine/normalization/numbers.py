"""Number columns: vendor's text to canonical decimal text and Decimal(38, 18), never through a float."""

from __future__ import annotations

import re

import polars as pl

from dataspine.schemas.fields import EXACT_PATTERN, NUMBER_PATTERN, canonical_number
from dataspine.schemas.source import FieldMap

DECIMAL = pl.Decimal(38, 18)
_BLANKS = " \u00a0\u202f"
_PLAIN_PATTERN = r"^-?[0-9]{1,60}(\.[0-9]{1,60})?$"
TOO_MANY = "too many digits"
"""Stands for a number that is well formed but too long, until the contract names it."""


def bare_number(text: pl.Expr, mapping: FieldMap) -> pl.Expr:
    """The vendor's text without the ornaments that the profile declares: signs of currency, grouping, comma."""
    if mapping.strip:
        ornaments = "(" + "|".join(re.escape(ornament) for ornament in mapping.strip) + ")"
        text = text.str.replace(f"^(-?)([{_BLANKS}]*{ornaments})+", "${1}").str.replace(
            f"({ornaments}[{_BLANKS}]*)+$", ""
        )
        text = text.str.strip_chars(_BLANKS)
    if mapping.thousands:
        text = text.str.replace_all(mapping.thousands, "", literal=True)
    if mapping.decimal_comma:
        # A point that is left over once grouping is gone would be a second decimal mark.
        text = pl.when(text.str.contains(".", literal=True)).then(text + "?").otherwise(text)
        text = text.str.replace(",", ".", literal=True)
    if mapping.abs:
        text = text.str.strip_prefix("-")
    return text


def scaled(text: pl.Expr, places: int) -> pl.Expr:
    """The number divided by ten to the `places`, by moving the point in its text.

    Only for canonical text (see `exact_text`), so an exponent never reaches this.
    """
    sign = pl.when(text.str.starts_with("-")).then(pl.lit("-")).otherwise(pl.lit(""))
    body = text.str.strip_prefix("-")
    whole = body.str.replace(r"\..*$", "").str.zfill(places + 1)
    fraction = body.str.extract(r"\.(.*)$", 1).fill_null("")
    return sign + whole.str.head(-places) + "." + whole.str.tail(places) + fraction


def exact_text(text: pl.Series) -> pl.Series:
    """Canonical text of each number; `TOO_MANY` for too many digits, None for what is no number.

    Shapes: (n,) String -> (n,) String; nulls stay null. Most texts are canonical already and cost one regex, others
    carry needless zeros; what is left (exponents, far too long, no numbers) is settled once per distinct text.
    """
    is_odd = ~text.str.contains(EXACT_PATTERN).fill_null(True)
    if not is_odd.any():
        return text
    return text.clone().scatter(is_odd.arg_true(), _settled(text.filter(is_odd)))


def _settled(text: pl.Series) -> pl.Series:
    """Canonical text of texts that are not canonical yet."""
    bare = _without_needless_zeros(text)
    is_exact = bare.str.contains(EXACT_PATTERN)
    if is_exact.all():
        return bare
    odd = bare.filter(~is_exact).unique()
    settled = [_settle(value) for value in odd.to_list()]
    return bare.replace(odd, pl.Series(settled, dtype=pl.String))


def _without_needless_zeros(text: pl.Series) -> pl.Series:
    """Plain numbers of moderate length without zeros that say nothing; any other text as it is."""
    bare = text
    if text.str.contains(r"^-?0[0-9]").any():
        bare = bare.str.replace(r"^(-?)0+([0-9])", "${1}${2}")
    shorter = bare.str.strip_chars_end("0").str.strip_chars_end(".")
    bare = shorter.zip_with(bare.str.contains(".", literal=True), bare)
    return bare.zip_with(text.str.contains(_PLAIN_PATTERN), text)


def decimal_from_text(exact: pl.Expr) -> pl.Expr:
    """Decimal(38, 18) of canonical text; null where `exact_text` left no number."""
    return exact.cast(DECIMAL, strict=False)


def integer_from_text(exact: pl.Expr) -> pl.Expr:
    """Int64 of canonical text; null where it is no whole number or exceeds 64 bits."""
    return exact.cast(pl.Int64, strict=False)


def _settle(text: str) -> str | None:
    try:
        exact = canonical_number(text)
    except ValueError:
        return None
    return TOO_MANY if exact is None else exact


__all__ = [
    "DECIMAL",
    "NUMBER_PATTERN",
    "TOO_MANY",
    "bare_number",
    "decimal_from_text",
    "exact_text",
    "integer_from_text",
    "scaled",
]
