"""A dead letter: a record, payload or batch that was refused, with its bytes and every reason."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum

from dataspine.schemas.codes import Violation

RAW_BYTES_KEPT = 4_096
"""Bytes of a whole payload that its letter shows; all of them stand in the archive."""


class Scope(StrEnum):
    """What a letter stands for."""

    RECORD = "record"
    PAYLOAD = "payload"
    """Bytes that cannot be read as records at all."""
    BATCH = "batch"
    """A payload of which so much was refused that nothing was published."""


class LetterState(StrEnum):
    """Where a letter stands."""

    OPEN = "open"
    RESOLVED = "resolved"
    """Its record was stored, see `resolved_key`."""
    DISCARDED = "discarded"
    """Marked as not wanted; the bytes stay."""


@dataclass(frozen=True, slots=True)
class NewLetter:
    """A letter about to be written."""

    scope: Scope
    position: int
    raw: bytes
    reasons_json: str
    code: str
    fingerprint: str
    rule_version: str
    records: int = 1
    context: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A letter as it is stored, columns in the order of `store.dead_letters`."""

    letter_id: int
    source: str
    payload_id: int
    payload_sha256: str
    object_name: str
    run_id: int
    scope: str
    position: int
    records: int
    raw: bytes
    context_json: str
    reasons_json: str
    code: str
    fingerprint: str
    rule_version: str
    state: str
    version: int
    attempts: int
    edited: bytes | None
    created_at_us: int
    changed_at_us: int
    resolved_by_run: int | None
    resolved_key: str | None
    note: str | None

    @property
    def reasons(self) -> list[Violation]:
        """Why it was refused at the newest attempt, all reasons."""
        return [
            Violation(item["code"], item["field"], item["message"]) for item in json.loads(self.reasons_json)
        ]

    @property
    def context(self) -> dict[str, str]:
        """What its bytes need to be read alone."""
        return dict(json.loads(self.context_json))

    @property
    def bytes_to_try(self) -> bytes:
        """The operator's edit where there is one, else the bytes as received."""
        return self.raw if self.edited is None else self.edited
