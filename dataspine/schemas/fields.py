"""The rules a canonical field can carry, each declared once on a model and judged in two ways.

Here a rule judges one Python value; `validation.contracts` compiles the same rule into column expressions. Both give
the same code and the same words: the message templates below are shared, `{}` stands for what was found.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, NoReturn

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from dataspine.schemas.codes import Code
from dataspine.schemas.source import ContractLimits, Symbology

MAX_INTEGER_DIGITS = 20
MAX_FRACTION_DIGITS = 18
MAX_INT64 = 2**63 - 1
FOUND_CHARS = 80
"""Characters of a found value that a message shows."""

NUMBER_PATTERN = r"^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
"""ASCII only: Python and Polars both take other scripts' digits for `\\d`."""
EXACT_PATTERN = r"^-?(0|[1-9][0-9]{0,19})(\.[0-9]{0,17}[1-9])?$"
"""Numbers that are already canonical and within the digit limits."""

ISO_PATTERN = (
    r"^[0-9]{4}-[01][0-9]-[0-3][0-9]"
    r"([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?"
    r"(Z|[+-]([01][0-9]|2[0-3]):?[0-5][0-9])?)?$"
)
"""ISO 8601 calendar date, optional time to the nanosecond with optional offset; no leap second, no week date."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(NUMBER_PATTERN)
_ISO = re.compile(ISO_PATTERN)
_MAX_EXPONENT_CHARS = 5
_MAX_NUMBER_CHARS = 400

NOT_A_NUMBER = "{field} must be a plain decimal number, got {}"
TOO_MANY_DIGITS = "{field} must have at most 20 digits before the point and 18 after it, got {}"
MUST_BE_POSITIVE = "{field} must be positive, got {}"
MUST_NOT_BE_NEGATIVE = "{field} must not be negative, got {}"
MUST_BE_WHOLE = "{field} must be whole, got {}"
IS_REQUIRED = "{field} is required, got nothing"
NOT_AN_INSTANT = "{field} must be an ISO 8601 time with a UTC offset, got {}"
TOO_EARLY = "{field} is before the earliest plausible day, got {}"
TOO_LATE = "{field} is too far in the future, got {}"
NOT_A_SYMBOL = "{field} does not fit the symbology, got {}"
NOT_PLAIN_TEXT = "{field} must be 1 to 64 printable characters without blanks at its ends, got {}"
NOT_A_CHOICE = "{field} must be one of {choices}, got {}"


def found_text(value: object) -> str:
    """What a message shows of a value: at most 80 characters."""
    text = value if isinstance(value, str) else str(value)
    shown = text if len(text) <= FOUND_CHARS else text[:FOUND_CHARS] + "…"
    # Half of a surrogate pair is legal in a Python text and nowhere else.
    return shown if shown.isascii() else shown.encode("utf-8", "backslashreplace").decode("utf-8")


def refuse(code: Code, template: str, field: str, found: object, **words: str) -> NoReturn:
    """Raise the violation in the form that pydantic collects."""
    message = template.replace("{field}", field)
    for word, value in words.items():
        message = message.replace("{" + word + "}", value)
    message = message.replace("{}", found_text(found))
    raise PydanticCustomError(code, "{message}", {"message": message})


def canonical_number(text: str) -> str | None:
    """The one text of a number: no exponent, no needless zeros; None when it has too many digits.

    Raises: ValueError if the text is no plain ASCII decimal number.
    """
    if not _NUMBER.match(text) or text.endswith("\n"):
        raise ValueError(text)
    mantissa, _, exponent = text.replace("E", "e").partition("e")
    # The exponent's size is judged before any arithmetic: int(Decimal("1e5000000")) takes minutes.
    if len(exponent) > _MAX_EXPONENT_CHARS or len(mantissa) > _MAX_NUMBER_CHARS:
        return "0" if not mantissa.strip("-0.") else None
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    point = len(whole) + int(exponent or 0)
    digits = whole + fraction
    if point <= 0:
        digits, point = "0" * (1 - point) + digits, 1
    digits = digits.ljust(point, "0")
    whole = digits[:point].lstrip("0") or "0"
    fraction = digits[point:].rstrip("0")
    if len(whole) > MAX_INTEGER_DIGITS or len(fraction) > MAX_FRACTION_DIGITS:
        return None
    return f"{sign}{whole}.{fraction}" if fraction else sign + whole


def number_text(value: object, field: str) -> str:
    """Wire text of a Python number.

    A float counts as the shortest decimal that names it, which is what its writer meant.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        refuse(Code.TYPE, "{field} must be a number, got {}", field, value)
    if isinstance(value, int) and value.bit_length() > 4 * _MAX_NUMBER_CHARS:
        refuse(Code.NUMBER_DIGITS, TOO_MANY_DIGITS, field, "an integer of over 400 digits")
    return str(value)


