"""The reference page of the database: made of the tables as SQLite itself knows them, comments included."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory

from dataspine.clock import SystemClock
from dataspine.store.workspace import Workspace

HEAD = """\
# Database

Written by `python docs/build_reference.py` from `dataspine/store/sql/` as SQLite keeps it.

One SQLite file, `dataspine.db` in the workspace, is the state of everything. Read it with any tool while Dataspine
runs: `sqlite3 -readonly workspace/dataspine.db 'SELECT * FROM runs_view'`. Never copy, hash or zip the file with `cp`
while a process of Dataspine has it open, and never write to it: closing a plain file handle drops SQLite's locks, and
a table that was changed from outside is found by `dataspine account` and `dataspine doctor --deep`.

## How values are kept

- Times are INTEGER microseconds since 1970-01-01T00:00:00Z (UTC); their columns end in `_us`.
- Prices and quantities are TEXT: plain decimals without exponent and without needless zeros, 20 digits before and 18
  after the point at most. Nothing is a floating-point number, anywhere.
- Hashes are lower-case hexadecimal SHA-256.
- Every table is STRICT. Tables of rows are WITHOUT ROWID on integer keys.
- A row never says "deleted". Old versions stand in `market_revisions` and `trade_revisions`, dead letters are marked,
  audit events are only added; triggers refuse the rest.

A run that has not finished is hidden: read `market_data_visible`, `trade_data_visible` or the views above them, not
the tables ([why](../adr/0003-visible-when-whole.md)).

## SQLite version

Releases 3.7.0 to 3.51.2 can corrupt a WAL database when two connections write and checkpoint at one instant; 3.51.3
and the backports 3.44.6 and 3.50.7 are free of it. Dataspine brings its own SQLite (pysqlite3) where there are
wheels; elsewhere `dataspine doctor` reports SQLITE_WAL_RACE when Python's own is too old.

