"""An audit event: who changed what, when, from which state to which; and the list of what can happen."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Self

from dataspine.errors import StorageCorrupt

if TYPE_CHECKING:
    from collections.abc import Mapping


class Channel(StrEnum):
    """The way a change came in."""

    CLI = "cli"
    CONSOLE = "console"
    ENGINE = "engine"
    LIBRARY = "library"


class EventType(StrEnum):
    """Everything the spine records; docs/reference/audit_events.md is this list, and a test compares them."""

    __doc__: str

    def __new__(cls, value: str, meaning: str) -> Self:
        """A member whose docstring is `meaning`."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.__doc__ = meaning
        return member

    WORKSPACE_CREATED = "workspace_created", "The database was made; the first event of every chain."
    SCHEMA_MIGRATED = "schema_migrated", "The tables were brought to a newer version."
    SOURCE_REGISTERED = "source_registered", "A source was used for the first time."
    SOURCE_PROFILE_CHANGED = "source_profile_changed", "A source's mapping differs from the one used before."
    RUN_STARTED = "run_started", "A payload began to be judged."
    RUN_SUCCEEDED = "run_succeeded", "A run's records were published, with its counters and digest."
    RUN_REJECTED = (
        "run_rejected",
        "A run ended with nothing published: one letter stands for the payload or batch.",
    )
    RUN_INTERRUPTED = (
        "run_interrupted",
        "A run whose process died was marked and its hidden rows were removed.",
    )
    RECORD_CORRECTED = (
        "record_corrected",
        "A known key came with other values; the old version is in revisions.",
    )
    LETTER_EDITED = (
        "letter_edited",
        "An operator wrote other bytes to be tried in place of a dead letter's own.",
    )
    LETTER_RESOLVED = "letter_resolved", "A dead letter's record was stored at last."
    LETTER_DISCARDED = "letter_discarded", "An operator marked a dead letter as not wanted, with a reason."
    LETTER_RESTORED = "letter_restored", "An operator took a discard back."
    LETTER_REOPENED = "letter_reopened", "A payload that was published once is refused again, whole."
    CALENDAR_REFRESHED = (
        "calendar_refreshed",
        "Generated sessions took the place of a calendar's former ones.",
    )
    SESSION_OVERRIDDEN = (
        "session_overridden",
        "An operator laid a closure or other hours over one date of a calendar, with a reason.",
    )
    SESSION_OVERRIDE_UNDONE = "session_override_undone", "An operator took an override of a session back."
    LEASE_TAKEN = "lease_taken", "An engine began, and may write; its token is higher than any before."
    LEASE_RELEASED = "lease_released", "An engine stopped and gave the lease back."
    BACKFILL_PLANNED = "backfill_planned", "An operator had a backfill planned; nothing is fetched yet."
    JOB_QUEUED = "job_queued", "Somebody, or the schedule, asked for work."
    JOB_STARTED = "job_started", "The first slice of a job began."
    JOB_PAUSED = "job_paused", "An operator held a job: slices in hand finish, no other begins."
    JOB_RESUMED = "job_resumed", "An operator let a paused job go on."
    JOB_CANCEL_ASKED = (
        "job_cancel_asked",
        "An operator took a job back; its slices that had not begun were cancelled.",
    )
    JOB_CANCELLED = "job_cancelled", "Nothing of a job that was taken back is in hand any more."
    JOB_RETRIED = "job_retried", "An operator queued slices of a job anew."
    JOB_SUCCEEDED = "job_succeeded", "Every slice of a job succeeded, with the digest over all of them."
    JOB_FAILED = "job_failed", "A job is over and at least one of its slices was given up."
    SLICE_STARTED = "slice_started", "An engine took a slice in hand."
    SLICE_SUCCEEDED = "slice_succeeded", "A slice was fetched and judged to its end, with its digest."
    SLICE_DEFERRED = "slice_deferred", "An attempt at a slice failed; it waits for the next one."
    SLICE_FAILED = "slice_failed", "A slice was given up: it is a dead task until somebody retries it."
    SLICE_PUT_BACK = (
        "slice_put_back",
        "A slice was not tried to its end: its engine stopped, died or was replaced.",
    )
    SOURCE_HEALTH_CHANGED = "source_health_changed", "A source became ok, degraded or failed."
    OCCURRENCE_FIRED = "occurrence_fired", "A source was due and its job was queued in time."
    OCCURRENCE_LATE = "occurrence_late", "A source's job was queued after its time."
    OCCURRENCE_MISSED = (
        "occurrence_missed",
        "A source was due while no engine ran; a later fire stands in for it.",
    )
    OCCURRENCE_SKIPPED = (
        "occurrence_skipped",
        "A source was due while no engine ran, and its policy lets such fires go.",
    )
    OCCURRENCE_OVERLAPPED = (
        "occurrence_overlapped",
        "A source was due while its earlier job was not done; no other was queued.",
    )


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and through which door."""

    name: str
    """User name, or `engine`."""
    channel: Channel


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event that is about to be recorded."""

    event_type: EventType
    entity_type: str
    entity_id: str
    old_state: str | None = None
    new_state: str | None = None
    metadata: Mapping[str, object] = field(default_factory=dict)
    """JSON values, Decimals, dates and datetimes; never a secret."""


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """A recorded event exactly as it is stored, in the order of the table's columns."""

    sequence: int
    at_us: int
    actor: str
    channel: str
    event_type: str
    """A value of `EventType`, or a word of a newer version."""
    entity_type: str
    entity_id: str
    old_state: str | None
    new_state: str | None
    metadata_json: str
    """The stored text: the hash covers every byte of it."""
    prev_hash: str
    hash: str

    @property
    def metadata(self) -> dict[str, object]:
        """The metadata as a dict.

        Raises: StorageCorrupt if the stored text is not a JSON object.
        """
        try:
            parsed = json.loads(self.metadata_json)
        except (ValueError, TypeError, RecursionError) as error:
            raise self._damaged() from error
        if not isinstance(parsed, dict):
            raise self._damaged()
        return parsed

    def _damaged(self) -> StorageCorrupt:
        return StorageCorrupt(
            "audit metadata is not a JSON object",
            where=f"audit event {self.sequence}",
            cure="Run `dataspine audit verify` to see what else was changed.",
        )


@dataclass(frozen=True, slots=True)
class ChainHead:
    """Where a hash chain stands: its last event's sequence and hash."""

    sequence: int
    hash: str
