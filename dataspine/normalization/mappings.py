"""Field names and types of vendors' records: taken from the presets and the models, so that they are said once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import partial
from types import MappingProxyType

from dataspine.presets import load_presets
from dataspine.schemas.fields import (
    EPOCH,
    ChoiceRule,
    InstantRule,
    NumberRule,
    Rule,
    SymbolRule,
    canonical_number,
    datetime_from_iso,
    found_text,
    number_text,
)
from dataspine.schemas.models import MODELS
from dataspine.schemas.source import FieldMap, Kind

_EPOCH_TEXT = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_EPOCH_CHARS = 64
_UNIT_US = {"s": Fraction(1_000_000), "ms": Fraction(1_000), "us": Fraction(1), "ns": Fraction(1, 1_000)}


def _preset_fields(kind: Kind) -> list[tuple[str, str, FieldMap]]:
    """Vendor field, canonical field and its mapping, over all presets of a kind, best origin of a field first."""
    found = []
    for preset in load_presets().values():
        if preset["kind"] != kind:
            continue
        for name, table in preset["fields"].items():
            mapping = FieldMap.model_validate(table)
            paths = (*mapping.wire_paths(), *filter(None, [mapping.envelope]))
            found += [(path, name, mapping) for path in paths]
    return found


def _field_mappings(kind: Kind) -> Mapping[str, str]:
    """Vendor field to canonical field; the canonical names first, they stand for themselves."""
    own = {name: name for name in MODELS[kind].model_fields}
    return MappingProxyType(own | {path: name for path, name, _ in _preset_fields(kind)})


MARKET_FIELD_MAPPINGS: Mapping[str, str] = _field_mappings(Kind.MARKET)
"""Vendor's field to field of `MarketData`. Of several that a record has, the first in this order counts."""

TRADE_FIELD_MAPPINGS: Mapping[str, str] = _field_mappings(Kind.TRADE)
"""Vendor's field to field of `TradeData`."""

EPOCH_UNITS: Mapping[str, str] = MappingProxyType(
    {path: mapping.unit for kind in Kind for path, _, mapping in _preset_fields(kind) if mapping.unit}
)
"""Vendor's time field to the unit it counts since 1970; any other field's number is no time."""

WORDS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {name: mapping.values for _, name, mapping in _preset_fields(Kind.TRADE) if mapping.values}
)
"""Canonical field to the words that vendors use and ours for them."""


def exact_decimal(value: object) -> Decimal:
    """The number, every digit kept; a float counts as the shortest decimal that names it.

    Raises: ValueError if it is no plain ASCII decimal number, or has more than 20 and 18 digits.
    """
    exact = canonical_number(number_text(value, "value"))
    if exact is None:
        raise ValueError(
            f"a number has at most 20 digits before the point and 18 after it, got {found_text(value)}"
        )
    return Decimal(exact)


def exact_number(value: object) -> int | Decimal:
    """The number, an int where it is whole.

    Raises: ValueError as `exact_decimal`.
    """
    number = exact_decimal(value)
    return int(number) if number == number.to_integral_value() else number


def utc_instant(value: object) -> datetime:
    """The instant in UTC of an aware datetime or an ISO 8601 text with offset; digits past the microsecond are cut off.

    Raises: ValueError if it is neither, or out of the years 1 to 9999.
    """
    instant = datetime_from_iso(value, "value") if isinstance(value, str) else value
    if not isinstance(instant, datetime) or instant.tzinfo is None:
        raise ValueError(
            f"an instant is an aware datetime or ISO 8601 text with an offset, got {found_text(value)}"
        )
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"an instant lies in the years 1 to 9999, got {value}") from error


def instant_from_epoch(value: object, unit: str) -> datetime:
    """The instant in UTC of a count since 1970; digits past the microsecond are cut off.

    Raises: ValueError if it is no plain decimal number, or out of the years 1 to 9999.
    """
    text = number_text(value, "value")
    if len(text) > _EPOCH_CHARS or not _EPOCH_TEXT.fullmatch(text):
        raise ValueError(f"an epoch time is a plain count of {unit}, got {found_text(value)}")
    try:
        return EPOCH + timedelta(microseconds=int(Fraction(text) * _UNIT_US[unit]))
    except OverflowError as error:
        raise ValueError(f"an instant lies in the years 1 to 9999, got {text}") from error


def identifier(value: object) -> str:
    """The text; a whole number counts as its digits, as it does on the wire.

    Raises: ValueError if it is neither.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(exact_decimal(value))
    raise ValueError(f"an identifier is text, got {found_text(value)}")


def plain_text(value: object) -> str:
    """The text, untouched: a symbol that came as a number has lost its leading zeros.

    Raises: ValueError if it is no text.
    """
    if not isinstance(value, str):
        raise ValueError(f"text is needed, got {found_text(value)}")  # noqa: TRY004 - as its siblings
    return value


def canonical_word(value: object, *, words: Mapping[str, str]) -> str:
    """Our word for the vendor's; one that the table does not have stays, and the contract judges it.

    Raises: ValueError if it is no text.
    """
    text = identifier(value)
    return words.get(text, text)


def _converter(name: str, rule: Rule) -> Callable[[object], object]:
    if isinstance(rule, NumberRule):
        return exact_decimal if rule.whole == "never" else exact_number
    if isinstance(rule, InstantRule):
        return utc_instant
    if isinstance(rule, ChoiceRule):
        return partial(canonical_word, words=WORDS.get(name, {}))
    return plain_text if isinstance(rule, SymbolRule) else identifier


TYPE_CONVERTERS: Mapping[str, Callable[[object], object]] = MappingProxyType(
    {name: _converter(name, rule) for model in MODELS.values() for name, rule in model.rules().items()}
)
"""Canonical field to the function that gives one value its exact type, or raises ValueError."""
