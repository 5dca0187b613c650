"""THE heart: vendor bytes to canonical rows and reasoned refusals, without clock, network or database.

Live ingest, redrive, backfill and replay all come through here, so that replay equals live by construction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from dataspine.adapters.charset import original_bytes, utf8_blocks
from dataspine.adapters.file_name import values_from_name
from dataspine.adapters.records import read_chunks, record_contexts
from dataspine.normalization.coerce import Origin, canonical_columns
from dataspine.pipeline.canonical import CANONICAL, canonical_frame, conflict_message, key_columns
from dataspine.schemas.codes import Code
from dataspine.schemas.payload import CHUNK_RECORDS, Document, Payload
from dataspine.validation.contracts import contract_checks, rules_of
from dataspine.validation.refusal import REASON_SCHEMA, all_reasons, encoded_reasons

if TYPE_CHECKING:
    from dataspine.schemas.payload import RawChunk
    from dataspine.schemas.source import SourceProfile


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a chunk of records became; `records` = accepted + rejected + duplicate."""

    accepted: pl.DataFrame
    """Canonical rows, keys unique within the chunk, in payload order (see `pipeline.canonical`)."""
    rejected: pl.DataFrame
    """`position`, `code` (first reason), `fingerprint`, `reasons_json`; in payload order."""
    records: int
    duplicate: int
    skipped: dict[str, int] = field(default_factory=dict)
    raw: Callable[[Sequence[int]], list[bytes]] = lambda _positions: []
    """Bytes of the records at these positions, as received."""
    contexts: Callable[[Sequence[int]], list[dict[str, str]]] = lambda _positions: []
    """What each of these records needs besides its bytes to be read alone."""
    conflicting: pl.DataFrame | None = None
    """Keys of which different records stand here: all of those are refused."""


@dataclass(frozen=True, slots=True)
class Repeats:
    """What only a whole payload tells of its keys."""

    conflicting: pl.DataFrame
    """Keys with two different records anywhere in it."""
    positions: pl.Series
    """Records that repeat an earlier one, value for value."""


def process_payload(payload: Payload, documents: Iterable[Document], profile: SourceProfile) -> Outcome:
    """The whole payload as one outcome, keys unique over all of it.

    For one record, a test or a replay of moderate size; ingest takes `process_chunks`, whose memory stays flat.
    Raises: PayloadError if a document is not what the profile declares.
    """
    chunks = list(_judged(payload, documents, profile, CHUNK_RECORDS))
    if not chunks:
        return Outcome(CANONICAL[profile.kind].empty(), pl.DataFrame(schema=REASON_SCHEMA), 0, 0)
    skipped: dict[str, int] = {}
    for chunk in chunks:
        for rule, lines in chunk.skipped.items():
            skipped[rule] = skipped.get(rule, 0) + lines
    whole = Outcome(
        pl.concat([chunk.accepted for chunk in chunks]),
        pl.concat([chunk.rejected for chunk in chunks]),
        records=sum(chunk.records for chunk in chunks),
        duplicate=0,
        skipped=skipped,
    )
    return settled(whole, profile)


def process_chunks(
    payload: Payload,
    documents: Iterable[Document],
    profile: SourceProfile,
    *,
    chunk_records: int = CHUNK_RECORDS,
    repeats: Repeats | None = None,
) -> Iterator[Outcome]:
    """Chunk after chunk of a payload, in order; positions run on over its documents.

    With `repeats`, keys are settled as in one piece; without, only those within each chunk are.
    Raises: PayloadError if a document is not what the profile declares, possibly after chunks were yielded.
    """
    for outcome in _judged(payload, documents, profile, chunk_records):
        yield settled(outcome, profile, repeats)


def find_repeats(
    payload: Payload,
    documents: Iterable[Document],
    profile: SourceProfile,
    *,
    chunk_records: int = CHUNK_RECORDS,
) -> Repeats:
    """Keys that stand in a payload more than once; holds its canonical rows at once.

    Raises: PayloadError if a document is not what the profile declares.
    """
    whole = pl.concat(
        [CANONICAL[profile.kind].empty()]
        + [outcome.accepted for outcome in _judged(payload, documents, profile, chunk_records)]
    )
    keys = key_columns(profile.kind)
    kept, conflicts = split_repeats(whole, keys)
    stays = pl.concat([kept.select("position"), conflicts.select("position")])
    repeated = whole.select("position").join(stays, on="position", how="anti", maintain_order="left")
    return Repeats(conflicts.select(keys).unique(), repeated["position"])


def _judged(
    payload: Payload, documents: Iterable[Document], profile: SourceProfile, chunk_records: int
) -> Iterator[Outcome]:
    """Chunks judged record by record; repeats of a key are not settled yet."""
    offset = 0
    for document in documents:
        values = values_from_name(profile.file_name, document.name) if profile.file_name else {}
        origin = Origin(payload.sha256, values, offset)
        encoding, blocks = utf8_blocks(document.blocks, encoding=profile.encoding)
        read = 0
        for chunk in read_chunks(blocks, profile, chunk_records=chunk_records):
            outcome = judge_chunk(chunk, profile, origin=origin, received_at_us=payload.received_at_us)
            yield _placed(outcome, offset, encoding=encoding, name=document.name)
            read += chunk.records
        offset += read


