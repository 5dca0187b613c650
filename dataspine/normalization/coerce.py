"""From a chunk's text columns to canonical columns: each field found, cleaned and given its exact type."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from dataspine.normalization.numbers import TOO_MANY, bare_number, exact_text, integer_from_text, scaled
from dataspine.normalization.times import instants
from dataspine.schemas.codes import Code
from dataspine.schemas.column import Check, Column
from dataspine.schemas.fields import (
    MUST_BE_WHOLE,
    NOT_A_CHOICE,
    NOT_A_NUMBER,
    TOO_MANY_DIGITS,
    ChoiceRule,
    InstantRule,
    NumberRule,
    Rule,
    SymbolRule,
)

if TYPE_CHECKING:
    from dataspine.schemas.source import FieldMap, SourceProfile

ENVELOPE_PREFIX = "envelope:"
KEY_COLUMN = "key:"


@dataclass(frozen=True, slots=True)
class Origin:
    """What is known of a chunk beside its records."""

    payload_sha256: str = ""
    file_values: dict[str, str] = field(default_factory=dict)
    """Values that the `file_name` template took from the document's name."""
    offset: int = 0
    """Records of the payload before this document."""


def canonical_columns(
    frame: pl.DataFrame, profile: SourceProfile, rules: dict[str, Rule], *, origin: Origin
) -> dict[str, Column]:
    """A column for every field of the canonical schema that the profile maps.

    Shapes: frame (n, wire paths + position) -> columns of n.
    """
    columns = {}
    for name, mapping in profile.fields.items():
        found = wire_text(frame, mapping, origin)
        if found.null_count() == frame.height:
            columns[name] = _nothing(found, rules[name], profile.volume)
            continue
        if mapping.const is not None:
            # One record tells of all of them.
            one = _typed(found.head(1), mapping, rules[name], name=name, profile=profile, origin=origin)
            if not any(check.violated.any() for check in one.checks):
                columns[name] = Column(found, one.value.new_from_index(0, frame.height), is_constant=True)
                continue
        columns[name] = _typed(found, mapping, rules[name], name=name, profile=profile, origin=origin)
    return columns


def _nothing(found: pl.Series, rule: Rule, volume: str) -> Column:
    """A field without any value."""
    is_integer = isinstance(rule, InstantRule) or (isinstance(rule, NumberRule) and rule.is_whole(volume))
    return Column(found, found.cast(pl.Int64) if is_integer else found)


def wire_text(frame: pl.DataFrame, mapping: FieldMap, origin: Origin) -> pl.Series:
    """Text of one field as the vendor sent it; null where absent."""
    if mapping.const is not None:
        return _repeat(str(mapping.const), frame.height)
    if mapping.file is not None:
        return _repeat(_named_value(mapping.file, origin.file_values), frame.height)
    if mapping.envelope is not None:
        return _around(frame, ENVELOPE_PREFIX + mapping.envelope)
    if mapping.key:
        return _around(frame, KEY_COLUMN)
    if mapping.generate is not None:
        return origin.payload_sha256[:16] + "-" + (frame["position"] + origin.offset).cast(pl.String)
    if mapping.join is not None:
        return frame.select(pl.concat_str(list(mapping.join), separator=" ")).to_series()
    candidates = [_present(frame[path], mapping.absent) for path in mapping.wire_paths()]
    return candidates[0] if len(candidates) == 1 else pl.select(pl.coalesce(candidates)).to_series()


def _around(frame: pl.DataFrame, name: str) -> pl.Series:
    """A value that stands around the records; null where the document is of a shape that has none."""
    return frame[name] if name in frame.columns else _repeat(None, frame.height)


def _named_value(file: str, values: dict[str, str]) -> str | None:
    """The value of one name, or a text with names in braces filled in."""
    return file.format_map(values) if "{" in file else values.get(file)


