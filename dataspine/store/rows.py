"""Canonical rows: compared with what is stored, then written; exactly once per key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from dataspine.schemas.source import Kind

if TYPE_CHECKING:
    from dataspine.store.sqlite import Connection

RANGE_FACTOR = 4
"""A key range that holds this many times the rows asked for is read key by key instead."""
_SPARE_ROWS = 1_000
ROWS_A_STATEMENT = 128


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
    uniform: tuple[str, ...]
    """Columns of integers or of our own few words that are often the same all through a payload."""

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
    ("interval_s", "volume_kind"),
)
TRADE = Family(
    "trade_data",
    "trade_revisions",
    "client_id",
    "trade_id",
    (),
    ("symbol_id", "timestamp_us", "side", "quantity", "price", "venue", "exec_type", "ref_trade_id"),
    ("exec_type",),
)
FAMILIES = {Kind.MARKET: MARKET, Kind.TRADE: TRADE}


class Receipt(NamedTuple):
    """When a payload came; of two at one instant the lower number came first."""

    received_at_us: int
    payload_id: int


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

    Shapes: rows (n, keys + values + position), keys unique. Most groups are wholly new or wholly known; those cost one
    query each. Only the others are compared row by row.
    """
    fresh, at_odds, unchanged = _sorted_groups(tx, rows, family, source_id=source_id, run_id=run_id)
    nothing = rows.clear()
    if not at_odds.height:
        return Comparison(fresh, nothing, unchanged, nothing, nothing)
    marked = at_odds.with_columns(line=_line(at_odds, family.values)).join(
        _stored(tx, at_odds, family, source_id), on=list(family.keys), how="left", maintain_order="left"
    )
    same = pl.col("line") == pl.col("stored_line")
    ours = pl.col("stored_run") == run_id
    fate = (
        pl.when(pl.col("stored_run").is_null())
        .then(pl.lit("new"))
        .when(ours & same)
        .then(pl.lit("repeated"))
        .when(ours)
        .then(pl.lit("conflicting"))
        .when(same)
        .then(pl.lit("unchanged"))
        .otherwise(pl.lit("corrected"))
    )
    plain = marked.select(*rows.columns, fate=fate)
    parts = {str(key[0]): part.drop("fate") for key, part in plain.group_by("fate", maintain_order=True)}
    return Comparison(
        pl.concat([fresh, parts.get("new", nothing)]),
        parts.get("corrected", nothing),
        unchanged + parts.get("unchanged", nothing).height,
        parts.get("repeated", nothing),
        parts.get("conflicting", nothing),
    )


def insert(tx: Connection, rows: pl.DataFrame, family: Family, *, source_id: int, run_id: int) -> int:
    """Write rows whose keys are new; the number written.

    Sorted by key first: neighbours in the tree are then neighbours in time, which halves the cost. A None costs the
    driver 1.5 µs, as much as the rest of the row, so nulls come as sentinels or, a whole column of them, not at all.
    Many rows a statement: the driver hands the interpreter's lock back once a statement, and the heart needs it too.
    """
    if not rows.height:
        return 0
    uniform = _uniform(rows, family)
    plain = [name for name in (*family.keys, *family.values, "position") if name not in uniform]
    names, slots, columns = _parameters(rows.sort(family.keys).select(plain))
    constants = {"source_id": str(int(source_id)), "run_id": str(int(run_id)), **uniform}
    head = f"INSERT INTO {family.table} ({', '.join((*names, *constants))}) VALUES "
    row = f"({', '.join((*slots, *constants.values()))})"
    values = list(chain.from_iterable(zip(*columns, strict=True)))
    whole = rows.height // ROWS_A_STATEMENT * ROWS_A_STATEMENT
    step = len(names) * ROWS_A_STATEMENT
    if whole:
        batches = (values[at : at + step] for at in range(0, whole * len(names), step))
        tx.executemany(head + ", ".join([row] * ROWS_A_STATEMENT), batches)
    if whole < rows.height:
        tx.execute(head + ", ".join([row] * (rows.height - whole)), values[whole * len(names) :])
    return rows.height