@dataclass(frozen=True, slots=True)
class NumberRule:
    """A number, exact: sign, wholeness and digits."""

    code: Code
    sign: Literal["positive", "not_negative"] = "positive"
    whole: Literal["always", "unless_declared", "never"] = "never"
    """`unless_declared`: whole unless the context says `volume="decimal"`."""

    def judge(self, value: object, field: str, context: dict[str, Any]) -> Decimal | int:
        """The exact number, or a violation raised."""
        text = number_text(value, field)
        try:
            exact = canonical_number(text)
        except ValueError:
            refuse(Code.NUMBER_FORMAT, NOT_A_NUMBER, field, text)
        if exact is None:
            refuse(Code.NUMBER_DIGITS, TOO_MANY_DIGITS, field, text)
        if self.sign == "positive" and (exact.startswith("-") or exact == "0"):
            refuse(self.code, MUST_BE_POSITIVE, field, exact)
        if exact.startswith("-"):
            refuse(self.code, MUST_NOT_BE_NEGATIVE, field, exact)
        if not self.is_whole(context.get("volume", "integer")):
            return Decimal(exact)
        if "." in exact:
            refuse(self.code, MUST_BE_WHOLE, field, exact)
        if int(exact) > MAX_INT64:
            refuse(Code.NUMBER_DIGITS, TOO_MANY_DIGITS, field, text)
        return int(exact)

    def is_whole(self, volume: str) -> bool:
        """Whether values are integers, given the source's kind of volume."""
        return self.whole == "always" or (self.whole == "unless_declared" and volume == "integer")

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return _plain(self)


@dataclass(frozen=True, slots=True)
class InstantRule:
    """An aware instant: not before the earliest plausible day, not too far past now."""

    def judge(self, value: object, field: str, context: dict[str, Any]) -> datetime:
        """The instant in UTC, or a violation raised. `context["now"]` is an aware datetime."""
        shown = value if isinstance(value, str) else None
        if isinstance(value, str):
            value = datetime_from_iso(value, field)
        if not isinstance(value, datetime):
            refuse(Code.TYPE, "{field} must be a time, got {}", field, value)
        if value.tzinfo is None:
            refuse(Code.TIMESTAMP_FORMAT, NOT_AN_INSTANT, field, shown or value.isoformat())
        try:
            instant = value.astimezone(UTC)
        except OverflowError:
            # Its offset carries it out of the years 1 to 9999 that Python knows.
            is_late = value.year > EPOCH.year
            code, template = (
                (Code.TIMESTAMP_FUTURE, TOO_LATE) if is_late else (Code.TIMESTAMP_RANGE, TOO_EARLY)
            )
            refuse(code, template, field, shown or value.isoformat())
        limits: ContractLimits = context.get("limits") or ContractLimits()
        if instant < datetime.fromisoformat(limits.earliest).replace(tzinfo=UTC):
            refuse(Code.TIMESTAMP_RANGE, TOO_EARLY, field, shown or iso_text(instant))
        now = context.get("now") or _now()
        if instant > now + timedelta(seconds=limits.max_future_s):
            refuse(Code.TIMESTAMP_FUTURE, TOO_LATE, field, shown or iso_text(instant))
        return instant

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return _plain(self)


