"""Processes that ingest, read, or are killed; run as `python -m tests.simulation.ingest_process WORD HOME ...`."""

from __future__ import annotations

import os
import signal
import sys
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from dataspine.clock import HeldClock, SystemClock
from dataspine.errors import DataspineError
from dataspine.pipeline.ingest import IngestOptions, ingest_payload
from dataspine.pipeline.spine import Spine
from dataspine.schemas.audit_event import Actor, Channel
from dataspine.store.workspace import Workspace, open_for_reading
from tests.builders import NOW_US, quote_profile
from tests.simulation.processes import READY
from tests.simulation.visible import visible_content

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataspine.schemas.run import RunSummary
    from dataspine.schemas.source import SourceProfile
    from dataspine.store.sqlite import Connection

CHUNK_RECORDS = 500
READER_PAUSE_S = 0.01
NEVER = 0


def day_profile(name: str = "day") -> SourceProfile:
    """The source of `market_day` payloads."""
    fields = {field: {"column": field} for field in ("symbol", "price", "volume")}
    fields["timestamp"] = {"column": "timestamp", "unit": "s"}
    return quote_profile(name, format="ndjson", fields=fields)


def ingest_file(spine: Spine, file: Path, *, source: str = "day") -> RunSummary:
    """Keep a file's bytes and ingest them in chunks; what stands anchored is what was acknowledged."""
    payload = spine.workspace.archive.keep(
        [file.read_bytes()], object_name=file.name, received_at_us=spine.clock.now_us()
    )
    options = IngestOptions(chunk_records=CHUNK_RECORDS)
    summary = ingest_payload(spine, day_profile(source), payload, options=options)
    spine.anchor()
    return summary


def open_spine(home: Path) -> Spine:
    """The workspace, on a clock that moves but always says one date."""
    return Spine(Workspace(home, HeldClock(NOW_US)), Actor("tester", Channel.LIBRARY))


def killed_at(connection: Connection, statement: int) -> Callable[[str], None]:
    """Watch a connection and die just before it runs its statement of this number."""
    numbers = count(1)

    def watch(_sql: str) -> None:
        if next(numbers) == statement:
            os.kill(os.getpid(), signal.SIGKILL)

    connection.set_trace_callback(watch)
    return watch


def ingest(home: Path, file: str, source: str, statement: str) -> None:
    """Say `ready`, wait for a line, ingest; die at a statement if one is named."""
    print(READY, flush=True)
    sys.stdin.readline()
    with (spine := open_spine(home)).workspace as workspace:
        if int(statement) != NEVER:
            killed_at(workspace.database.connection, int(statement))
        summary = ingest_file(spine, Path(file), source=source)
        print(summary.run_id, summary.digest, flush=True)


def poll(home: Path, source: str) -> None:
    """Print each content that a reader sees, once, until a line comes in."""
    os.set_blocking(sys.stdin.fileno(), False)
    seen: set[str] = set()
    is_stopped = False
    with open_for_reading(home) as database:
        print(READY, flush=True)
        while not is_stopped:
            is_stopped = bool(sys.stdin.buffer.read(1))
            content = visible_content(database, source)
            if content not in seen:
                seen.add(content)
                print(content, flush=True)
            SystemClock().sleep_s(READER_PAUSE_S)


if __name__ == "__main__":
    word, place, *rest = sys.argv[1:]
    try:
        {"ingest": ingest, "poll": poll}[word](Path(place), *rest)
    except DataspineError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from error
