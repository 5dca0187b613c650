"""Time columns: vendor's text to microseconds UTC, by declared unit, format and zone; nothing is guessed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from dataspine.normalization.time_format import time_format
from dataspine.schemas.codes import Code
from dataspine.schemas.column import Check, Column
from dataspine.schemas.fields import ISO_PATTERN, NOT_AN_INSTANT

if TYPE_CHECKING:
    from dataspine.schemas.source import FieldMap

UNIT_US = {"s": 1_000_000, "ms": 1_000, "us": 1}
FAR_US = 2**62
"""Stands for an instant that no calendar reaches, so that the range contract refuses it without overflow."""

_EPOCH_PATTERN = r"^-?[0-9]+(\.[0-9]+)?$"
_EPOCH_DIGITS = {"s": 12, "ms": 15, "us": 18, "ns": 19}
"""Digits that cannot overflow 64 bits once they are microseconds; a longer text is far out of range."""
_UTC_PATTERN = (
    r"^[12][0-9]{3}-[01][0-9]-[0-3][0-9][T ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?Z$"
)
_NOT_AN_EPOCH = "{field} must be a count of {unit} since 1970-01-01T00:00:00Z, got {}"
_NOT_SINCE_MIDNIGHT = "{field} must be a count of {unit} since local midnight, got {}"
_NOT_OF_FORMAT = "{field} must have the form {format}, got {}"
_NO_SUCH_LOCAL_TIME = "{field} does not exist in {zone} (clocks go forward), got {}"
_TWO_LOCAL_TIMES = "{field} exists twice in {zone} (clocks go back); set fold in the profile, got {}"
_DAY_US = 86_400_000_000


def instants(text: pl.Series, mapping: FieldMap, *, field: str, day: str | None = None) -> Column:
    """Microseconds UTC of each text.

    Shapes: (n,) String -> (n,) Int64; null where the text is null or at fault.
    Units:  microseconds since 1970-01-01T00:00:00Z; finer digits are cut off.
    Source: docs/reference/config.md#time
    """
    if mapping.unit and mapping.day is None:
        value = _from_epoch(text, mapping.unit)
        template = _NOT_AN_EPOCH.replace("{unit}", mapping.unit)
        found = Column(text, value, (_form_check(field, template, text, value),))
    elif mapping.unit:
        template = _NOT_SINCE_MIDNIGHT.replace("{unit}", mapping.unit)
        found = _from_local(
            _since_midnight(text, mapping.unit, day or ""), text, mapping, field=field, template=template
        )
    elif mapping.format in (None, "iso"):
        found = _from_iso(text, mapping, field=field)
    else:
        template = _NOT_OF_FORMAT.replace("{format}", str(mapping.format))
        naive = _of_format(text, str(mapping.format))
        found = _from_local(naive, text, mapping, field=field, template=template)
    if not mapping.shift_s:
        return found
    return Column(text, found.value + mapping.shift_s * 1_000_000, found.checks)


def _of_format(text: pl.Series, declared: str) -> pl.Series:
    """Times of a declared format, aware where it has an offset; null for texts of another form."""
    form = time_format(declared)
    if form.pattern is not None:
        text = text.set(~text.str.contains(form.pattern).fill_null(True), None)
    return text.str.to_datetime(form.polars, time_unit="us", strict=False, exact=True)


def _form_check(field: str, template: str, text: pl.Series, value: pl.Series) -> Check:
    return Check(field, Code.TIMESTAMP_FORMAT, template, text.is_not_null() & value.is_null(), text)


def _from_epoch(text: pl.Series, unit: str) -> pl.Series:
    """Microseconds of an epoch count; a fraction is kept to the microsecond, the rest cut off."""
    if unit != "ns" and text.str.contains(f"^[0-9]{{1,{_EPOCH_DIGITS[unit]}}}$").all():
        return text.cast(pl.Int64) * UNIT_US[unit]
    well_formed = text.str.contains(_EPOCH_PATTERN)
    whole = text.str.replace(r"\..*$", "") if text.str.contains(".", literal=True).any() else text
    digits = whole.str.strip_prefix("-").str.strip_chars_start("0").str.len_bytes()
    near = digits <= _EPOCH_DIGITS[unit]
    count = whole.to_frame("c").select(
        pl.when(pl.lit(well_formed) & pl.lit(near)).then(pl.col("c").cast(pl.Int64, strict=False))
    )["c"]
    value = _us_from_ns(count) if unit == "ns" else count * UNIT_US[unit]
    if whole is not text:
        value = value + _fraction_us(text, unit) * (1 - 2 * text.str.starts_with("-").cast(pl.Int64))
    far = (
        text.to_frame("t")
        .select(pl.when(pl.col("t").str.starts_with("-")).then(-FAR_US).otherwise(FAR_US))
        .to_series()
    )
    is_far = well_formed & count.is_null()
    return value if not is_far.any() else value.zip_with(~is_far.fill_null(False), far)


def _us_from_ns(count: pl.Series) -> pl.Series:
    # Floor division alone would move an instant before 1970 to the microsecond before it.
    is_cut = (count < 0) & (count % 1_000 != 0)
    return count // 1_000 + is_cut.cast(pl.Int64)


def _fraction_us(text: pl.Series, unit: str) -> pl.Series:
    """Microseconds in the digits behind the point."""
    places = {"s": 6, "ms": 3, "us": 0, "ns": 0}[unit]
    if not places:
        return pl.repeat(0, text.len(), dtype=pl.Int64, eager=True)
    digits = text.str.extract(r"\.([0-9]+)$", 1).fill_null("").str.head(places).str.pad_end(places, "0")
    return digits.cast(pl.Int64)


def _since_midnight(text: pl.Series, unit: str, day: str) -> pl.Series:
    """Wall time of counts since midnight of `day` (`%Y%m%d` or ISO); null outside the day."""
    midnight = (
        pl.Series([day])
        .str.extract(r"^([0-9]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2})$")
        .str.replace_all("-", "", literal=True)
        .str.to_datetime("%Y%m%d", time_unit="us", strict=False)[0]
    )
    count = _from_epoch(text, unit)
    inside = (count >= 0) & (count < _DAY_US)
    naive = pl.DataFrame({"count": count, "inside": inside}).select(
        pl.when("inside").then(pl.lit(midnight, pl.Datetime("us")) + pl.duration(microseconds="count"))
    )
    return naive.to_series()


def _from_iso(text: pl.Series, mapping: FieldMap, *, field: str) -> Column:
    """ISO 8601 text; a text without offset needs the profile's zone."""
    if text.str.contains(_UTC_PATTERN).all():
        naive = (
            text.str.head(19)
            .str.replace(" ", "T", literal=True)
            .str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="us", strict=False)
        )
        value = naive.dt.epoch("us") + _iso_fraction_us(text)
        return Column(text, value, (_form_check(field, NOT_AN_INSTANT, text, value),))
    well_formed = text.str.contains(ISO_PATTERN) & ~text.str.starts_with("0000")
    stamp = text.str.replace(" ", "T", literal=True).str.extract(r"^([^TZ+]{10}(?:T[0-9:]{5,8})?)", 1)
    stamp = stamp + pl.Series(["T00:00:00"]).new_from_index(0, stamp.len()).str.slice(
        stamp.str.len_bytes() - 10
    )
    naive = stamp.str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="us", strict=False)
    naive = (naive.dt.epoch("us") + _iso_fraction_us(text)).cast(pl.Datetime("us"))
    naive = naive.zip_with(
        well_formed.fill_null(False), pl.Series([None], dtype=pl.Datetime("us")).new_from_index(0, text.len())
    )
    offset = text.str.extract(r"T?[ T][0-9:.]+(Z|[+-][0-9:]{4,6})$|^.{10}(Z)$", 1)
    return _from_local(naive, text, mapping, field=field, template=NOT_AN_INSTANT, offset=offset)


