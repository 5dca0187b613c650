"""What a store holds, without the numbers that depend on how often somebody tried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dataspine.audit import anchors, verify_log

if TYPE_CHECKING:
    from pathlib import Path

    from dataspine.store.database import Database

Rows = list[tuple[Any, ...]]

_FIELDS = {
    "market": "y.symbol, t.timestamp_us, t.interval_s, t.price, t.volume, t.open, t.high, t.low, t.vwap,"
    " t.trade_count, t.volume_kind",
    "trade": "t.client_id, t.trade_id, y.symbol, t.timestamp_us, t.side, t.quantity, t.price, t.venue,"
    " t.exec_type, t.ref_trade_id",
}
_PLACE = "t.position, p.sha256, p.object_name"
_JOINS = (
    " JOIN symbols y USING (symbol_id) JOIN sources s USING (source_id)"
    " JOIN runs r ON r.run_id = t.run_id JOIN payloads p USING (payload_id)"
)
_LETTERS = (
    "SELECT p.sha256, p.object_name, d.scope, d.position, d.records, d.raw, d.context_json, d.reasons_json, d.code,"
    " d.fingerprint, d.state, d.attempts, d.edited, d.resolved_key FROM dead_letters d"
    " JOIN sources s USING (source_id) JOIN payloads p USING (payload_id)"
)


@dataclass(frozen=True, slots=True)
class Stored:
    """Rows, old versions and letters of one source."""

    rows: Rows
    revisions: Rows
    letters: Rows


def stored_of(database: Database, source: str, *, kind: str = "market") -> Stored:
    """Everything of a source that must not depend on crashes, chunks or the number of attempts."""
    fields = _FIELDS[kind]
    one = " WHERE s.name = ? ORDER BY 1, 2, 3, 4, 5, 6"
    rows = database.rows(f"SELECT {fields}, {_PLACE} FROM {kind}_data t{_JOINS}{one}", (source,))
    revisions = database.rows(
        f"SELECT {fields}, {_PLACE}, q.sha256 FROM {kind}_revisions t{_JOINS}"
        f" JOIN runs n ON n.run_id = t.superseded_by JOIN payloads q ON q.payload_id = n.payload_id{one}",
        (source,),
    )
    return Stored(rows, revisions, database.rows(_LETTERS + one, (source,)))


def finished_runs(database: Database, source: str) -> Rows:
    """State, counters and digest of every run that was not interrupted, oldest first."""
    return database.rows(
        "SELECT r.state, rows_read, inserted, unchanged, corrected, rejected, duplicate, skipped, out_of_order,"
        " reasons_json, skipped_json, digest FROM runs r JOIN sources s USING (source_id)"
        " WHERE s.name = ? AND r.state <> 'interrupted' ORDER BY run_id",
        (source,),
    )


def assert_sound(database: Database, home: Path) -> None:
    """The file is whole, the audit chain holds against its anchors, and no run is left open."""
    assert database.rows("PRAGMA integrity_check") == [("ok",)]
    assert database.rows("PRAGMA foreign_key_check") == []
    report = verify_log(database.connection, anchors.read_anchors(home / anchors.FILE_NAME))
    assert report.ok, report.what
    assert database.rows("SELECT run_id FROM runs WHERE state = 'running'") == []
