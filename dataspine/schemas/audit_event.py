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
    CALENDAR_REFRESHED = "calendar_refreshed", "Generated sessions took the place of a calendar's former ones."
    SESSION_OVERRIDDEN = (
        "session_overridden",
        "An operator laid a closure or other hours over one date of a calendar, with a reason.",
    )
    SESSION_OVERRIDE_UNDONE = "session_override_undone", "An operator took an override of a session back."


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
