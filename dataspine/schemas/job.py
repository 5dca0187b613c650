"""A job: what somebody asked the engine for, cut into slices that succeed, wait or fail one by one."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum


class JobKind(StrEnum):
    """What a job does."""

    INGEST = "ingest"
    """One live fire of a source: fetch what is there now."""
    BACKFILL = "backfill"
    """A range of sessions of one source, one slice each."""
    REPLAY = "replay"
    REBUILD = "rebuild"


class Lane(IntEnum):
    """Which job goes first: the lower number."""

    LIVE = 0
    OPERATOR = 1
    BACKFILL = 2


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    """No slice of it has begun."""
    RUNNING = "running"
    """At least one slice has begun, and at least one is still to be done."""
    PAUSED = "paused"
    """An operator holds it: slices in hand finish, no other begins."""
    CANCELLING = "cancelling"
    """An operator took it back while a slice was in hand; that one finishes."""
    CANCELLED = "cancelled"
    """Taken back; slices that had succeeded keep their rows."""
    SUCCEEDED = "succeeded"
    """Every slice succeeded."""
    FAILED = "failed"
    """No slice is left to be tried, and at least one was given up."""


class SliceState(StrEnum):
    """Where a slice stands."""

    QUEUED = "queued"
    """To be done, now or when its wait is over."""
    RUNNING = "running"
    """In an engine's hand."""
    CANCELLED = "cancelled"
    """Taken back with its job before it began."""
    SUCCEEDED = "succeeded"
    """Fetched and judged to its end; refused records are in dead letters."""
    FAILED = "failed"
    """Given up after its last attempt: a dead task until somebody retries it."""


class SourceState(StrEnum):
    """How a vendor fares."""

    OK = "ok"
    """The newest attempt succeeded, or too few failed in a row to matter."""
    DEGRADED = "degraded"
    """Several attempts failed in a row; it is tried as before."""
    FAILED = "failed"
    """So many failed in a row that it is left alone until the next try."""


class OccurrenceState(StrEnum):
    """What became of an instant at which a source was due."""

    FIRED = "fired"
    """A job was queued in time."""
    LATE = "late"
    """A job was queued after its time: no engine ran, or it was busy."""
    MISSED = "missed"
    """It passed while no engine ran, and a later fire stands in for it."""
    SKIPPED = "skipped"
    """It passed while no engine ran, and the source's policy is to let such fires go."""
    OVERLAPPED = "overlapped"
    """The job of an earlier fire was not done yet, so none was queued."""


OPEN_JOBS = (JobState.QUEUED, JobState.RUNNING, JobState.PAUSED, JobState.CANCELLING)
"""States of jobs that are not over."""


@dataclass(frozen=True, slots=True)
class SliceCounts:
    """A slice's account: the sum over its runs; of a shadow slice, what would have become of the records."""

    rows_read: int = 0
    inserted: int = 0
    unchanged: int = 0
    corrected: int = 0
    rejected: int = 0
    duplicate: int = 0


@dataclass(frozen=True, slots=True)
class NewSlice:
    """A slice that is about to be queued."""

    partition: str
    """Session date, or the planned instant of a live fire."""
    why: str


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job that is about to be queued."""

    plan_id: str
    """SHA-256 of the request: the same request has the same plan."""
    kind: JobKind
    source: str
    lane: Lane
    request_json: str
    slices: tuple[NewSlice, ...]


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it stands."""

    job_id: int
    plan_id: str
    kind: JobKind
    source: str
    lane: Lane
    state: JobState
    request_json: str
    actor: str
    channel: str
    created_at_us: int
    started_at_us: int | None
    finished_at_us: int | None
    digest: str | None
    """Over the slices' digests in order, once all have succeeded."""


@dataclass(frozen=True, slots=True)
class Slice:
    """A slice as it stands."""

    job_id: int
    slice_no: int
    """Order within the job, from 1."""
    partition: str
    why: str
    state: SliceState
    token: int | None
    """Lease under which it runs or ran."""
    attempts: int
    not_before_us: int
    """When it may be tried next."""
    first_try_us: int | None
    """Start of the retry budget."""
    error: str | None
    is_dead: bool
    counts: SliceCounts
    digest: str | None
    runs: tuple[int, ...]
    started_at_us: int | None
    finished_at_us: int | None


@dataclass(frozen=True, slots=True)
class SliceResult:
    """What a slice came to."""

    counts: SliceCounts = field(default_factory=SliceCounts)
    runs: tuple[int, ...] = ()
    digest: str = ""
    """SHA-256 over its runs' digests in order."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Who may write in bulk."""

    token: int
    owner: str
    """host:pid of the engine; empty when released."""
    taken_at_us: int
    heartbeat_us: int
    expires_us: int


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """How a source's vendor fares."""

    source: str
    state: SourceState = SourceState.OK
    failures: int = 0
    """In a row."""
    last_error: str | None = None
    last_ok_us: int | None = None
    next_try_us: int | None = None
    """When the circuit lets the next attempt through; None where it is closed."""
