"""Canonical rows: compared with what is stored, then written; exactly once per key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from dataspine.schemas.source import Kind

if TYPE_CHECKING:
    from dataspine.store.sqlite import Connection

RANGE_FACTOR = 4
"""A key range that holds this many times the rows asked for is read key by key instead."""
_SPARE_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class Family:
    """A table of canonical rows. Its key is (source_id, group, order[, rest]).

    Rows of one group are read as a range of `order`: one symbol's times, one client's trade ids.
    """

    table: str
    revisions: str
    group: str
    order: str
    rest: tuple[str, ...]
    values: tuple[str, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """Key columns within a source."""
        return (self.group, self.order, *self.rest)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column, in the order of the insert."""
        return ("source_id", *self.keys, *self.values, "run_id", "position")


MARKET = Family(
    "market_data",
    "market_revisions",
    "symbol_id",
    "timestamp_us",
    ("interval_s",),
    ("price", "volume", "open", "high", "low", "vwap", "trade_count", "volume_kind"),
)
TRADE = Family(
    "trade_data",
    "trade_revisions",
    "client_id",
    "trade_id",
    (),
    ("symbol_id", "timestamp_us", "side", "quantity", "price", "venue", "exec_type", "ref_trade_id"),
)
FAMILIES = {Kind.MARKET: MARKET, Kind.TRADE: TRADE}


@dataclass(frozen=True, slots=True)
class Comparison:
    """A chunk of rows against the store."""

    new: pl.DataFrame
    """Keys that are not stored."""
    corrected: pl.DataFrame
    """Keys that an earlier run stored with other values."""
    unchanged: int
    """Keys that an earlier run stored with the same values."""
    repeated: pl.DataFrame
    """Keys that this run has stored already, with the same values: repeats within the payload."""
    conflicting: pl.DataFrame
    """Keys that this run has stored already, with other values."""


def compare(tx: Connection, rows: pl.DataFrame, family: Family, *, source_id: int, run_id: int) -> Comparison:
    """Sort rows into new, unchanged, corrected and repeated, without writing anything.

    Shapes: rows (n, keys + values + position), keys unique.
    """
    stored = _stored(tx, rows, family, source_id)
    nothing = rows.clear()
    if not stored.height:
        return Comparison(rows, nothing, 0, nothing, nothing)
    marked = rows.with_columns(line=_line(family)).join(
        stored, on=list(family.keys), how="left", maintain_order="left"
    )
    known = pl.col("stored_run").is_not_null()
    same = pl.col("line") == pl.col("stored_line")
    ours = pl.col("stored_run") == run_id
    plain = marked.select(
        *rows.columns,
        fate=pl.when(~known)
        .then(pl.lit("new"))
        .when(ours & same)
        .then(pl.lit("repeated"))
        .when(ours)
        .then(pl.lit("conflicting"))
        .when(same)
        .then(pl.lit("unchanged"))
        .otherwise(pl.lit("corrected")),
    )
    parts = {str(fate[0]): part.drop("fate") for fate, part in plain.group_by("fate", maintain_order=True)}
    return Comparison(
        parts.get("new", nothing),
        parts.get("corrected", nothing),
        parts.get("unchanged", nothing).height,
        parts.get("repeated", nothing),
        parts.get("conflicting", nothing),
    )


def insert(tx: Connection, rows: pl.DataFrame, family: Family, *, source_id: int, run_id: int) -> int:
    """Write rows whose keys are new; the number written.

    Sorted by key first: neighbours in the tree are then neighbours in time, which halves the cost.
    """
    if not rows.height:
        return 0
    slots = ", ".join("?" for _ in (*family.keys, *family.values, "position"))
    names = ", ".join((*family.keys, *family.values, "position", "source_id", "run_id"))
    # Two integers that are the same on every row stand in the statement, not in a million tuples.
    statement = f"INSERT INTO {family.table} ({names}) VALUES ({slots}, {int(source_id)}, {int(run_id)})"
    return int(tx.executemany(statement, _tuples(rows.sort(family.keys), family)).rowcount)