def _present(text: pl.Series, absent: tuple[str, ...]) -> pl.Series:
    """Text without the empty text and without the profile's words for "no value"."""
    is_absent = text.is_in(["", *absent]) if absent else text == ""
    return text.set(is_absent, None) if is_absent.any() else text


def _repeat(value: str | None, n: int) -> pl.Series:
    return pl.repeat(value, n, dtype=pl.String, eager=True)


def _typed(
    found: pl.Series, mapping: FieldMap, rule: Rule, *, name: str, profile: SourceProfile, origin: Origin
) -> Column:
    if isinstance(rule, NumberRule):
        return _number(found, mapping, rule, name=name, volume=profile.volume)
    if isinstance(rule, InstantRule):
        day = origin.file_values.get(mapping.day) if mapping.day else None
        return instants(found, mapping, field=name, day=day)
    if isinstance(rule, SymbolRule):
        return _symbol(found, profile)
    return _word(found, mapping, rule, name=name)


def _number(found: pl.Series, mapping: FieldMap, rule: NumberRule, *, name: str, volume: str) -> Column:
    """Canonical decimal text, or Int64 where the rule wants whole numbers."""
    text = found
    if mapping.strip or mapping.thousands or mapping.decimal_comma or mapping.abs:
        text = pl.select(bare_number(pl.lit(found), mapping)).to_series()
    exact = exact_text(text)
    if mapping.scale:
        settled = exact != TOO_MANY
        moved = pl.select(scaled(pl.lit(exact), mapping.scale)).to_series()
        exact = exact_text(moved.zip_with(settled.fill_null(True), exact))
    has_text = found.is_not_null()
    is_number = exact.is_not_null()
    too_many = (exact == TOO_MANY).fill_null(False)
    checks = [
        Check(name, Code.NUMBER_FORMAT, NOT_A_NUMBER, has_text & ~is_number, found),
        Check(name, Code.NUMBER_DIGITS, TOO_MANY_DIGITS, too_many, found),
    ]
    if not rule.is_whole(volume):
        value = exact.set(too_many, None) if too_many.any() else exact
        return Column(found, value, tuple(checks))
    value = pl.select(integer_from_text(pl.lit(exact))).to_series()
    odd = is_number & ~too_many & value.is_null()
    if odd.any():
        is_fraction = exact.str.contains(".", literal=True).fill_null(False)
        # A negative number is named as such first; wholeness is then no news.
        negative = exact.str.starts_with("-").fill_null(False)
        checks.append(Check(name, rule.code, MUST_BE_WHOLE, odd & is_fraction & ~negative, exact))
        checks.append(Check(name, Code.NUMBER_DIGITS, TOO_MANY_DIGITS, odd & ~is_fraction & ~negative, found))
    return Column(exact.zip_with(is_number, found), value, tuple(checks))


def _symbol(found: pl.Series, profile: SourceProfile) -> Column:
    """Canonical symbol by the profile's mapping and case; the contract judges its form."""
    symbology = profile.symbology
    value = found
    if symbology.case == "upper":
        is_ascii = found.str.contains(r"^[\x00-\x7f]*$").fill_null(False)
        value = found.str.to_uppercase().zip_with(is_ascii, found)
    if symbology.mapping:
        value = found.replace(list(symbology.mapping), list(symbology.mapping.values())).zip_with(
            found.is_in(list(symbology.mapping)), value
        )
    return Column(found, value)


def _word(found: pl.Series, mapping: FieldMap, rule: Rule, *, name: str) -> Column:
    """A word, through the profile's table where it has one."""
    if not mapping.values:
        return Column(found, found)
    value = found.replace_strict(
        list(mapping.values), list(mapping.values.values()), default=None, return_dtype=pl.String
    )
    missing = found.is_not_null() & value.is_null()
    if isinstance(rule, ChoiceRule):
        return Column(found, value.zip_with(~missing, found))
    choices = NOT_A_CHOICE.replace("{choices}", ", ".join(mapping.values))
    return Column(found, value, (Check(name, Code.VALUE, choices, missing, found),))
