"""Invariants: what must hold for a batch of records as a whole, judged in columns.

A batch is a list of dicts, a list of models, or a Polars frame. Numbers are compared by value and times as instants,
whatever their type: `Decimal("1.50")`, `1.5` and `"1.5"` are one number. A failure is logged with its counts.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from dataspine.schemas.fields import (
    EPOCH,
    EXACT_PATTERN,
    InstantRule,
    NumberRule,
    Rule,
    canonical_number,
    datetime_from_iso,
)
from dataspine.schemas.models import MODELS
from dataspine.schemas.record import CanonicalRecord
from dataspine.schemas.source import Kind

if TYPE_CHECKING:
    import polars as pl

    Batch = pl.DataFrame | Iterable[Mapping[str, Any] | CanonicalRecord]

POSITIONS_LOGGED = 20
"""Positions of violating records that a log line names."""
_RULES: dict[str, Rule] = {name: rule for model in MODELS.values() for name, rule in model.rules().items()}
_log = logging.getLogger(__name__)


def check_idempotency(a: Batch, b: Batch) -> bool:
    """Whether two batches hold the same records, each as often, in any order.

    Fields that neither batch has a value for do not count; their kinds' defaults are not filled in.
    """
    import polars as pl

    first, second = _frame(a), _frame(b)
    names = sorted(
        {column.name for frame in (first, second) for column in frame if column.null_count() < frame.height}
    )
    if not names:
        return _reported(
            "idempotency", holds=first.height == second.height, first=first.height, second=second.height
        )
    signed = [
        _filled(first, names).with_columns(copies=pl.lit(1)),
        _filled(second, names).with_columns(copies=pl.lit(-1)),
    ]
    surplus = pl.concat(signed).group_by(names).agg(pl.col("copies").sum())["copies"]
    counts = {
        "only_in_first": int(surplus.clip(0).sum()),
        "only_in_second": -int(surplus.clip(None, 0).sum()),
    }
    return _reported("idempotency", holds=surplus.abs().sum() == 0, **counts)


def check_monotonic_timestamps(batch: Batch, *, by: str | None = None) -> bool:
    """Whether no record is older than the one before it; with `by`, within each value of that field.

    Equal times are in order. Times without a zone are compared as they are written. A record without a readable
    timestamp is out of order.
    """
    import polars as pl

    frame = _frame(batch)
    if not frame.height:
        return True
    if "timestamp" not in frame.columns:
        return _reported(
            "monotonic_timestamps", holds=False, records=frame.height, without_timestamp=frame.height
        )
    before = pl.col("timestamp").shift(1)
    late = pl.col("timestamp") < (before.over(by) if by else before)
    bad = frame.select(late.fill_null(False) | pl.col("timestamp").is_null()).to_series()
    return _reported("monotonic_timestamps", holds=not bad.any(), records=frame.height, **_where(bad))


def check_completeness(batch: Batch, *, required: Sequence[str] | None = None) -> bool:
    """Whether every record has a value for every required field; null and blank ones are none.

    `required` are by default the fields that the model requires: `TradeData` where a record names a trade or a side,
    else `MarketData`. Columns of a frame hold one source, which is not among them.
    """
    import polars as pl

    frame = _frame(batch)
    names = _required(batch, frame) if required is None else required
    if not frame.height or not names:
        return True
    values = frame.with_columns(**{name: pl.lit(None) for name in names if name not in frame.columns}).select(
        names
    )
    bad = values.select(pl.any_horizontal(pl.all().is_null())).to_series()
    missing = {column.name: column.null_count() for column in values if column.null_count()}
    return _reported(
        "completeness", holds=not bad.any(), records=frame.height, missing=missing, **_where(bad)
    )


def check_uniqueness(trades: Batch, key: str = "trade_id") -> bool:
    """Whether no two records of a client (and source, where they name one) have the same `key`.

    A record without a value for the key cannot be told from another, and fails too.
    """
    import polars as pl

    frame = _frame(trades)
    if not frame.height:
        return True
    if key not in frame.columns:
        return _reported("uniqueness", holds=False, key=key, records=frame.height, without_key=frame.height)
    names = [name for name in dict.fromkeys(("source", "client_id", key)) if name in frame.columns]
    bad = frame.select(pl.struct(names).is_duplicated() | pl.col(key).is_null()).to_series()
    return _reported("uniqueness", holds=not bad.any(), key=key, records=frame.height, **_where(bad))


def unknown_symbols(trades: Batch, market: Batch) -> list[str]:
    """Symbols that are traded but stand in no market record, sorted; none means that the references hold."""
    traded, known = (_frame(batch) for batch in (trades, market))
    if "symbol" not in traded.columns:
        return []
    symbols = traded["symbol"].drop_nulls().unique()
    if "symbol" in known.columns:
        symbols = symbols.filter(~symbols.is_in(known["symbol"].drop_nulls().unique().to_list()))
    unknown = sorted(symbols.to_list())
    _reported(
        "referential_integrity", holds=not unknown, unknown=len(unknown), symbols=unknown[:POSITIONS_LOGGED]
    )
    return unknown


def _reported(invariant: str, *, holds: bool, **found: Any) -> bool:
    if not holds:
        _log.warning("invariant_violated", extra={"invariant": invariant, **found})
    return holds


def _where(bad: pl.Series) -> dict[str, Any]:
    """How many records are at fault, and the first positions, from 1."""
    return {
        "violations": int(bad.sum()),
        "positions": (bad.arg_true() + 1).head(POSITIONS_LOGGED).to_list(),
    }


def _required(batch: Batch, frame: pl.DataFrame) -> list[str]:
    import polars as pl

    is_trade = bool({"trade_id", "side", "client_id"} & set(frame.columns))
    names = MODELS[Kind.TRADE if is_trade else Kind.MARKET].required()
    return [name for name in names if name != "source" or not isinstance(batch, pl.DataFrame)]


def _filled(frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """The same columns in the same types for both batches: comparable text."""
    import polars as pl

    missing = {name: pl.lit(None) for name in names if name not in frame.columns}
    return frame.with_columns(**missing).select(pl.col(names).cast(pl.String))


def _frame(batch: Batch) -> pl.DataFrame:
    """Comparable columns: times as microseconds, numbers as canonical text, the rest as text; blank is null."""
    import polars as pl

    if isinstance(batch, pl.DataFrame):
        return pl.DataFrame([_comparable(column) for column in batch])
    rows = [
        dict(record.__dict__) if isinstance(record, CanonicalRecord) else dict(record) for record in batch
    ]
    # A column without values still tells how many records there are.
    names = dict.fromkeys(name for row in rows for name in row) or {"symbol": None}
    return pl.DataFrame([_column_of(name, [row.get(name) for row in rows]) for name in names])


def _column_of(name: str, values: list[Any]) -> pl.Series:
    import polars as pl

    if isinstance(_RULES.get(name), InstantRule):
        is_count = all(value is None or type(value) is int for value in values)
        instants = values if is_count else [_instant_us(value) for value in values]
        return pl.Series(name, instants, dtype=pl.Int64)
    texts = [None if value is None or value == "" else str(value) for value in values]
    return _exact(pl.Series(name, texts, dtype=pl.String))


def _comparable(column: pl.Series) -> pl.Series:
    import polars as pl

    if isinstance(_RULES.get(column.name), InstantRule):
        if column.dtype.is_integer():
            return column.cast(pl.Int64)
        if column.dtype.is_temporal():
            return column.cast(pl.Datetime("us")).dt.epoch("us")
        return _column_of(column.name, column.to_list())
    if column.dtype.is_float():
        # Python writes the shortest text that names the float, as the records' own numbers are read.
        return _column_of(column.name, column.to_list())
    text = column.cast(pl.String)
    return _exact(text.set((text == "").fill_null(False), None))


def _exact(text: pl.Series) -> pl.Series:
    """Canonical text of what is a number, any other text as it is."""
    if not isinstance(_RULES.get(text.name), NumberRule):
        return text
    odd = text.filter(~text.str.contains(EXACT_PATTERN).fill_null(True)).unique().to_list()
    return text.replace(odd, [_number(value) for value in odd]) if odd else text


def _number(text: str) -> str:
    try:
        return canonical_number(text) or text
    except ValueError:
        return text


def _instant_us(value: object) -> int | None:
    """Microseconds since 1970 of a datetime or ISO 8601 text; None where there is no time."""
    try:
        instant = datetime_from_iso(value, "timestamp") if isinstance(value, str) else value
    except ValueError:
        return None
    if not isinstance(instant, datetime):
        return None
    aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return (aware - EPOCH) // timedelta(microseconds=1)
