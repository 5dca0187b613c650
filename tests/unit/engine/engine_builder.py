"""One builder a noun of the engine: setups, jobs, tenures, and slices that are carried out in the test's own thread."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dataspine.clock import FrozenClock
from dataspine.engine.build import EngineSetup
from dataspine.engine.heartbeat import Tenure
from dataspine.engine.jobs import claim
from dataspine.engine.requests import queue
from dataspine.engine.worker import Bench, work
from dataspine.presets import load_presets
from dataspine.schemas.job import JobKind, Lane, NewJob, NewSlice, SliceState
from dataspine.schemas.source import SourceProfile
from dataspine.store import jobs
from dataspine.store.jobs import Wanted
from tests.builders import NOW_US

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dataspine.pipeline.spine import Spine
    from dataspine.schemas.job import Slice
    from tests.loopback import Loopback

DAYS = ("2026-01-05", "2026-01-06", "2026-01-07")
HEADER = "symbol,timestamp,close,volume\n"


def bars_profile(name: str = "bars", **keys: object) -> SourceProfile:
    """A source of `generic_bars`."""
    return SourceProfile.model_validate({**load_presets()["generic_bars"], "name": name, **keys})


def line(minute: int = 0, *, day: str = DAYS[0], price: str = "187.25") -> str:
    """One good bar as a line."""
    return f"AAPL,{day}T15:{minute:02d}:00Z,{price},100\n"


def make_setup(home: Path, *profiles: SourceProfile) -> EngineSetup:
    """An engine's setup whose clock moves only when told and whose waits have no jitter."""
    home.mkdir(mode=0o700, exist_ok=True)
    return EngineSetup(
        home,
        FrozenClock(NOW_US),
        {profile.name: profile for profile in profiles},
        home,
        fraction=lambda: 1.0,
    )


@contextmanager
def tenure_of(setup: EngineSetup) -> Iterator[Tenure]:
    """The lease, for the time of the block."""
    tenure = Tenure(setup)
    try:
        yield tenure
    finally:
        tenure.abandon()


def make_job(
    spine: Spine,
    source: str = "bars",
    *,
    partitions: tuple[str, ...] = DAYS,
    lane: Lane = Lane.BACKFILL,
    **request: object,
) -> int:
    """A queued job of one slice a partition; its number."""
    kind = JobKind.INGEST if lane is Lane.LIVE else JobKind.BACKFILL
    slices = tuple(NewSlice(partition, "missing") for partition in partitions)
    new = NewJob("f" * 64, kind, source, lane, json.dumps({"source": source, **request}), slices)
    with spine.workspace.database.transaction() as tx:
        return queue(spine, tx, new)


def run_next(setup: EngineSetup, tenure: Tenure, *, job_id: int | None = None) -> Slice | None:
    """Claim the slice that goes first and carry it out here; as it then stands, or None if none may be tried."""
    task = claim(tenure.spine, Wanted(job_id=job_id), token=tenure.token, also=lambda _tx, _source: None)
    if task is None:
        return None
    work(Bench(setup), tenure.spine, task)
    return jobs.find_slice(tenure.spine.workspace.database.connection, task.job.job_id, task.slice.slice_no)


def serve(loopback: Loopback, *contents: str) -> str:
    """Serve a body for each day; the URL with a placeholder."""
    from tests.loopback import reply

    for day, content in zip(DAYS, contents, strict=False):
        loopback.serve(f"/{day}", reply(content.encode()))
    return loopback.url("/{date}")


def states(spine: Spine, job_id: int) -> list[SliceState]:
    """State of each slice of a job."""
    return [piece.state for piece in jobs.slices(spine.workspace.database.connection, job_id)]


def events(spine: Spine) -> list[str]:
    """Types of every audit event, oldest first."""
    rows = spine.workspace.database.rows("SELECT event_type FROM audit_events ORDER BY sequence")
    return [row[0] for row in rows]
