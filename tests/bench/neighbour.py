"""A second process that makes small writes, as a console does, and notes how long each had to wait."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING, Any

from dataspine.schemas.audit_event import EventType, NewEvent
from tests.bench.contender import READY
from tests.bench.product import desk_at

if TYPE_CHECKING:
    from dataspine.pipeline.spine import Spine

PAUSE_S = 0.01
"""Between two writes."""
WRITES_ALONE = 100


def alone(file: Path, home: Path) -> Callable[[], dict[str, Any]]:
    """Nobody else writes: what the disk itself costs."""
    del file
    desk = desk_at(home)

    def work() -> dict[str, Any]:
        with desk.acting() as spine:
            return _summary([_write(spine) for _ in range(WRITES_ALONE)])

    return work


def beside_ingest(file: Path, home: Path) -> Callable[[], dict[str, Any]]:
    """Writes from the first moment of an ingest to its last."""
    desk = desk_at(home)
    with desk.acting():
        pass
    command = [sys.executable, "-m", "tests.bench.contender", "dataspine-quotes", str(file), str(home)]
    ingest = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def work() -> dict[str, Any]:
        waits: list[tuple[float, float]] = []
        with desk.acting() as spine, ingest:
            if ingest.stdout is None or ingest.stdout.readline().strip() != READY:
                raise RuntimeError("the ingest did not begin")
            while ingest.poll() is None:
                waits.append(_write(spine))
            done = json.loads(ingest.stdout.read())
        return {
            **_summary(waits),
            "ingest_rows_per_s": done["rows_per_s"],
            "rows_stored": done["rows_stored"],
        }

    return work


def _write(spine: Spine) -> tuple[float, float]:
    """One audit event in a transaction: milliseconds until it could begin, and until it was committed."""
    time.sleep(PAUSE_S)
    connection = spine.workspace.database.connection
    asked_s = time.perf_counter()
    connection.execute("BEGIN IMMEDIATE")
    begun_s = time.perf_counter()
    spine.record(connection, NewEvent(EventType.LETTER_RESTORED, "dead_letter", "0"))
    connection.execute("COMMIT")
    return 1000 * (begun_s - asked_s), 1000 * (time.perf_counter() - asked_s)


def _summary(waits: list[tuple[float, float]]) -> dict[str, Any]:
    begun_ms, done_ms = ([wait[place] for wait in waits] for place in (0, 1))
    begun, done = (quantiles(series, n=100, method="inclusive") for series in (begun_ms, done_ms))
    return {
        "writes": len(waits),
        "wait_p50_ms": begun[49],
        "wait_p95_ms": begun[94],
        "wait_p99_ms": begun[98],
        "wait_max_ms": max(begun_ms),
        "commit_p95_ms": done[94],
        "commit_max_ms": max(done_ms),
    }
