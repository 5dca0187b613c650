"""The account of every run, counted again from the tables: rows, old versions and dead letters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from dataspine.store.database import Database


class Counters(NamedTuple):
    """rows_read = inserted + unchanged + corrected + rejected + duplicate."""

    rows_read: int
    inserted: int
    unchanged: int
    corrected: int
    rejected: int
    duplicate: int


@dataclass(frozen=True, slots=True)
class RunAccount:
    """A closed run: what it recorded, and what the tables hold of it."""

    run_id: int
    source: str
    kind: str
    state: str
    payload_id: int
    payload_sha256: str
    object_name: str
    config_hash: str
    code_version: str
    digest: str | None
    recorded: Counters
    counted: Counters
    """`unchanged` and `duplicate` leave no row behind and are the run's own."""

    @property
    def balanced(self) -> bool:
        """Whether the tables hold exactly what the run recorded."""
        return self.recorded == self.counted


@dataclass(frozen=True, slots=True)
class SourceCounters:
    """Counters that a source's row keeps, and the same counted from the tables."""

    source: str
    rows_stored: int
    rows_counted: int
    open_letters: int
    letters_counted: int

    @property
    def balanced(self) -> bool:
        """Whether both counters are right."""
        return self.rows_stored == self.rows_counted and self.open_letters == self.letters_counted


@dataclass(frozen=True, slots=True)
class Recount:
    """What `count_again` found."""

    runs: tuple[RunAccount, ...]
    """Oldest first."""
    sources: tuple[SourceCounters, ...]
    """Empty when one source or run was asked for."""
    running: int
    """Runs that are not closed; their rows are hidden and in no account."""


_RUNS = """
SELECT r.run_id, s.name, r.kind, r.state, r.payload_id, p.sha256, p.object_name, r.config_hash, r.code_version,
       r.digest, r.rows_read, r.inserted, r.unchanged, r.corrected, r.rejected, r.duplicate
  FROM runs r JOIN sources s USING (source_id) JOIN payloads p USING (payload_id)
 WHERE r.state <> 'running' AND (:source IS NULL OR s.name = :source) AND (:run_id IS NULL OR r.run_id = :run_id)
 ORDER BY r.run_id"""
_SOURCES = """
SELECT source_id, kind FROM sources s
 WHERE (:source IS NULL OR name = :source)
   AND (:run_id IS NULL OR source_id = (SELECT r.source_id FROM runs r WHERE r.run_id = :run_id))"""
_GROUPS = {"market": "symbol_id", "trade": "client_id"}
"""First column of each table's key after the source."""
# A letter stays where it is when its payload is judged again, so of a later run only this is certain: what the same
# code refused under the same profile, it refuses again. Under another profile the record may have passed, or may not
# have been read at all. A CONFLICT also depends on what was stored.
_REFUSED_RECORDS = """
SELECT r.run_id,
       sum(iif(l.run_id = r.run_id OR l.code <> 'CONFLICT'
               AND first.config_hash = r.config_hash AND first.code_version = r.code_version, l.records, 0)),
       sum(l.records)
  FROM runs r JOIN dead_letters l ON l.payload_id = r.payload_id AND l.run_id <= r.run_id AND l.scope = 'record'
  JOIN runs first ON first.run_id = l.run_id
 WHERE r.kind = 'ingest' AND r.state = 'succeeded' AND (:run_id IS NULL OR r.run_id = :run_id)
   AND (:source IS NULL OR r.source_id IN (SELECT source_id FROM sources WHERE name = :source))
 GROUP BY r.run_id"""
_REFUSED_WHOLE = """
SELECT r.run_id, ifnull(max(iif(l.run_id = r.run_id, l.records, NULL)), 0),
       ifnull(max(iif(l.run_id = r.run_id, l.records, NULL)), r.rejected)
  FROM runs r JOIN dead_letters l ON l.payload_id = r.payload_id AND l.run_id <= r.run_id AND l.scope <> 'record'
 WHERE r.state = 'rejected' AND (:run_id IS NULL OR r.run_id = :run_id)
   AND (:source IS NULL OR r.source_id IN (SELECT source_id FROM sources WHERE name = :source))
 GROUP BY r.run_id"""


