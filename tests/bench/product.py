"""Ours, the whole of it: transport, archive, contracts, dead letters, run row, audit event, one commit a chunk."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from dataspine.clock import SystemClock
from dataspine.config import profile_from_table
from dataspine.schemas.audit_event import Actor, Channel
from dataspine.service.desk import Desk

if TYPE_CHECKING:
    from dataspine.schemas.source import SourceProfile

WARM_UP_POLLS = 5


def desk_at(home: Path) -> Desk:
    """The desk of whoever measures."""
    return Desk(home, SystemClock(), Actor("bench", Channel.LIBRARY))


def quotes(file: Path, home: Path) -> Callable[[], dict[str, Any]]:
    """A file of the preset `iex_quote`."""
    return _ingest(file, home, profile_from_table("quotes", {"preset": "iex_quote"}))


def executions(file: Path, home: Path) -> Callable[[], dict[str, Any]]:
    """A file of the preset `execution_csv`."""
    return _ingest(file, home, profile_from_table("executions", {"preset": "execution_csv"}))


def polls(folder: Path, home: Path) -> Callable[[], dict[str, Any]]:
    """Small payloads one after the other in a process that is warm, each fetched, kept, judged and committed."""
    from dataspine.adapters.transport import FileTransport
    from dataspine.pipeline.ingest import ingest_payload

    profile = profile_from_table("quotes", {"preset": "iex_quote"})
    files = sorted(folder.iterdir())
    desk = desk_at(home)

    def work() -> dict[str, Any]:
        cpu_ms, wall_ms, read = [], [], 0
        with desk.acting() as spine:
            for file in files:
                wall_s, cpu_s = time.perf_counter(), time.process_time()
                for fetched in FileTransport(file.name, root=file.parent).fetch():
                    payload = spine.workspace.archive.keep(
                        fetched.open(), object_name=fetched.object_name, received_at_us=desk.clock.now_us()
                    )
                    read += ingest_payload(spine, profile, payload).counts.rows_read
                cpu_ms.append(1000 * (time.process_time() - cpu_s))
                wall_ms.append(1000 * (time.perf_counter() - wall_s))
        warm = slice(min(WARM_UP_POLLS, len(files) - 1), None)
        return {
            "rows_read": read,
            "polls": len(cpu_ms[warm]),
            "poll_cpu_ms": median(cpu_ms[warm]),
            "poll_wall_ms": median(wall_ms[warm]),
            "poll_wall_max_ms": max(wall_ms[warm]),
        }

    return work


def verify(audited: Path, home: Path) -> Callable[[], dict[str, Any]]:
    """Every event of an audit log hashed again and held against the anchors."""
    del home
    from dataspine.service import audit

    desk = desk_at(audited)

    def work() -> dict[str, Any]:
        report = audit.verify(desk)
        if not report.ok:
            raise RuntimeError(f"the audit log does not verify: {report.what}")
        return {"events": report.events}

    return work


def _ingest(file: Path, home: Path, profile: SourceProfile) -> Callable[[], dict[str, Any]]:
    # Loaded before the clock runs, as the other contenders' libraries are.
    import dataspine.adapters.transport
    import dataspine.pipeline.ingest  # noqa: F401 - loaded for its effect
    from dataspine.service.ingest import ingest_source

    desk = desk_at(home)
    with desk.acting():
        pass

    def work() -> dict[str, Any]:
        (summary,) = ingest_source(desk, profile, files=[file])
        counts = summary.counts
        return {
            "rows_read": counts.rows_read,
            "rows_stored": counts.inserted,
            "unchanged": counts.unchanged,
            "rejected": counts.rejected,
        }

    return work
