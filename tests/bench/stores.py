"""Large stores made quickly by plain SQL, so that reading them can be measured; kept where they are made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataspine.audit import writer
from dataspine.schemas.audit_event import EventType, NewEvent
from tests.bench import input_files
from tests.bench.input_files import OPEN_MS, SYMBOLS
from tests.bench.product import desk_at, quotes

if TYPE_CHECKING:
    from dataspine.pipeline.spine import Spine

EVENTS_AT_ONCE = 50_000
SEED_ROWS = 10_000
"""Quotes of the real ingest, which meets every symbol."""
_ROWS = """
INSERT INTO market_data (source_id, symbol_id, timestamp_us, interval_s, price, volume, volume_kind, run_id, position)
WITH RECURSIVE
  symbol(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM symbol WHERE n < :symbols),
  step(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM step WHERE n < :steps)
SELECT :source_id, symbol.n, :start_us + step.n * 1000, 0, (500 + step.n % 400) || '.' || (step.n % 9 + 1),
       step.n, 'cumulative', :run_id, step.n
FROM symbol CROSS JOIN step
"""


def large_store(path: Path, home: Path) -> Callable[[], dict[str, Any]]:
    """As many market rows as the path's name says, `store-1000`: one real ingest, the rest by one statement."""
    rows, seed = _number_in(path), home / "seed.json"
    home.mkdir(parents=True)
    input_files.quotes(SEED_ROWS, seed)
    ingest = quotes(seed, path)

    def work() -> dict[str, Any]:
        ingest()
        with desk_at(path).acting() as spine:
            return {"rows_made": _fill(spine, rows)}

    return work


def audit_log(path: Path, home: Path) -> Callable[[], dict[str, Any]]:
    """As many events as the path's name says, `audit-1000`, sealed and anchored as any other."""
    del home
    events, desk = _number_in(path), desk_at(path)

    def work() -> dict[str, Any]:
        with desk.acting() as spine:
            for start in range(0, events, EVENTS_AT_ONCE):
                _append(spine, range(start, min(start + EVENTS_AT_ONCE, events)))
        return {"events": events}

    return work


def _number_in(path: Path) -> int:
    return int(path.name.rpartition("-")[2])


def _fill(spine: Spine, rows: int) -> int:
    per_symbol = max(1, rows // SYMBOLS)
    database = spine.workspace.database
    with database.transaction() as tx:
        source_id, run_id = tx.execute("SELECT source_id, last_run_id FROM sources").fetchone()
        # A day before the seed's quotes, so that no key is met twice.
        start_us = (OPEN_MS - 86_400_000) * 1000
        place = {"source_id": source_id, "run_id": run_id, "start_us": start_us}
        made = tx.execute(_ROWS, {**place, "symbols": SYMBOLS, "steps": per_symbol}).rowcount
        tx.execute("UPDATE sources SET rows_stored = rows_stored + ? WHERE source_id = ?", (made, source_id))
    return int(made)


def _append(spine: Spine, numbers: range) -> None:
    metadata = {"source": "quotes", "rows_read": 100, "inserted": 99, "rejected": 1}
    events = [
        NewEvent(EventType.RUN_SUCCEEDED, "run", str(number), "running", "succeeded", metadata)
        for number in numbers
    ]
    with spine.workspace.database.transaction() as tx:
        writer.append_many(tx, events, actor=spine.actor, at_us=spine.clock.now_us())
