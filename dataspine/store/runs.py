"""Runs: one attempt at one payload each, with counters that the database itself checks."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from dataspine.schemas.source import Kind
from dataspine.store.dead_letters import remove_of_run
from dataspine.store.rows import FAMILIES, roll_back

if TYPE_CHECKING:
    from dataspine.schemas.run import RunCounts, RunStart, RunState
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


def running(tx: Connection, source_id: int) -> list[int]:
    """Runs of a source that have not finished."""
    found = tx.execute("SELECT run_id FROM runs WHERE state = 'running' AND source_id = ?", (source_id,))
    return [int(row[0]) for row in found.fetchall()]
