"""Configured sources, and a trial of one: is it there, and what does its mapping make of its first records."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from dataspine.errors import PayloadError

if TYPE_CHECKING:
    from dataspine.adapters.transport import Fetched
    from dataspine.schemas.column import Column
    from dataspine.schemas.payload import Document, Payload, RawChunk
    from dataspine.schemas.source import SourceProfile
    from dataspine.service.desk import Desk

SAMPLE_RECORDS = 20


@dataclass(frozen=True, slots=True)
class FieldTrial:
    """One canonical field of one record."""

    found: str | None
    """What the vendor sent."""
    value: str | None
    """What it becomes; None where nothing, or where the record is refused for it."""


@dataclass(frozen=True, slots=True)
class RecordTrial:
    """One record of the sample."""

    position: int
    fields: dict[str, FieldTrial]
    """Empty for a record whose form cannot be read."""
    reasons: tuple[dict[str, str], ...]
    """Why it would be refused: `code`, `field`, `message`."""


@dataclass(frozen=True, slots=True)
class SourceTrial:
    """What a source's first object gave; nothing of it was stored."""

    source: str
    object_name: str | None = None
    """None where the source can be reached and has nothing to read."""
    received: dict[str, str] = field(default_factory=dict)
    records: tuple[RecordTrial, ...] = ()
    skipped: dict[str, int] = field(default_factory=dict)
    """Lines of the sample that are no records, by rule."""
    payload_reason: dict[str, str] | None = None
    """Why the object cannot be read at all."""

    def has_findings(self) -> bool:
        """Whether anything would be refused."""
        return self.payload_reason is not None or any(record.reasons for record in self.records)


def location(profile: SourceProfile) -> str:
    """Where a source's bytes are, without secrets."""
    from dataspine.adapters.redactor import Redactor

    return Redactor(()).url(profile.url) if profile.url else profile.path or ""


def profile_document(profile: SourceProfile) -> dict[str, Any]:
    """The whole mapping; secrets stand in it as references only."""
    document = profile.model_dump(mode="json", by_alias=True)
    return {**document, "url": location(profile) if profile.url else None}


def check_source(desk: Desk, profile: SourceProfile, *, files: Sequence[Path] = ()) -> SourceTrial:
    """Read the source's first object and judge its first records; nothing is stored.

    Raises: SourceError if it cannot be read; ConfigError if a secret is missing.
    """
    from dataspine.service.ingest import transports_of

    for transport in transports_of(desk, profile, files=files):
        for fetched in transport.fetch():
            return _trial(desk, profile, fetched)
    return SourceTrial(profile.name)


def _trial(desk: Desk, profile: SourceProfile, fetched: Fetched) -> SourceTrial:
    from dataspine.adapters.container import documents
    from dataspine.schemas.payload import Payload

    payload = Payload("0" * 64, 0, fetched.object_name, desk.clock.now_us())
    with _spooled(fetched) as content:
        try:
            found = documents(content, object_name=fetched.object_name, member_glob=profile.member)
            records, skipped = _first_records(payload, found, profile)
        except PayloadError as error:
            reason = {"code": error.code, "field": "", "message": str(error)}
            return SourceTrial(profile.name, fetched.object_name, fetched.received, payload_reason=reason)
    return SourceTrial(profile.name, fetched.object_name, fetched.received, records, skipped)


@contextmanager
def _spooled(fetched: Fetched) -> Iterator[BinaryIO]:
    """The object's bytes in a file without a name, gone when it is closed: a zip is read from its end."""
    with tempfile.TemporaryFile() as content:
        for block in fetched.open():
            content.write(block)
        yield content


def _first_records(
    payload: Payload, found: Iterator[Document], profile: SourceProfile
) -> tuple[tuple[RecordTrial, ...], dict[str, int]]:
    from dataspine.adapters.charset import utf8_blocks
    from dataspine.adapters.file_name import values_from_name
    from dataspine.adapters.records import read_chunks
    from dataspine.normalization.coerce import Origin

    document = next(found, None)
    if document is None:
        return (), {}
    values = values_from_name(profile.file_name, document.name) if profile.file_name else {}
    _, blocks = utf8_blocks(document.blocks, encoding=profile.encoding)
    chunk = next(read_chunks(blocks, profile, chunk_records=SAMPLE_RECORDS), None)
    if chunk is None:
        return (), {}
    return _judged(chunk, profile, Origin(payload.sha256, values), received_at_us=payload.received_at_us)


def _judged(
    chunk: RawChunk, profile: SourceProfile, origin: Any, *, received_at_us: int
) -> tuple[tuple[RecordTrial, ...], dict[str, int]]:
    from dataspine.normalization.coerce import canonical_columns
    from dataspine.pipeline.stages import judge_chunk, settled
    from dataspine.validation.contracts import rules_of

    one_by_one = judge_chunk(chunk, profile, origin=origin, received_at_us=received_at_us)
    outcome = settled(one_by_one, profile)
    reasons = dict(zip(outcome.rejected["position"], outcome.rejected["reasons_json"], strict=True))
    columns = canonical_columns(chunk.frame, profile, rules_of(profile.kind), origin=origin)
    fields = dict(zip(chunk.frame["position"], _field_trials(columns, chunk.frame.height), strict=True))
    judged = sorted({*one_by_one.accepted["position"], *reasons})[:SAMPLE_RECORDS]
    records = tuple(
        RecordTrial(position, fields.get(position, {}), tuple(json.loads(reasons.get(position, "[]"))))
        for position in judged
    )
    return records, outcome.skipped


def _field_trials(columns: dict[str, Column], records: int) -> list[dict[str, FieldTrial]]:
    """For each record: every field as found and as kept; instants as ISO text."""
    kept = {
        name: (column.found.to_list(), [_shown(name, value) for value in column.value.to_list()])
        for name, column in columns.items()
    }
    return [
        {name: FieldTrial(found[row], values[row]) for name, (found, values) in kept.items()}
        for row in range(records)
    ]


def _shown(name: str, value: Any) -> str | None:
    from dataspine.clock import iso_from_us

    if value is None:
        return None
    return iso_from_us(value) if name == "timestamp" else str(value)