def _uniform(rows: pl.DataFrame, family: Family) -> dict[str, str]:
    """Columns that say the same all through, as SQL: integers and our own words need no parameter."""
    found = {}
    for name in family.uniform:
        column = rows[name]
        if not column.null_count() and column.n_unique() == 1:
            found[name] = f"'{column[0]}'" if column.dtype == pl.String else str(int(column[0]))
    return found


def _parameters(ordered: pl.DataFrame) -> tuple[list[str], list[str], list[list[object]]]:
    """Names, slots and values of the columns that go row by row; a column of nulls does not go at all."""
    names, slots, columns = [], [], []
    for column in ordered.get_columns():
        filled = column
        if column.null_count() == ordered.height:
            continue
        names.append(column.name)
        if column.null_count():
            is_text = column.dtype == pl.String
            slots.append("nullif(?, '')" if is_text else "nullif(?, -1)")
            filled = column.fill_null("") if is_text else column.fill_null(-1)
        else:
            slots.append("?")
        columns.append(filled.to_list())
    return names, slots, columns


def correct(tx: Connection, rows: pl.DataFrame, family: Family, *, source_id: int, run_id: int) -> int:
    """Write new values of known keys; a trigger moves each old version to the revisions. The number written."""
    if not rows.height:
        return 0
    sets = ", ".join(f"{name} = ?" for name in (*family.values, "position"))
    keys = " AND ".join(f"{name} = ?" for name in family.keys)
    where = f"source_id = {int(source_id)} AND {keys}"
    statement = f"UPDATE {family.table} SET {sets}, run_id = {int(run_id)} WHERE {where}"
    ordered = rows.select(*family.values, "position", *family.keys)
    return int(tx.executemany(statement, ordered.rows()).rowcount)


def received_since(
    tx: Connection, rows: pl.DataFrame, family: Family, source_id: int, receipt: Receipt
) -> pl.DataFrame:
    """Those rows whose stored version came with this receipt or a later one."""
    newest = tx.execute(
        "SELECT 1 FROM payloads WHERE source_id = ? AND (received_at_us, payload_id) >= (?, ?) LIMIT 1",
        (source_id, *receipt),
    ).fetchone()
    if newest is None or not rows.height:
        return rows.clear()
    where = " AND ".join(f"t.{name} = ?" for name in family.keys)
    statement = (
        f"SELECT p.received_at_us, p.payload_id FROM {family.table} t JOIN runs USING (run_id)"
        f" JOIN payloads p USING (payload_id) WHERE t.source_id = {int(source_id)} AND {where}"
    )
    receipts = [tx.execute(statement, key).fetchone() for key in rows.select(family.keys).iter_rows()]
    is_since = [found is not None and Receipt(*found) >= receipt for found in receipts]
    return rows.filter(pl.Series(is_since, dtype=pl.Boolean))


def roll_back(tx: Connection, family: Family, *, source_id: int, run_id: int) -> None:
    """Take back everything that a run wrote: its new rows go, the versions it replaced return."""
    names = ", ".join(family.columns)
    tx.execute(f"DELETE FROM {family.table} WHERE source_id = ? AND run_id = ?", (source_id, run_id))
    tx.execute(
        f"INSERT INTO {family.table} ({names}) SELECT {names} FROM {family.revisions} WHERE superseded_by = ?",
        (run_id,),
    )
    tx.execute(f"DELETE FROM {family.revisions} WHERE superseded_by = ?", (run_id,))


def _line(rows: pl.DataFrame, names: Sequence[str]) -> pl.Expr:
    """Columns of a row as one text, in the form in which `_sql_line` gives them."""
    parts = []
    for name in names:
        if rows[name].null_count() == rows.height:
            parts.append(pl.lit(""))
        else:
            text = pl.col(name) if rows.schema[name] == pl.String else pl.col(name).cast(pl.String)
            parts.append(text.fill_null("") if rows[name].null_count() else text)
    return pl.concat_str(parts, separator="\x1f")