@dataclass(frozen=True, slots=True)
class SymbolRule:
    """A symbol of the source's symbology; never trimmed, never upper-cased unless the symbology says so."""

    def judge(self, value: object, field: str, context: dict[str, Any]) -> str:
        """The canonical symbol, or a violation raised."""
        if not isinstance(value, str):
            refuse(Code.TYPE, "{field} must be text, got {}", field, value)
        symbology: Symbology = context.get("symbology") or Symbology()
        symbol = value.upper() if symbology.case == "upper" and value.isascii() else value
        if value in symbology.mapping:
            return symbology.mapping[value]
        allowed = set(symbology.charset)
        fits = 0 < len(symbol) <= symbology.max_len and all(char in allowed for char in symbol)
        if symbology.prefixes and fits:
            fits = any(symbol.startswith(prefix) for prefix in symbology.prefixes)
        if not fits or symbology.unmapped == "dead":
            refuse(Code.SYMBOL_FORMAT, NOT_A_SYMBOL, field, value)
        return symbol

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return _plain(self)


PLAIN_TEXT_PATTERN = r"^[\x21-\x7e]([\x20-\x7e]{0,62}[\x21-\x7e])?$"
_PLAIN_TEXT = re.compile(PLAIN_TEXT_PATTERN)


@dataclass(frozen=True, slots=True)
class TextRule:
    """An identifier: 1 to 64 printable ASCII characters."""

    def judge(self, value: object, field: str, context: dict[str, Any]) -> str:
        """The text itself, or a violation raised."""
        del context
        if not isinstance(value, str):
            refuse(Code.TYPE, "{field} must be text, got {}", field, value)
        if not _PLAIN_TEXT.match(value) or value.endswith("\n"):
            refuse(Code.TEXT_FORMAT, NOT_PLAIN_TEXT, field, value)
        return value

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return _plain(self)


@dataclass(frozen=True, slots=True)
class ChoiceRule:
    """One of a few words."""

    code: Code
    choices: tuple[str, ...]

    def judge(self, value: object, field: str, context: dict[str, Any]) -> str:
        """The word, or a violation raised."""
        del context
        if not isinstance(value, str):
            refuse(Code.TYPE, "{field} must be text, got {}", field, value)
        if value not in self.choices:
            refuse(self.code, NOT_A_CHOICE, field, value, choices=", ".join(self.choices))
        return str(value)

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return _plain(self)


Rule = NumberRule | InstantRule | SymbolRule | TextRule | ChoiceRule


def iso_text(instant: datetime) -> str:
    """ISO 8601 UTC with `Z`; six digits of microseconds only where they are not zero."""
    return instant.isoformat().replace("+00:00", "Z")


def datetime_from_iso(text: str, field: str) -> datetime:
    """The time that ISO text names, to the microsecond; finer digits are cut off."""
    if not _ISO.match(text) or text.endswith("\n"):
        refuse(Code.TIMESTAMP_FORMAT, NOT_AN_INSTANT, field, text)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        refuse(Code.TIMESTAMP_FORMAT, NOT_AN_INSTANT, field, text)


def _plain(rule: Rule) -> CoreSchema:
    """A pydantic schema that hands the value to the rule alone, so that pydantic guesses nothing."""

    def judge(value: Any, info: core_schema.ValidationInfo) -> Any:
        return rule.judge(value, info.field_name or "value", info.context or {})

    return core_schema.with_info_plain_validator_function(judge)


def _now() -> datetime:
    # Only a lone record without context asks the clock; a payload's records are judged at its receipt.
    from dataspine.clock import SystemClock, datetime_from_us

    return datetime_from_us(SystemClock().now_us())
