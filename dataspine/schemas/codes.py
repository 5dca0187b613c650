"""Reason codes: every way in which a record or a payload can be refused, named once.

The reference page docs/reference/contracts.md is checked against this enumeration.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """Why a record or payload was refused; the first line of each member's text is its meaning."""

    REQUIRED = "REQUIRED"
    """A required field is missing, null, blank, or a text the profile declares to mean nothing."""
    TYPE = "TYPE"
    """A value of another JSON or Python type: a boolean for a number, a number for a symbol."""
    NUMBER_FORMAT = "NUMBER_FORMAT"
    """Text that is no ASCII decimal number: full-width digits, grouping, NaN, infinity."""
    NUMBER_DIGITS = "NUMBER_DIGITS"
    """A number with more digits than the store keeps exactly: 20 before and 18 after the point."""
    PRICE_VALIDITY = "PRICE_VALIDITY"
    """A price that is not above zero."""
    QUANTITY_VALIDITY = "QUANTITY_VALIDITY"
    """A quantity that is not above zero."""
    VOLUME_VALIDITY = "VOLUME_VALIDITY"
    """A volume that is negative, or not whole where the source declares whole volumes."""
    COUNT_VALIDITY = "COUNT_VALIDITY"
    """A trade count or interval that is negative or not whole."""
    OHLC_ORDER = "OHLC_ORDER"
    """High below low, or open, close outside low to high."""
    SYMBOL_FORMAT = "SYMBOL_FORMAT"
    """A symbol that the source's symbology refuses."""
    TEXT_FORMAT = "TEXT_FORMAT"
    """An identifier with control or blank characters at its ends, or longer than 64 characters."""
    SIDE_VALUE = "SIDE_VALUE"
    """A side other than BUY and SELL."""
    VALUE = "VALUE"
    """A word that the table of its field does not have."""
    TIMESTAMP_FORMAT = "TIMESTAMP_FORMAT"
    """Text that is no time in the declared unit or format, or a time without zone."""
    TIMESTAMP_LOCAL = "TIMESTAMP_LOCAL"
    """A local time that does not exist or exists twice, where clocks change."""
    TIMESTAMP_RANGE = "TIMESTAMP_RANGE"
    """A time before the source's earliest plausible day."""
    TIMESTAMP_FUTURE = "TIMESTAMP_FUTURE"
    """A time further past the receipt than the source allows."""
    CONFLICT = "CONFLICT"
    """Two different records of one key in a payload (or across payloads, where the profile asks for that)."""
    FIELD_TOO_LONG = "FIELD_TOO_LONG"
    """A field of more than 4,096 characters."""
    CONTROL_CHARACTER = "CONTROL_CHARACTER"
    """A control character in delimited text."""
    ENCODING = "ENCODING"
    """Bytes that are not the declared encoding, or half of a surrogate pair."""
    RAGGED_ROW = "RAGGED_ROW"
    """A row with more or fewer fields than the header."""
    CSV_QUOTE = "CSV_QUOTE"
    """A quoted field that never ends."""
    JSON_SYNTAX = "JSON_SYNTAX"
    """Text that is not JSON: cut off, or with something behind it."""
    JSON_SHAPE = "JSON_SHAPE"
    """JSON of another shape than the profile declares."""
    JSON_LITERAL = "JSON_LITERAL"
    """NaN or Infinity, which JSON does not have."""
    JSON_DUPLICATE_KEY = "JSON_DUPLICATE_KEY"
    """A key that stands twice in one object."""
    DEPTH = "DEPTH"
    """Nesting deeper than 64."""
    SIZE = "SIZE"
    """A record or payload over a stated limit."""
    EMPTY = "EMPTY"
    """A payload without a byte of content."""
    HEADER_MISSING = "HEADER_MISSING"
    """A delimited file without the columns that the mapping needs."""
    HEADER_DUPLICATE = "HEADER_DUPLICATE"
    """A needed column that the header names twice."""
    GZIP_CORRUPT = "GZIP_CORRUPT"
    """Compressed bytes that are damaged or cut off."""
    ZIP_CORRUPT = "ZIP_CORRUPT"
    """An archive that is damaged, cut off or encrypted."""
    ZIP_EMPTY = "ZIP_EMPTY"
    """An archive without a member that the profile reads."""
    FILE_NAME = "FILE_NAME"
    """A file name that the profile's template does not fit."""
    VENDOR_ERROR = "VENDOR_ERROR"
    """An error message of the vendor inside a successful answer."""
    REJECT_RATIO = "REJECT_RATIO"
    """So many records were refused that nothing of the payload was published."""


@dataclass(frozen=True, slots=True, order=True)
class Violation:
    """One reason against one record."""

    code: str
    field: str
    """Canonical field, wire path, or empty for the record as a whole."""
    message: str

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"