def _iso_fraction_us(text: pl.Series) -> pl.Series:
    if not text.str.contains(".", literal=True).any():
        return pl.repeat(0, text.len(), dtype=pl.Int64, eager=True)
    return text.str.extract(r"\.([0-9]+)", 1).fill_null("0").str.head(6).str.pad_end(6, "0").cast(pl.Int64)


def _offset_us(offset: pl.Series) -> pl.Series:
    """Microseconds east of UTC of `Z`, `+05:30`, `-0500`; null for null."""
    plain = offset.str.replace("Z", "+0000", literal=True).str.replace(":", "", literal=True)
    sign = 1 - 2 * plain.str.starts_with("-").cast(pl.Int64)
    minutes = plain.str.slice(1, 2).cast(pl.Int64) * 60 + plain.str.slice(3, 2).cast(pl.Int64)
    return sign * minutes * 60_000_000


def _from_local(
    naive: pl.Series,
    text: pl.Series,
    mapping: FieldMap,
    *,
    field: str,
    template: str,
    offset: pl.Series | None = None,
) -> Column:
    """Instants of wall times: by their own offset where they have one, else by the profile's zone."""
    wall_us = naive.dt.epoch("us")
    if isinstance(naive.dtype, pl.Datetime) and naive.dtype.time_zone is not None:
        # An aware time counts from the epoch in UTC already.
        return Column(text, wall_us, (_form_check(field, template, text, wall_us),))
    value = (
        wall_us - _offset_us(offset)
        if offset is not None
        else pl.repeat(None, text.len(), dtype=pl.Int64, eager=True)
    )
    if mapping.zone is None:
        return Column(text, value, (_form_check(field, template, text, value),))
    zoned = _localized(naive, mapping.zone, mapping.fold or "null")
    value = value.zip_with(value.is_not_null(), zoned)
    form = _form_check(field, template, text, wall_us)
    lost = wall_us.is_not_null() & value.is_null()
    if not lost.any():
        return Column(text, value, (form,))
    exists = _localized(naive, mapping.zone, "earliest").is_not_null()
    gap = _NO_SUCH_LOCAL_TIME.replace("{zone}", mapping.zone)
    fold = _TWO_LOCAL_TIMES.replace("{zone}", mapping.zone)
    checks = (
        form,
        Check(field, Code.TIMESTAMP_LOCAL, gap, lost & ~exists, text),
        Check(field, Code.TIMESTAMP_LOCAL, fold, lost & exists, text),
    )
    return Column(text, value, checks)


def _localized(naive: pl.Series, zone: str, ambiguous: str) -> pl.Series:
    """Microseconds UTC of wall times in `zone`; null where the time does not exist, or is ambiguous if so asked."""
    zoned = naive.dt.replace_time_zone(zone, ambiguous=ambiguous, non_existent="null")  # type: ignore[arg-type]
    return zoned.dt.convert_time_zone("UTC").dt.epoch("us")
