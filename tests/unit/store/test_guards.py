"""Plain SQL from outside cannot lose a letter, change its bytes, rewrite the audit log or unbalance a run."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.builders import ingest_quotes, make_spine, quote

if TYPE_CHECKING:
    from pathlib import Path

KEPT = "never deleted|never replaced|never change|append-only|stays as it ended|CHECK constraint|UNIQUE constraint"
_AUDIT = "audit_events (sequence, at_us, actor, channel, event_type, entity_type, entity_id, prev_hash, hash)"
_LETTER = (
    "dead_letters (letter_id, source_id, payload_id, run_id, scope, position, records, raw, raw_sha256, reasons_json,"
    " code, fingerprint, rule_version, created_at_us, changed_at_us)"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed database with a row, a letter, a run and audit events."""
    with (spine := make_spine(tmp_path)).workspace as workspace:
        ingest_quotes(spine, [quote(), quote("BBB", price="-1")])
        return workspace.database.path


def _content(path: Path) -> list[list[tuple[object, ...]]]:
    tables = ("dead_letters", "audit_events", "runs", "dead_letter_counts", "sources")
    with closing(sqlite3.connect(path)) as plain:
        return [plain.execute(f"SELECT * FROM {table}").fetchall() for table in tables]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM dead_letters",
        "UPDATE dead_letters SET raw = x'00'",
        "UPDATE dead_letters SET raw_sha256 = 'x'",
        "UPDATE dead_letters SET payload_id = 2",
        "UPDATE dead_letters SET position = 9",
        "UPDATE dead_letters SET run_id = 7",
        "UPDATE dead_letters SET letter_id = 7",
        "UPDATE dead_letters SET scope = 'batch'",
        "UPDATE dead_letters SET context_json = '{}'",
        "UPDATE OR REPLACE dead_letters SET raw = x'00'",
        f"INSERT OR REPLACE INTO {_LETTER} VALUES (1, 1, 1, 1, 'record', 9, 1, x'00', '', '[]', 'X', 'X', '1', 0, 0)",
        "UPDATE audit_events SET actor = 'nobody'",
        "UPDATE OR REPLACE audit_events SET hash = 'x'",
        "DELETE FROM audit_events",
        f"INSERT OR REPLACE INTO {_AUDIT} VALUES (1, 0, 'x', 'cli', 'x', 'x', 'x', 'x', 'x')",
        f"REPLACE INTO {_AUDIT} VALUES (1, 0, 'x', 'cli', 'x', 'x', 'x', 'x', 'x')",
        "UPDATE runs SET state = 'running'",
        "UPDATE runs SET inserted = inserted + 1",
        "UPDATE runs SET rows_read = rows_read - 1",
        "DELETE FROM runs",
    ],
)
def test_the_statement_is_refused(path: Path, statement: str) -> None:
    before = _content(path)
    with closing(sqlite3.connect(path)) as plain, pytest.raises(sqlite3.IntegrityError, match=KEPT), plain:
        plain.execute(statement)
    assert _content(path) == before


@pytest.mark.parametrize("conflict", ["OR IGNORE", "OR REPLACE", ""])
def test_a_second_letter_for_one_record_is_not_taken(path: Path, conflict: str) -> None:
    before = _content(path)
    with closing(sqlite3.connect(path)) as plain, plain:
        plain.execute(
            f"INSERT {conflict} INTO {_LETTER}"
            " VALUES (NULL, 1, 1, 1, 'record', 2, 1, x'00', '', '[]', 'X', 'X', '1', 0, 0)"
        )
    assert _content(path) == before
