"""Runs: one attempt at one payload each, with counters that the database itself checks."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from dataspine.schemas.run import RunCounts, Standing
from dataspine.schemas.source import Kind
from dataspine.store.dead_letters import remove_of_run
from dataspine.store.rows import FAMILIES, roll_back

if TYPE_CHECKING:
    from dataspine.schemas.run import RunStart, RunState
    from dataspine.store.sqlite import Connection


def start(tx: Connection, begin: RunStart) -> int:
    """Number of a new running run."""
    cursor = tx.execute(
        "INSERT INTO runs (source_id, payload_id, kind, state, config_hash, code_version, started_at_us, owner)"
        " VALUES (?, ?, ?, 'running', ?, ?, ?, ?)",
        (
            begin.source_id,
            begin.payload_id,
            begin.kind,
            begin.config_hash,
            begin.code_version,
            begin.started_at_us,
            begin.owner,
        ),
    )
    return int(cursor.lastrowid or 0)


def finish(
    tx: Connection,
    run_id: int,
    state: RunState,
    counts: RunCounts,
    *,
    digest: str | None,
    batch_seq: int,
    now_us: int,
) -> None:
    """Close a run. The CHECK on the table refuses counters that do not add up."""
    numbers = asdict(counts)
    reasons, skipped = numbers.pop("reasons"), numbers.pop("skipped_by")
    sets = ", ".join(f"{name} = ?" for name in numbers)
    tx.execute(
        f"UPDATE runs SET state = ?, finished_at_us = ?, digest = ?, batch_seq = ?, reasons_json = ?,"
        f" skipped_json = ?, {sets} WHERE run_id = ?",
        (
            state,
            now_us,
            digest,
            batch_seq,
            json.dumps(reasons, sort_keys=True),
            json.dumps(skipped, sort_keys=True),
            *numbers.values(),
            run_id,
        ),
    )


def take_back(tx: Connection, run_id: int, *, now_us: int) -> None:
    """Undo a run that never finished: its rows and letters go, the versions it replaced return."""
    source_id, payload_id, kind = tx.execute(
        "SELECT r.source_id, r.payload_id, s.kind FROM runs r JOIN sources s USING (source_id) WHERE run_id = ?",
        (run_id,),
    ).fetchone()
    roll_back(tx, FAMILIES[Kind(kind)], source_id=source_id, run_id=run_id)
    remove_of_run(tx, run_id, payload_id)
    tx.execute("UPDATE runs SET state = 'interrupted', finished_at_us = ? WHERE run_id = ?", (now_us, run_id))


_COUNTERS = (
    "rows_read",
    "inserted",
    "unchanged",
    "corrected",
    "rejected",
    "duplicate",
    "skipped",
    "out_of_order",
)


def standing(tx: Connection, payload_id: int, *, config_hash: str, code_version: str) -> Standing | None:
    """The newest publication of a payload, if profile and code are the same and no run of its source wrote since."""
    found = tx.execute(
        f"SELECT run_id, digest, reasons_json, skipped_json, {', '.join(_COUNTERS)} FROM runs r WHERE payload_id = ?"
        " AND config_hash = ? AND code_version = ? AND kind = 'ingest' AND state = 'succeeded'"
        " AND NOT EXISTS (SELECT 1 FROM runs o WHERE o.source_id = r.source_id AND o.run_id > r.run_id"
        " AND (o.inserted > 0 OR o.corrected > 0)) ORDER BY run_id DESC LIMIT 1",
        (payload_id, config_hash, code_version),
    ).fetchone()
    if found is None:
        return None
    run_id, digest, reasons, skipped, *numbers = found
    counters = dict(zip(_COUNTERS, numbers, strict=True))
    return Standing(
        run_id, RunCounts(**counters, reasons=json.loads(reasons), skipped_by=json.loads(skipped)), digest
    )


def running(tx: Connection, source_id: int) -> list[int]:
    """Runs of a source that have not finished."""
    found = tx.execute("SELECT run_id FROM runs WHERE state = 'running' AND source_id = ?", (source_id,))
    return [int(row[0]) for row in found.fetchall()]
