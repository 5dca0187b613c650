"""A payload compared instead of stored: what an ingest of it would do, without a canonical row, run or letter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from dataspine.adapters.container import documents
from dataspine.errors import PayloadError
from dataspine.pipeline.canonical import RunDigest
from dataspine.pipeline.publish import Tally, refuse_rows, stored_form
from dataspine.pipeline.stages import find_repeats, process_chunks
from dataspine.schemas.run import RunCounts
from dataspine.store import payloads, rows, sources
from dataspine.store.rows import Receipt

if TYPE_CHECKING:
    from dataspine.pipeline.spine import Spine
    from dataspine.pipeline.stages import Outcome
    from dataspine.schemas.payload import Payload
    from dataspine.schemas.source import SourceProfile

_ANY_RUN = _ANY_PAYLOAD = 2**62
"""Later than every run and payload that is stored."""


class Shadow(NamedTuple):
    """What an ingest would come to."""

    counts: RunCounts
    digest: str | None
    """Of the accepted records; None where nothing would be published."""


def compare_payload(
    spine: Spine, profile: SourceProfile, payload: Payload, *, on_chunk: Callable[[], None]
) -> Shadow:
    """Judge an archived payload and hold it against the store; `on_chunk` is called after every chunk.

    Raises: StorageError, and whatever `on_chunk` raises.
    """
    connection = spine.workspace.database.connection
    seen = payloads.as_received(connection, payload, source=profile.name)
    tally, digest = Tally(), RunDigest(profile.kind)
    source_id = sources.find_source(connection, profile.name) or -1
    number = _ANY_PAYLOAD if seen.payload_id is None else seen.payload_id + 1
    later = Receipt(seen.received_at_us, number)
    try:
        for outcome in _settled(spine, profile, seen):
            stored = _count(spine, profile, outcome, tally, source_id=source_id, receipt=later)
            digest.add(stored.accepted)
            on_chunk()
    except PayloadError as error:
        return Shadow(RunCounts(1, rejected=1, reasons={error.code: 1}), None)
    counts, limits = tally.counts(), profile.contract
    share = counts.rejected / counts.rows_read if counts.rows_read else 0.0
    if counts.rows_read >= limits.breaker_min_records and share > limits.max_reject_ratio:
        return Shadow(RunCounts(counts.rows_read, rejected=counts.rows_read, reasons=counts.reasons), None)
    return Shadow(counts, digest.hexdigest())


def _settled(spine: Spine, profile: SourceProfile, payload: Payload) -> Iterator[Outcome]:
    """The payload's chunks, keys settled over all of it."""
    with closing(spine.workspace.archive.open(payload.sha256)) as content:

        def chunks(**settling: object) -> Iterator[Outcome]:
            content.seek(0)
            found = documents(content, object_name=payload.object_name, member_glob=profile.member)
            return process_chunks(payload, found, profile, **settling)  # type: ignore[arg-type]

        first = list(islice(chunks(), 2))
        if len(first) < 2:
            yield from first
            return
        content.seek(0)
        found = documents(content, object_name=payload.object_name, member_glob=profile.member)
        yield from chunks(repeats=find_repeats(payload, found, profile))


def _count(
    spine: Spine,
    profile: SourceProfile,
    outcome: Outcome,
    tally: Tally,
    *,
    source_id: int,
    receipt: Receipt,
) -> Outcome:
    """Count what would become of a chunk; the outcome as it would be stored."""
    connection, family = spine.workspace.database.connection, rows.FAMILIES[profile.kind]
    symbols = outcome.accepted["symbol"].unique(maintain_order=True).to_list()
    frame = stored_form(outcome.accepted, profile, sources.symbol_numbers(connection, symbols))
    found = rows.compare(connection, frame, family, source_id=source_id, run_id=_ANY_RUN)
    restated = rows.received_since(connection, found.corrected, family, source_id, receipt)
    corrected = found.corrected.join(restated.select("position"), on="position", how="anti")
    if profile.contract.conflict == "dead" and corrected.height:
        outcome, corrected = refuse_rows(outcome, corrected, profile), corrected.clear()
    tally.inserted += found.new.height
    tally.corrected += corrected.height
    tally.unchanged += found.unchanged + restated.height
    tally.read(outcome)
    return outcome