The file is opened in WAL mode with `synchronous = FULL`: with NORMAL, acknowledged batches were lost in 37 of 120
simulated power cuts, with FULL in none.
"""

TABLES = {
    "sources": "Sources that were ever ingested from, with their counters.",
    "source_profiles": "Every mapping that a run used, whole.",
    "symbols": "Canonical symbols.",
    "symbol_aliases": "What vendors call them.",
    "payloads": "Archived bytes: one row a source, content and object name.",
    "runs": "Attempts at payloads, with their account. The CHECK is the accounting identity.",
    "market_data": "Bars, quotes and snapshots: the newest version of each key.",
    "trade_data": "Executions: the newest version of each key.",
    "market_revisions": "Versions of market rows that a later run replaced.",
    "trade_revisions": "Versions of executions that a later run replaced.",
    "dead_letters": "Records, payloads and batches that were refused, with their bytes and every reason.",
    "dead_letter_counts": "Letters by source, first code and state, kept by triggers.",
    "audit_events": "The audit log, a hash chain ([form](audit_events.md)).",
    "sessions": "Trading sessions of exchanges that took the place of those shipped with the package.",
    "session_overrides": "What operators said of single dates, over any version of a calendar.",
    "lease": "Which engine may write ([why](../adr/0007-lease-and-slices.md)): one row.",
    "plans": "Backfills as they were planned, frozen.",
    "jobs": "What operators and the schedule asked for.",
    "job_slices": "A job's slices, one partition each, with their own state and account.",
    "occurrences": "Every instant at which a source was due, and what became of it.",
    "next_fires": "When each source is due next, kept by the engine for those who look.",
    "source_health": "Failures of each source in a row, and when one that failed is tried again.",
    "rate_buckets": "Requests that each vendor takes now, shared by all lanes and processes.",
    "taken_objects": "Files that were taken when complete, and how far growing ones were read.",
    "schema_migrations": "Steps of the schema that this database has.",
}
"""What a table holds; the order of the page."""

SHARED = {
    "source_id": "source, see `sources`",
    "symbol_id": "canonical symbol, see `symbols`",
    "payload_id": "payload, see `payloads`",
    "payloads.payload_id": "our number for it",
    "run_id": "run that wrote this version",
    "runs.run_id": "our number for it, rising; a source's runs are serial",
    "runs.state": "running, succeeded, interrupted, or rejected: nothing published, one letter for payload or batch",
    "first_used_us": "when a run used it first",
    "applied_at_us": "when it was applied",
    "letter_id": "our number for it, rising",
    "revision_id": "our number for it, rising",
    "superseded_by": "run that replaced this version",
    "position": "record's ordinal in the run's payload, from 1",
    "price": "above zero",
    "quantity": "above zero",
    "venue": "where it was executed",
    "open": "first price of the bar",
    "high": "highest price of the bar",
    "low": "lowest price of the bar",
    "vwap": "volume-weighted average price",
    "trade_count": "trades in the bar",
    "kind": "what made the run: a payload, or letters tried again",
    "started_at_us": "when the run began",
    "finished_at_us": "when the run ended; null while it runs",
    "raw_sha256": "of `raw`",
    "dead_letters.created_at_us": "when the letter was written",
    "changed_at_us": "when the letter last changed",
    "at_us": "when it happened, by the writer's clock",
    "event_type": "what happened",
    "entity_type": "kind of thing that changed",
    "entity_id": "which one",
    "old_state": "state before, where there is one",
    "new_state": "state after, where there is one",
    "metadata_json": "the rest, canonical JSON",
    "code": "first reason's code",
    "dead_letters.state": "open, resolved or discarded",
    "dead_letter_counts.state": "open, resolved or discarded",
    "letters": "how many",
    "session_overrides.calendar": "name, e.g. XNYS",
    "session_overrides.close_us": "NULL where the exchange is closed",
    "session_overrides.break_end_us": "NULL where there is no break",
    "session_overrides.created_at_us": "when it was laid over",
    "scope": "what the letter stands for",
}
"""Meanings of columns that the SQL leaves without a comment because their name says them; of one table, or of all."""
_SIBLINGS = {"market_revisions": "market_data", "trade_revisions": "trade_data"}

_COLUMN = re.compile(r"^\s+([a-z_0-9]+)\s+(INTEGER|TEXT|BLOB|REAL|ANY)\b(.*)$")
_CONSTRAINT = re.compile(r"^\s+((?:PRIMARY KEY|UNIQUE) \(.*\))")


def database_page() -> str:
    """Every table, column and view."""
    schema = _schema()
    if TABLES.keys() != schema["table"].keys():
        odd = sorted(TABLES.keys() ^ schema["table"].keys())
        raise ValueError(f"TABLES of this file and the SQL differ in {odd}")
    meanings = {name: column_meanings(sql) for name, sql in schema["table"].items()}
    parts = [HEAD]
    for name, sentence in TABLES.items():
        parts.append(f"\n## {name}\n\n{sentence}{_key(schema['table'][name])}\n")
        parts.append("\n| column | type | null | meaning |\n|---|---|---|---|\n")
        known = meanings.get(_SIBLINGS.get(name, ""), {})
        for column, (kind, may_be_null, comment) in meanings[name].items():
            shared = SHARED.get(f"{name}.{column}") or SHARED.get(column, "")
            meaning = comment or known.get(column, ("", False, ""))[2] or shared
            if not meaning:
                raise ValueError(f"{name}.{column} needs a comment in the SQL")
            parts.append(f"| `{column}` | {kind} | {'yes' if may_be_null else 'no'} | {_cell(meaning)} |\n")
    parts.append("\n## Views\n\nNames in place of numbers, ISO 8601 UTC in place of microseconds.\n\n")
    parts += [f"- `{name}`\n" for name in sorted(schema["view"])]
    return "".join(parts)


def column_meanings(sql: str) -> dict[str, tuple[str, bool, str]]:
    """Type, nullability and comment of each column of a CREATE TABLE."""
    found = {}
    for line in sql.splitlines():
        match = _COLUMN.match(line)
        if match:
            name, kind, rest = match.groups()
            rule, _, comment = rest.partition("--")
            may_be_null = "NOT NULL" not in rule and "PRIMARY KEY" not in rule
            found[name] = (kind, may_be_null, comment.strip())
    return found


def _schema() -> dict[str, dict[str, str]]:
    """The statements that made a new database, by type and name."""
    found: dict[str, dict[str, str]] = {"table": {}, "view": {}}
    with TemporaryDirectory() as folder, Workspace(Path(folder) / "workspace", SystemClock()) as workspace:
        query = "SELECT type, name, sql FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"
        for kind, name, sql in workspace.database.rows(query):
            found[kind][name] = sql
    return found


def _key(sql: str) -> str:
    keys = [match[1] for line in sql.splitlines() if (match := _CONSTRAINT.match(line))]
    return "".join(f" {key}." for key in keys)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
