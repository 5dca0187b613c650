"""Records of dead letters through the heart again: each read from its own bytes, all judged together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

from dataspine.adapters.file_name import values_from_name
from dataspine.adapters.records import read_record
from dataspine.errors import PayloadError
from dataspine.normalization.coerce import Origin
from dataspine.pipeline.canonical import CANONICAL
from dataspine.pipeline.stages import Outcome, judge_chunk, settled
from dataspine.schemas.codes import Code, Violation
from dataspine.schemas.payload import RawChunk
from dataspine.validation.refusal import REASON_SCHEMA, encoded_reasons

if TYPE_CHECKING:
    from dataspine.schemas.dead_letter import DeadLetter
    from dataspine.schemas.payload import Payload
    from dataspine.schemas.source import SourceProfile


@dataclass(frozen=True, slots=True)
class _Unread:
    """A letter that gives no record to judge."""

    position: int
    reason: Violation


def judge_letters(letters: Sequence[DeadLetter], profile: SourceProfile, payload: Payload) -> Outcome:
    """Letters of one payload under a profile, at their old positions, keys unique among them.

    `payload` says when they were received. What is stored plays no part here.
    """
    documents: dict[str, list[DeadLetter]] = {}
    for letter in letters:
        documents.setdefault(letter.context.get("name", ""), []).append(letter)
    outcomes = [_judge_document(name, part, profile, payload) for name, part in documents.items()]
    merged = Outcome(
        pl.concat([outcome.accepted for outcome in outcomes]).sort("position"),
        pl.concat([outcome.rejected for outcome in outcomes]).sort("position"),
        records=len(letters),
        duplicate=0,
    )
    return settled(merged, profile)


def _judge_document(
    name: str, letters: Sequence[DeadLetter], profile: SourceProfile, payload: Payload
) -> Outcome:
    """Letters of one document, which share the values that its name gives."""
    try:
        values = values_from_name(profile.file_name, name) if profile.file_name else {}
    except PayloadError as error:
        return _refused(
            [_Unread(letter.position, Violation(error.code, "", str(error))) for letter in letters], profile
        )
    found = [_read(letter, profile) for letter in letters]
    unread = [item for item in found if isinstance(item, _Unread)]
    chunks = [item for item in found if isinstance(item, RawChunk)]
    if not chunks:
        return _refused(unread, profile)
    outcome = judge_chunk(
        _merged(chunks), profile, origin=Origin(payload.sha256, values), received_at_us=payload.received_at_us
    )
    judged = {*outcome.accepted["position"], *outcome.rejected["position"]}
    rules = ", ".join(outcome.skipped)
    why = Violation(Code.VALUE, "", f"the profile skips such a record ({rules}); discard the letter")
    unread += [
        _Unread(letter.position, why)
        for letter, item in zip(letters, found, strict=True)
        if isinstance(item, RawChunk) and letter.position not in judged
    ]
    return replace(outcome, rejected=pl.concat([outcome.rejected, _refused(unread, profile).rejected]))


def _read(letter: DeadLetter, profile: SourceProfile) -> RawChunk | _Unread:
    """A letter's one record, at the letter's position."""
    try:
        record = letter.bytes_to_try.decode(letter.context.get("encoding", "utf-8"), "surrogateescape")
        chunk = read_record(record.encode("utf-8", "surrogateescape"), profile, letter.context)
    except (PayloadError, UnicodeError) as error:
        code = error.code if isinstance(error, PayloadError) else str(Code.ENCODING)
        return _Unread(letter.position, Violation(code, "", str(error)))
    if chunk.records != 1:
        reason = Violation(Code.JSON_SHAPE, "", f"expected one record, found {chunk.records}")
        return _Unread(letter.position, reason)
    return replace(
        chunk,
        frame=chunk.frame.with_columns(position=pl.lit(letter.position, pl.Int64)),
        faults=[replace(fault, position=letter.position) for fault in chunk.faults],
        broken=frozenset(letter.position for _ in chunk.broken),
    )


def _merged(chunks: Sequence[RawChunk]) -> RawChunk:
    """Records of one profile as one chunk; what stood around one of them may be absent from another."""
    return RawChunk(
        pl.concat([chunk.frame for chunk in chunks], how="diagonal"),
        faults=[fault for chunk in chunks for fault in chunk.faults],
        broken=frozenset[int]().union(*(chunk.broken for chunk in chunks)),
        raw=lambda _positions: [],
    )


def _refused(unread: Sequence[_Unread], profile: SourceProfile) -> Outcome:
    reasons = pl.DataFrame(
        [(item.position, str(item.reason.code), item.reason.field, item.reason.message) for item in unread],
        schema={"position": pl.Int64, "code": pl.String, "field": pl.String, "message": pl.String},
        orient="row",
    )
    rejected = encoded_reasons(reasons) if unread else pl.DataFrame(schema=REASON_SCHEMA)
    return Outcome(CANONICAL[profile.kind].empty(), rejected, records=len(unread), duplicate=0)
