"""The canonical frame of each kind: its columns, keys, lines and digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from dataspine.schemas.source import Kind

if TYPE_CHECKING:
    from dataspine.schemas.column import Column
    from dataspine.schemas.source import SourceProfile


@dataclass(frozen=True, slots=True)
class CanonicalForm:
    """Columns of one kind, in canonical order."""

    fields: dict[str, pl.DataType]
    keys: tuple[str, ...]
    """Natural key within a source."""
    defaults: dict[str, str | int]
    """What an absent value means."""

    def schema(self) -> dict[str, pl.DataType]:
        """Column types of an accepted frame."""
        return {"position": pl.Int64(), "source_symbol": pl.String(), **self.fields}

    def empty(self) -> pl.DataFrame:
        """A frame without rows."""
        return pl.DataFrame(schema=self.schema())


_TEXT, _INT = pl.String(), pl.Int64()

CANONICAL: dict[Kind, CanonicalForm] = {
    Kind.MARKET: CanonicalForm(
        fields={
            "symbol": _TEXT,
            "timestamp": _INT,
            "interval_s": _INT,
            "price": _TEXT,
            "volume": _TEXT,
            "open": _TEXT,
            "high": _TEXT,
            "low": _TEXT,
            "vwap": _TEXT,
            "trade_count": _INT,
            "volume_kind": _TEXT,
        },
        keys=("symbol", "timestamp", "interval_s"),
        defaults={"interval_s": 0, "volume_kind": "interval"},
    ),
    Kind.TRADE: CanonicalForm(
        fields={
            "client_id": _TEXT,
            "trade_id": _TEXT,
            "symbol": _TEXT,
            "timestamp": _INT,
            "side": _TEXT,
            "quantity": _TEXT,
            "price": _TEXT,
            "venue": _TEXT,
            "exec_type": _TEXT,
            "ref_trade_id": _TEXT,
        },
        keys=("client_id", "trade_id"),
        defaults={"exec_type": "NEW"},
    ),
}


def key_columns(kind: Kind) -> list[str]:
    """Columns of the natural key within a source."""
    return list(CANONICAL[kind].keys)


def canonical_frame(columns: dict[str, Column], positions: pl.Series, profile: SourceProfile) -> pl.DataFrame:
    """Canonical values of every record of a chunk, judged or not.

    Shapes: columns of n -> (n, position + source_symbol + canonical fields). `timestamp` is in microseconds UTC.
    """
    form = CANONICAL[profile.kind]
    made = {"position": positions, "source_symbol": columns["symbol"].found}
    for name, dtype in form.fields.items():
        column = columns.get(name)
        default = form.defaults.get(name)
        if column is None:
            made[name] = pl.repeat(default, positions.len(), dtype=dtype, eager=True)
            continue
        value = column.value.cast(dtype)
        made[name] = value if default is None else value.fill_null(default)
    return pl.DataFrame(made)


def conflict_message(kind: Kind) -> pl.Expr:
    """Words of a CONFLICT that name the key."""
    if kind is Kind.TRADE:
        return pl.format(
            "trade {} of client {} stands more than once in this payload with different values",
            pl.col("trade_id"),
            pl.col("client_id"),
        )
    instant = pl.from_epoch("timestamp", time_unit="us").dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ")
    return pl.format(
        "{} at {} stands more than once in this payload with different values", pl.col("symbol"), instant
    )


def canonical_lines(frame: pl.DataFrame, kind: Kind) -> bytes:
    """One CSV line a row, canonical fields only; the same rows give the same bytes on any machine."""
    return frame.select(list(CANONICAL[kind].fields)).write_csv(include_header=False).encode()


class RunDigest:
    """SHA-256 of accepted rows in payload order; the size of the chunks does not matter."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._hash = hashlib.sha256()

    def add(self, accepted: pl.DataFrame) -> None:
        """Take in the next rows."""
        if accepted.height:
            self._hash.update(canonical_lines(accepted, self._kind))

    def hexdigest(self) -> str:
        """The digest so far."""
        return self._hash.hexdigest()


class OrderMeter:
    """Counts accepted records that are older than the one before them of the same symbol; late prints are legal."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    def count(self, accepted: pl.DataFrame) -> int:
        """Records of this chunk that go back in time; the size of the chunks does not matter."""
        if not accepted.height:
            return 0
        last = pl.DataFrame(
            {"symbol": list(self._last), "carried": list(self._last.values())},
            schema={"symbol": pl.String, "carried": pl.Int64},
        )
        times = accepted.select("symbol", "timestamp").join(
            last, on="symbol", how="left", maintain_order="left"
        )
        before = pl.coalesce(pl.col("timestamp").shift(1).over("symbol"), "carried")
        late = times.select((pl.col("timestamp") < before).sum()).item()
        newest = accepted.group_by("symbol").agg(pl.col("timestamp").last())
        self._last.update(zip(newest["symbol"].to_list(), newest["timestamp"].to_list(), strict=True))
        return int(late)