def count_again(database: Database, *, source: str | None = None, run_id: int | None = None) -> Recount:
    """Every closed run, of one source or one run where named; reads every row that they may have written.

    One read transaction: a run that ends meanwhile would move rows from one table to the other under the count.
    """
    with _one_state(database):
        runs = _run_accounts(database, {"source": source, "run_id": run_id})
        kept = _source_counters(database, runs) if source is None and run_id is None else ()
        open_runs = database.rows("SELECT run_id FROM runs WHERE state = 'running'")
    return Recount(tuple(runs), kept, len(open_runs))


@contextmanager
def _one_state(database: Database) -> Iterator[None]:
    """All reads within see the database as the first one does."""
    database.rows("BEGIN")
    try:
        yield
    finally:
        database.rows("COMMIT")


def _run_accounts(database: Database, only: dict[str, Any]) -> list[RunAccount]:
    written: dict[int, int] = {}
    replaced: dict[int, int] = {}
    for source_id, kind in database.rows(_SOURCES, only):
        for number, count in _stored_counts(database, source_id, group=_GROUPS[kind], table=f"{kind}_data"):
            written[number] = written.get(number, 0) + count
    for kind in _GROUPS:
        for number, count in database.rows(f"SELECT run_id, count(*) FROM {kind}_revisions GROUP BY run_id"):
            written[number] = written.get(number, 0) + count
        replaced.update(
            database.rows(f"SELECT superseded_by, count(*) FROM {kind}_revisions GROUP BY superseded_by")
        )
    refused = {
        number: (least, most)
        for query in (_REFUSED_RECORDS, _REFUSED_WHOLE)
        for number, least, most in database.rows(query, only)
    }
    return [
        _account(row, written.get(row[0], 0), replaced.get(row[0], 0), refused.get(row[0], (0, 0)))
        for row in database.rows(_RUNS, only)
    ]


def _stored_counts(
    database: Database, source_id: int, *, group: str, table: str
) -> Iterator[tuple[int, int]]:
    """Rows by run, group after group of the key: grouping ten million rows at once takes 500 MB."""
    count = f"SELECT run_id, count(*) FROM {table} WHERE source_id = ? AND {group} = ? GROUP BY run_id"
    following = f"SELECT min({group}) FROM {table} WHERE source_id = ? AND {group} > ?"
    # Numbers of symbols begin at 1, and any text stands behind every number.
    key: object = 0
    while (found := database.one(following, (source_id, key))) and found[0] is not None:
        key = found[0]
        for number, rows in database.rows(count, (source_id, key)):
            yield int(number), int(rows)


def _source_counters(database: Database, runs: Sequence[RunAccount]) -> tuple[SourceCounters, ...]:
    """The kept counters of every source against the accounts of all its runs, and against its letters."""
    inserted: dict[str, int] = {}
    for account in runs:
        inserted[account.source] = inserted.get(account.source, 0) + account.counted.inserted
    kept = database.rows(
        "SELECT name, rows_stored, open_letters, (SELECT count(*) FROM dead_letters l"
        " WHERE l.source_id = s.source_id AND l.state = 'open') FROM sources s ORDER BY name"
    )
    return tuple(
        SourceCounters(name, rows, inserted.get(name, 0), letters, counted)
        for name, rows, letters, counted in kept
    )


def _account(row: tuple[Any, ...], written: int, corrected: int, refused: tuple[int, int]) -> RunAccount:
    recorded = Counters(*row[10:])
    least, most = refused
    # A redrive refuses into letters that were there before it, so it has no letters of its own to count.
    rejected = recorded.rejected if row[2] == "redrive" else min(max(recorded.rejected, least), most)
    parts = (written - corrected, recorded.unchanged, corrected, rejected, recorded.duplicate)
    return RunAccount(*(*row[:10], recorded, Counters(sum(parts), *parts)))
