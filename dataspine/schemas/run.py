"""A run: one attempt at one payload, and its account."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class RunState(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    REJECTED = "rejected"
    """Nothing was published; one letter stands for the payload or the batch."""
    INTERRUPTED = "interrupted"
    """The process died; everything it wrote was taken back."""


@dataclass(frozen=True, slots=True)
class RunStart:
    """What is known when a run begins."""

    source_id: int
    payload_id: int
    kind: str
    config_hash: str
    code_version: str
    started_at_us: int
    owner: str
    """host:pid of the process."""


@dataclass(frozen=True, slots=True)
class RunCounts:
    """The account of a run: rows_read = inserted + unchanged + corrected + rejected + duplicate."""

    rows_read: int = 0
    inserted: int = 0
    unchanged: int = 0
    corrected: int = 0
    rejected: int = 0
    duplicate: int = 0
    skipped: int = 0
    """Lines that are no records; not in rows_read."""
    out_of_order: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    """Refused records by first reason code."""
    skipped_by: dict[str, int] = field(default_factory=dict)

    @property
    def reject_ratio(self) -> float:
        """Share of the records that were refused."""
        return self.rejected / self.rows_read if self.rows_read else 0.0


@dataclass(frozen=True, slots=True)
class Standing:
    """What a run found that nothing has touched since."""

    run_id: int
    counts: RunCounts
    digest: str


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a finished run did."""

    run_id: int
    source: str
    state: RunState
    counts: RunCounts
    digest: str | None
    payload_sha256: str
    object_name: str
    batch_seq: int