def judge_chunk(chunk: RawChunk, profile: SourceProfile, *, origin: Origin, received_at_us: int) -> Outcome:
    """Text columns to canonical rows and refusals with all their reasons; keys may still repeat."""
    frame, skipped = _without_skipped(chunk, profile)
    columns = canonical_columns(frame, profile, rules_of(profile.kind), origin=origin)
    checks = contract_checks(columns, profile, received_at_us=received_at_us)
    positions = frame["position"]
    rejected = encoded_reasons(all_reasons(checks, positions, chunk.faults, profile))
    accepted = canonical_frame(columns, positions, profile)
    if rejected.height:
        accepted = accepted.join(
            rejected.select("position"), on="position", how="anti", maintain_order="left"
        )
    return Outcome(
        accepted,
        rejected,
        records=chunk.records - sum(skipped.values()),
        duplicate=0,
        skipped={**chunk.skipped, **skipped},
        raw=chunk.raw,
        contexts=partial(record_contexts, chunk),
    )


def settled(outcome: Outcome, profile: SourceProfile, repeats: Repeats | None = None) -> Outcome:
    """The outcome with each key at most once: identical repeats counted, different ones refused.

    Of two different records of one key nobody can tell which is right, so none of them is stored.
    """
    accepted, keys = outcome.accepted, key_columns(profile.kind)
    refused = accepted.clear()
    if repeats is not None:
        refused = accepted.join(repeats.conflicting, on=keys, how="semi", maintain_order="left")
        accepted = accepted.join(repeats.conflicting, on=keys, how="anti", maintain_order="left")
        again = repeats.positions.to_frame()
        accepted = accepted.join(again, on="position", how="anti", maintain_order="left")
    kept, conflicts = split_repeats(accepted, keys)
    refused = pl.concat([refused, conflicts])
    duplicate = outcome.accepted.height - kept.height - refused.height
    if not refused.height:
        return replace(outcome, accepted=kept, duplicate=duplicate)
    rejected = pl.concat([outcome.rejected, conflict_refusals(refused, profile)]).sort("position")
    conflicting = refused.select(keys).unique(maintain_order=True)
    return replace(outcome, accepted=kept, rejected=rejected, duplicate=duplicate, conflicting=conflicting)


def split_repeats(accepted: pl.DataFrame, keys: Sequence[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The first row of each key whose rows are all alike, and every row of the other keys; both in payload order."""
    repeated = accepted.select(keys).is_duplicated()
    if not repeated.any():
        return accepted, accepted.clear()
    # Two vendor names of one canonical symbol are one key; what the store keeps of both rows is the same.
    values = [name for name in accepted.columns if name not in ("position", "source_symbol")]
    repeats = accepted.filter(repeated)
    distinct = repeats.unique(subset=values, keep="first", maintain_order=True)
    is_conflict = distinct.select(keys).is_duplicated()
    conflicts = repeats.join(
        distinct.filter(is_conflict).select(keys), on=keys, how="semi", maintain_order="left"
    )
    kept = pl.concat([accepted.filter(~repeated), distinct.filter(~is_conflict)]).sort("position")
    return kept, conflicts


def conflict_refusals(rows: pl.DataFrame, profile: SourceProfile) -> pl.DataFrame:
    """Refusals of canonical rows that share a key with a different row."""
    return encoded_reasons(
        rows.select(
            "position",
            code=pl.lit(str(Code.CONFLICT)),
            field=pl.lit(""),
            message=conflict_message(profile.kind),
        )
    )


def _without_skipped(chunk: RawChunk, profile: SourceProfile) -> tuple[pl.DataFrame, dict[str, int]]:
    """Rows that are records, and how many others the profile's `skip_when` named."""
    frame, skipped = chunk.frame, dict[str, int]()
    for path, values in profile.skip_when.items():
        is_other = frame[path].is_in(list(values)).fill_null(False)
        if is_other.any():
            counted = frame.filter(is_other)[path].value_counts()
            skipped |= {f"{path}={value}": count for value, count in counted.iter_rows()}
            frame = frame.filter(~is_other)
    return frame, skipped


def _placed(outcome: Outcome, offset: int, *, encoding: str, name: str) -> Outcome:
    """The outcome with positions of the payload instead of the document, and raw bytes in the payload's encoding."""
    read_raw, read_contexts = outcome.raw, outcome.contexts

    def raw(positions: Sequence[int]) -> list[bytes]:
        found = read_raw([position - offset for position in positions])
        if encoding == "utf-8":
            return found
        return [original_bytes(record, encoding=encoding) for record in found]

    def contexts(positions: Sequence[int]) -> list[dict[str, str]]:
        found = read_contexts([position - offset for position in positions])
        return [{**context, "name": name, "encoding": encoding} for context in found]

    shift = pl.col("position") + offset
    return replace(
        outcome,
        accepted=outcome.accepted.with_columns(shift) if offset else outcome.accepted,
        rejected=outcome.rejected.with_columns(shift) if offset else outcome.rejected,
        raw=raw,
        contexts=contexts,
    )