def _sql_line(names: Sequence[str]) -> str:
    return f"format('{chr(31).join('%s' for _ in names)}', {', '.join(names)})"


def _sorted_groups(
    tx: Connection, rows: pl.DataFrame, family: Family, *, source_id: int, run_id: int
) -> tuple[pl.DataFrame, pl.DataFrame, int]:
    """Rows of groups that the store knows nothing of, rows of groups that differ, and the number in groups alike."""
    span = (pl.col(family.order).min().alias("first"), pl.col(family.order).max().alias("last"))
    spans = rows.group_by(family.group, maintain_order=True).agg(*span)
    within = (
        f"FROM {family.table} WHERE source_id = {int(source_id)} AND {family.group} = ?"
        f" AND {family.order} BETWEEN ? AND ?"
    )
    probe = f"SELECT 1 {within} LIMIT 1"
    known = [key for key in spans.iter_rows() if tx.execute(probe, key).fetchone()]
    if not known:
        return rows, rows.clear(), 0
    touched, fresh = rows, rows.clear()
    if len(known) < spans.height:
        touched = _of_groups(rows, family, [key[0] for key in known])
        fresh = rows.join(touched.select("position"), on="position", how="anti", maintain_order="left")
    odd, unchanged = [], 0
    names = (*family.keys[1:], *family.values)
    # One row more than asked for is enough to tell that the store has others in between.
    whole = (
        f"SELECT count(*), max(run_id), group_concat(line, char(30)) FROM (SELECT run_id, {_sql_line(names)} AS line"
        f" {within} ORDER BY {', '.join(family.keys[1:])} LIMIT ?)"
    )
    texts = (
        touched.sort(family.keys)
        .select(family.group, family.order, line=_line(touched, names))
        .group_by(family.group, maintain_order=True)
        .agg(*span, n=pl.len(), text=pl.col("line").str.join("\x1e"))
    )
    for group, first, last, n, text in texts.iter_rows():
        stored, newest_run, stored_text = tx.execute(whole, (group, first, last, n + 1)).fetchone()
        if stored == n and newest_run < run_id and stored_text == text:
            unchanged += n
        else:
            odd.append(group)
    return fresh, _of_groups(touched, family, odd), unchanged


def _of_groups(rows: pl.DataFrame, family: Family, groups: list[object]) -> pl.DataFrame:
    if not groups:
        return rows.clear()
    return rows.filter(
        pl.col(family.group).is_in(pl.Series(groups, dtype=rows.schema[family.group]).implode())
    )


def _stored(tx: Connection, rows: pl.DataFrame, family: Family, source_id: int) -> pl.DataFrame:
    """What the store has in the ranges of keys that `rows` touch: keys, `stored_run`, `stored_line`."""
    spans = rows.group_by(family.group, maintain_order=True).agg(
        first=pl.col(family.order).min(), last=pl.col(family.order).max(), n=pl.len()
    )
    head = (
        f"SELECT {', '.join(family.keys)}, run_id, {_sql_line(family.values)} FROM {family.table}"
        f" WHERE source_id = {int(source_id)}"
    )
    by_range = f"{head} AND {family.group} = ? AND {family.order} BETWEEN ? AND ? LIMIT ?"
    found: list[tuple[object, ...]] = []
    for group, first, last, n in spans.iter_rows():
        limit = RANGE_FACTOR * n + _SPARE_ROWS
        part = tx.execute(by_range, (group, first, last, limit)).fetchall()
        if len(part) == limit:
            part = _by_key(tx, rows.filter(pl.col(family.group) == group), family, head)
        found += part
    schema = {name: rows.schema[name] for name in family.keys} | {
        "stored_run": pl.Int64,
        "stored_line": pl.String,
    }
    if not found:
        return pl.DataFrame(schema=schema)
    columns = zip(*found, strict=True)
    return pl.DataFrame(
        [
            pl.Series(name, column, dtype=dtype)
            for (name, dtype), column in zip(schema.items(), columns, strict=True)
        ]
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