def correct(tx: Connection, rows: pl.DataFrame, family: Family, *, source_id: int, run_id: int) -> int:
    """Write new values of known keys; a trigger moves each old version to the revisions. The number written."""
    if not rows.height:
        return 0
    sets = ", ".join(f"{name} = ?" for name in (*family.values, "position"))
    keys = " AND ".join(f"{name} = ?" for name in family.keys)
    statement = (
        f"UPDATE {family.table} SET {sets}, run_id = {int(run_id)} WHERE source_id = {int(source_id)} AND {keys}"
    )
    ordered = rows.select(*family.values, "position", *family.keys)
    return int(tx.executemany(statement, ordered.rows()).rowcount)


def written_after(
    tx: Connection, rows: pl.DataFrame, family: Family, source_id: int, received_at_us: int
) -> pl.DataFrame:
    """Those rows whose stored version came with a payload received after an instant."""
    where = " AND ".join(f"t.{name} = ?" for name in family.keys)
    statement = (
        f"SELECT p.received_at_us FROM {family.table} t JOIN runs USING (run_id) JOIN payloads p USING (payload_id)"
        f" WHERE t.source_id = {int(source_id)} AND {where}"
    )
    receipts = [tx.execute(statement, key).fetchone() for key in rows.select(family.keys).iter_rows()]
    is_newer = [receipt is not None and receipt[0] > received_at_us for receipt in receipts]
    return rows.filter(pl.Series(is_newer, dtype=pl.Boolean))


def roll_back(tx: Connection, family: Family, *, source_id: int, run_id: int) -> None:
    """Take back everything that a run wrote: its new rows go, the versions it replaced return."""
    names = ", ".join(family.columns)
    tx.execute(f"DELETE FROM {family.table} WHERE source_id = ? AND run_id = ?", (source_id, run_id))
    tx.execute(
        f"INSERT INTO {family.table} ({names}) SELECT {names} FROM {family.revisions} WHERE superseded_by = ?", (run_id,)
    )
    tx.execute(f"DELETE FROM {family.revisions} WHERE superseded_by = ?", (run_id,))


def _tuples(rows: pl.DataFrame, family: Family) -> zip[tuple[object, ...]]:
    columns = [rows[name].to_list() for name in (*family.keys, *family.values, "position")]
    return zip(*columns, strict=True)


def _line(family: Family) -> pl.Expr:
    """All values of a row as one text, in the form that `_stored` reads them."""
    return pl.concat_str([pl.col(name).cast(pl.String).fill_null("") for name in family.values], separator="\x1f")


def _stored(tx: Connection, rows: pl.DataFrame, family: Family, source_id: int) -> pl.DataFrame:
    """What the store has in the ranges of keys that `rows` touch: keys, `stored_run`, `stored_line`."""
    spans = rows.group_by(family.group, maintain_order=True).agg(
        first=pl.col(family.order).min(), last=pl.col(family.order).max(), n=pl.len()
    )
    line = " || char(31) || ".join(f"ifnull({name}, '')" for name in family.values)
    head = f"SELECT {', '.join(family.keys)}, run_id, {line} FROM {family.table} WHERE source_id = {int(source_id)}"
    by_range = f"{head} AND {family.group} = ? AND {family.order} BETWEEN ? AND ? LIMIT ?"
    found: list[tuple[object, ...]] = []
    for group, first, last, n in spans.iter_rows():
        limit = RANGE_FACTOR * n + _SPARE_ROWS
        part = tx.execute(by_range, (group, first, last, limit)).fetchall()
        if len(part) == limit:
            part = _by_key(tx, rows.filter(pl.col(family.group) == group), family, head)
        found += part
    schema = {name: rows.schema[name] for name in family.keys} | {"stored_run": pl.Int64, "stored_line": pl.String}
    if not found:
        return pl.DataFrame(schema=schema)
    columns = zip(*found, strict=True)
    return pl.DataFrame(
        [pl.Series(name, column, dtype=dtype) for (name, dtype), column in zip(schema.items(), columns, strict=True)]
    )


def _by_key(tx: Connection, rows: pl.DataFrame, family: Family, head: str) -> list[tuple[object, ...]]:
    """Stored rows of a sparse group, one seek a key."""
    where = " AND ".join(f"{name} = ?" for name in family.keys)
    found = []
    for key in rows.select(family.keys).iter_rows():
        row = tx.execute(f"{head} AND {where}", key).fetchone()
        if row is not None:
            found.append(row)
    return found
