"""Archived payloads judged again, and held against what their runs recorded and what the store holds of them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from dataspine.adapters.container import documents
from dataspine.errors import DataspineError, PayloadError
from dataspine.pipeline.canonical import CANONICAL, RunDigest
from dataspine.pipeline.spine import code_version
from dataspine.pipeline.stages import Outcome, process_payload
from dataspine.schemas.source import Kind, SourceProfile
from dataspine.store import payloads, sources, versions
from dataspine.store.payloads import Archive

if TYPE_CHECKING:
    from dataspine.store.accounting import RunAccount
    from dataspine.store.database import Database

_VERSIONS_OF = {Kind.MARKET: versions.market_versions, Kind.TRADE: versions.trade_versions}


def differences_of(
    database: Database, home: Path, accounts: Sequence[RunAccount]
) -> dict[int, tuple[str, ...]]:
    """By run, in words: where its counters, its digest or its stored rows are not what its archived bytes give.

    A redrive judges single letters and has nothing to compare. The rows of one payload are held in memory at once.
    """
    archive = Archive(home / "payloads")
    judged = [run for run in accounts if run.kind == "ingest" and run.state in ("succeeded", "rejected")]
    found: dict[int, tuple[str, ...]] = {}
    for source in sorted({run.source for run in judged}):
        # Runs of one payload under one profile have one outcome, so they stand together and it is made once.
        groups = _groups([run for run in judged if run.source == source])
        found |= _differences_in_source(database, archive, groups)
    return found


def _differences_in_source(
    database: Database, archive: Archive, groups: Sequence[Sequence[RunAccount]]
) -> dict[int, tuple[str, ...]]:
    found: dict[int, tuple[str, ...]] = {}
    stored: pl.DataFrame | None = None
    for group in groups:
        try:
            profile, outcome = _judged_again(database, archive, group[0])
        except DataspineError as error:
            found |= {run.run_id: why for run in group if (why := _unjudged(run, error))}
            continue
        stored = _stored_versions(database, profile) if stored is None else stored
        digest = _digest(outcome, profile)
        for run in group:
            words = [*_counter_words(run, outcome, digest, profile), *_row_words(run, outcome, stored)]
            if words:
                found[run.run_id] = (*words, *_code_words(run))
    return found


def _groups(runs: Sequence[RunAccount]) -> list[list[RunAccount]]:
    groups: dict[tuple[int, str], list[RunAccount]] = {}
    for run in runs:
        groups.setdefault((run.payload_id, run.config_hash), []).append(run)
    return list(groups.values())


def _judged_again(database: Database, archive: Archive, run: RunAccount) -> tuple[SourceProfile, Outcome]:
    """The profile of a run, and what the heart makes of its payload today."""
    payload, _ = payloads.find_payload(database.connection, run.payload_id)
    text = sources.profile_json(database.connection, run.config_hash)
    profile = SourceProfile.model_validate_json(text or "")
    with closing(archive.open(payload.sha256)) as content:
        found = documents(content, object_name=payload.object_name, member_glob=profile.member)
        return profile, process_payload(payload, found, profile)


def _digest(outcome: Outcome, profile: SourceProfile) -> str:
    digest = RunDigest(profile.kind)
    digest.add(outcome.accepted)
    return digest.hexdigest()


def _unjudged(run: RunAccount, error: DataspineError) -> tuple[str, ...]:
    """Why a payload has no outcome; nothing where the run refused it for just that."""
    if isinstance(error, PayloadError) and run.state == "rejected" and run.recorded.rows_read == 1:
        return ()
    return (f"the payload cannot be judged again: {error}", *_code_words(run))


def _counter_words(run: RunAccount, outcome: Outcome, digest: str, profile: SourceProfile) -> list[str]:
    """Counters and digest that differ."""
    recorded = run.recorded
    pairs = {"rows_read": (recorded.rows_read, outcome.records)}
    refused = outcome.rejected.height
    # Where a source refuses restatements, a run also refused what contradicted the rows of its day.
    depends_on_store = profile.contract.conflict == "dead" and recorded.rejected > refused
    if run.state == "rejected":
        share = refused / outcome.records if outcome.records else 0.0
        if share <= profile.contract.max_reject_ratio:
            return [f"the run was refused for its share of bad records, which is {share:.1%}"]
    elif not depends_on_store:
        pairs["rejected"] = (recorded.rejected, refused)
        pairs["duplicate"] = (recorded.duplicate, outcome.duplicate)
    words = [
        f"{name} is {found} by the bytes, the run recorded {kept}"
        for name, (kept, found) in pairs.items()
        if kept != found
    ]
    if run.state == "succeeded" and not depends_on_store and digest != run.digest:
        words.append(f"digest is {digest} by the bytes, the run recorded {run.digest}")
    return words


def _row_words(run: RunAccount, outcome: Outcome, stored: pl.DataFrame) -> list[str]:
    """Stored rows that are not what the record at their position gives."""
    written = stored.filter(pl.col("run_id") == run.run_id)
    if written.is_empty():
        return []
    given = outcome.accepted.select("position", given=_line(outcome.accepted.columns[2:]))
    pairs = written.join(given, on="position", how="left")
    wrong = pairs.filter(pl.col("line").ne_missing(pl.col("given")))["position"].sort()
    if wrong.is_empty():
        return []
    return [f"{wrong.len()} stored rows differ from their records, first record {wrong[0]}"]


def _stored_versions(database: Database, profile: SourceProfile) -> pl.DataFrame:
    """Every version of a source's rows as `run_id, position, line`; 24 bytes a version."""
    fields = CANONICAL[profile.kind].fields
    schema = {"run_id": pl.Int64(), "position": pl.Int64(), **fields}
    parts = [pl.DataFrame(schema=schema).select("run_id", "position", line=_line(list(fields)))]
    for rows in _VERSIONS_OF[profile.kind](database, profile.name):
        frame = pl.DataFrame(
            [
                pl.Series(name, column, dtype=dtype)
                for (name, dtype), column in zip(schema.items(), zip(*rows, strict=True), strict=True)
            ]
        )
        parts.append(frame.select("run_id", "position", line=_line(list(fields))))
    return pl.concat(parts)


def _line(fields: list[str]) -> pl.Expr:
    """A row's values as one 64-bit hash; null and the empty text differ."""
    texts = [pl.col(name).cast(pl.String).fill_null("\x00") for name in fields]
    return pl.concat_str(texts, separator="\x1f").hash(seed=0)


def _code_words(run: RunAccount) -> tuple[str, ...]:
    if run.code_version == code_version():
        return ()
    return (f"the run was made by {run.code_version}, this is {code_version()}",)
