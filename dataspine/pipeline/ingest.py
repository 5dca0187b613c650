"""One attempt at one payload: archived bytes through the heart into the store, each chunk in one transaction.

A payload of one chunk is one transaction. A larger one is cut into chunks under one run whose rows stay hidden until
its last chunk commits; if the process dies before, the next attempt takes everything back first.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from dataspine.adapters.container import documents
from dataspine.errors import PayloadError
from dataspine.pipeline.canonical import key_columns
from dataspine.pipeline.publish import CrossChunkConflict, Publication
from dataspine.pipeline.spine import Spine, code_version, owner
from dataspine.pipeline.stages import Outcome, process_chunks, split_repeats
from dataspine.schemas.audit_event import EventType, NewEvent
from dataspine.schemas.codes import Code, Violation
from dataspine.schemas.dead_letter import RAW_BYTES_KEPT, NewLetter, Scope
from dataspine.schemas.payload import CHUNK_RECORDS
from dataspine.schemas.run import RunCounts, RunStart, RunState, RunSummary
from dataspine.store import dead_letters, payloads, revisions, runs, sources
from dataspine.validation.contracts import CONTRACT_VERSION

if TYPE_CHECKING:
    from dataspine.schemas.payload import Payload
    from dataspine.schemas.source import SourceProfile
    from dataspine.store.sqlite import Connection

BREATH_S = 0.002
"""Pause between two transactions: without it another writer waited up to 3 s, with it 30 ms."""

_log = logging.getLogger(__name__)


class Progress(NamedTuple):
    """How far an ingest is."""

    rows_read: int
    done_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """How an attempt is made; the result never depends on it but for `breaker`."""

    chunk_records: int = CHUNK_RECORDS
    breaker: bool = True
    """Whether too many refusals stop the publication; off when an operator insists."""
    on_progress: Callable[[Progress], None] | None = None


def ingest_payload(
    spine: Spine, profile: SourceProfile, payload: Payload, *, options: IngestOptions | None = None
) -> RunSummary:
    """Judge an archived payload and store it, exactly once; the account of what happened.

    Raises: BusyError, StorageError. A payload that cannot be read is no exception but a letter.
    """
    attempt = _Attempt(spine, profile, payload, options or IngestOptions())
    with spine.workspace.source_lock(profile.name):
        recover(spine, profile.name)
        return attempt.run()


def recover(spine: Spine, source: str) -> list[int]:
    """Take back runs of a source whose process died; their numbers. Call it under the source's lock."""
    database = spine.workspace.database
    source_id = sources.find_source(database.connection, source)
    if source_id is None:
        return []
    lost = runs.running(database.connection, source_id)
    for run_id in lost:
        with database.transaction() as tx:
            runs.take_back(tx, run_id, now_us=spine.clock.now_us())
            event = NewEvent(EventType.RUN_INTERRUPTED, "run", str(run_id), RunState.RUNNING, RunState.INTERRUPTED)
            spine.record(tx, event)
    return lost


def profile_text(profile: SourceProfile) -> tuple[str, str]:
    """A profile as canonical JSON, and its hash."""
    text = json.dumps(profile.model_dump(mode="json", by_alias=True), sort_keys=True, separators=(",", ":"))
    return text, sha256(text.encode()).hexdigest()


class _Attempt:
    """One payload on its way through the heart into the store."""

    def __init__(self, spine: Spine, profile: SourceProfile, payload: Payload, options: IngestOptions) -> None:
        self._spine = spine
        self._profile = profile
        self._options = options
        self._profile_json, self._config_hash = profile_text(profile)
        self._payload = replace(payload, received_at_us=self._first_receipt(payload))
        self._publication: Publication | None = None
        self._open_letters: dict[tuple[str, int], int] = {}

    def run(self) -> RunSummary:
        """The attempt, from the first byte to the closed run."""
        conflicting: pl.DataFrame | None = None
        try:
            try:
                return self._publish(self._outcomes(conflicting))
            except CrossChunkConflict:
                self._take_back()
                conflicting = self._conflicting_keys()
                return self._publish(self._outcomes(conflicting))
        except PayloadError as error:
            return self._refuse(self._payload_letter(error), RunCounts(1, rejected=1, reasons={error.code: 1}))

    def _outcomes(self, conflicting: pl.DataFrame | None) -> Iterator[Outcome]:
        payload = self._payload
        with closing(self._spine.workspace.archive.open(payload.sha256)) as content:
            found = documents(content, object_name=payload.object_name, member_glob=self._profile.member)
            for outcome in process_chunks(
                payload,
                found,
                self._profile,
                chunk_records=self._options.chunk_records,
                conflicting=conflicting,
            ):
                yield outcome
                self._report(content.tell())

    def _report(self, done_bytes: int) -> None:
        if self._options.on_progress and self._publication:
            progress = Progress(self._publication.tally.rows_read, done_bytes, self._payload.size_bytes)
            self._options.on_progress(progress)

    def _publish(self, outcomes: Iterator[Outcome]) -> RunSummary:
        """Write every chunk; the last one closes the run in its own transaction."""
        with closing(outcomes):  # type: ignore[type-var]
            for outcome, is_last in _with_last(outcomes):
                with self._spine.workspace.database.transaction() as tx:
                    publication = self._publication or self._start(tx)
                    if outcome is not None:
                        stored = publication.write(tx, outcome)
                        publication.write_letters(
                            tx, stored, now_us=self._spine.clock.now_us(), open_letters=self._open_letters
                        )
                    if is_last:
                        summary = self._finish(tx, publication)
                # Only a committed run is remembered: a rolled-back transaction has no run to go on with.
                self._publication = publication
                if is_last:
                    return self._announced(summary)
                self._spine.clock.sleep_s(BREATH_S)
        raise AssertionError("a payload has a last chunk")

    def _start(self, tx: Connection) -> Publication:
        source_id, payload_id = self._registered(tx)
        begin = RunStart(
            source_id,
            payload_id,
            "ingest",
            self._config_hash,
            code_version(),
            self._spine.clock.now_us(),
            owner(),
        )
        self._open_letters = dead_letters.open_positions(tx, payload_id)
        run_id = runs.start(tx, begin)
        return Publication(self._profile, source_id=source_id, payload_id=payload_id, run_id=run_id)

    def _registered(self, tx: Connection) -> tuple[int, int]:
        """Numbers of the source and the payload."""
        source_id = sources.source_row(
            tx,
            self._profile.name,
            kind=self._profile.kind,
            config_hash=self._config_hash,
            profile_json=self._profile_json,
            now_us=self._spine.clock.now_us(),
        )
        payload_id, _ = payloads.payload_row(tx, self._payload, source_id=source_id)
        return source_id, payload_id

    def _finish(self, tx: Connection, publication: Publication) -> RunSummary:
        counts = publication.tally.counts()
        limits = self._profile.contract
        share = counts.rejected / counts.rows_read if counts.rows_read else 0.0
        too_many = counts.rows_read >= limits.breaker_min_records and share > limits.max_reject_ratio
        if too_many and self._options.breaker:
            publication.roll_back(tx)
            letter = self._batch_letter(counts, share)
            refused = replace(
                counts, inserted=0, unchanged=0, corrected=0, duplicate=0, out_of_order=0, rejected=counts.rows_read
            )
            return self._close_refused(tx, publication, letter, refused)
        event = self._event(EventType.RUN_SUCCEEDED, publication.run_id, RunState.SUCCEEDED, counts)
        if counts.corrected:
            self._record_corrections(tx, publication)
        digest = publication.digest.hexdigest()
        sequence = self._spine.record(tx, replace(event, metadata={**event.metadata, "digest": digest}))
        self._resolve_letters(tx, publication)
        return self._close(tx, publication, RunState.SUCCEEDED, counts, digest=digest, sequence=sequence)

    def _close(
        self,
        tx: Connection,
        publication: Publication,
        state: RunState,
        counts: RunCounts,
        *,
        digest: str | None,
        sequence: int,
    ) -> RunSummary:
        now_us = self._spine.clock.now_us()
        runs.finish(tx, publication.run_id, state, counts, digest=digest, batch_seq=sequence, now_us=now_us)
        sources.count_run(tx, publication.source_id, publication.run_id, inserted=counts.inserted)
        return RunSummary(
            publication.run_id,
            self._profile.name,
            state,
            counts,
            digest,
            self._payload.sha256,
            self._payload.object_name,
            sequence,
        )

    def _refuse(self, letter: NewLetter, counts: RunCounts) -> RunSummary:
        """Take back whatever was written and leave one letter for the whole payload."""
        with self._spine.workspace.database.transaction() as tx:
            publication = self._publication or self._start(tx)
            publication.roll_back(tx)
            summary = self._close_refused(tx, publication, letter, counts)
        return self._announced(summary)

    def _close_refused(
        self, tx: Connection, publication: Publication, letter: NewLetter, counts: RunCounts
    ) -> RunSummary:
        dead_letters.insert(
            tx,
            [letter],
            source_id=publication.source_id,
            payload_id=publication.payload_id,
            run_id=publication.run_id,
            now_us=self._spine.clock.now_us(),
        )
        event = self._event(EventType.RUN_REJECTED, publication.run_id, RunState.REJECTED, counts)
        sequence = self._spine.record(
            tx, replace(event, metadata={**event.metadata, "reasons": json.loads(letter.reasons_json)})
        )
        return self._close(tx, publication, RunState.REJECTED, counts, digest=None, sequence=sequence)

    def _event(self, kind: EventType, run_id: int, state: RunState, counts: RunCounts) -> NewEvent:
        metadata = {
            "source": self._profile.name,
            "payload_sha256": self._payload.sha256,
            "object_name": self._payload.object_name,
            "config_hash": self._config_hash,
            "code_version": code_version(),
            **asdict(counts),
        }
        return NewEvent(kind, "run", str(run_id), RunState.RUNNING, state, metadata)

    def _record_corrections(self, tx: Connection, publication: Publication) -> None:
        changes = revisions.newest_changes(tx, self._profile.kind, publication.run_id)
        metadata = {"source": self._profile.name, "corrected": publication.tally.corrected, "changes": changes}
        self._spine.record(tx, NewEvent(EventType.RECORD_CORRECTED, "run", str(publication.run_id), metadata=metadata))

    def _resolve_letters(self, tx: Connection, publication: Publication) -> None:
        """Close letters of this payload whose records have been published, those for all of it included."""
        whole = [letter_id for (scope, _), letter_id in self._open_letters.items() if scope != Scope.RECORD]
        letter_ids = [*publication.resolved, *whole]
        dead_letters.resolve_many(tx, letter_ids, run_id=publication.run_id, now_us=self._spine.clock.now_us())
        for letter_id in letter_ids:
            metadata = {"run_id": publication.run_id}
            self._spine.record(
                tx, NewEvent(EventType.LETTER_RESOLVED, "dead_letter", str(letter_id), "open", "resolved", metadata)
            )

    def _take_back(self) -> None:
        """Undo the run at hand, to start it afresh."""
        if self._publication is None:
            return
        with self._spine.workspace.database.transaction() as tx:
            runs.take_back(tx, self._publication.run_id, now_us=self._spine.clock.now_us())
        self._publication = None

    def _conflicting_keys(self) -> pl.DataFrame:
        """Keys with two different records anywhere in the payload; holds its canonical rows at once."""
        whole = pl.concat([outcome.accepted for outcome in self._outcomes(None)])
        keys = key_columns(self._profile.kind)
        _, conflicts = split_repeats(whole, keys)
        return conflicts.select(keys).unique()

    def _first_receipt(self, payload: Payload) -> int:
        """When these bytes came first: every later attempt judges them by that instant."""
        known = payloads.first_receipt(
            self._spine.workspace.database.connection, payload, source=self._profile.name
        )
        return payload.received_at_us if known is None else known

    def _payload_letter(self, error: PayloadError) -> NewLetter:
        return self._whole_letter(Scope.PAYLOAD, Violation(error.code, "", str(error)), records=1)

    def _batch_letter(self, counts: RunCounts, share: float) -> NewLetter:
        limit = self._profile.contract.max_reject_ratio
        worst = ", ".join(f"{code} {records}" for code, records in list(counts.reasons.items())[:3])
        message = (
            f"{counts.rejected} of {counts.rows_read} records refused ({share:.1%}, limit {limit:.1%}):"
            f" {worst}; nothing was published"
        )
        return self._whole_letter(Scope.BATCH, Violation(Code.REJECT_RATIO, "", message), records=counts.rows_read)

    def _whole_letter(self, scope: Scope, reason: Violation, *, records: int) -> NewLetter:
        with closing(self._spine.workspace.archive.open(self._payload.sha256)) as content:
            head = content.read(RAW_BYTES_KEPT)
        reasons = [{"code": reason.code, "field": reason.field, "message": reason.message}]
        return NewLetter(scope, 0, head, json.dumps(reasons), reason.code, reason.code, CONTRACT_VERSION, records)

    def _announced(self, summary: RunSummary) -> RunSummary:
        _log.info(
            "batch_committed",
            extra={
                "batch_seq": summary.batch_seq,
                "run_id": summary.run_id,
                "source": summary.source,
                "state": str(summary.state),
                "rows_read": summary.counts.rows_read,
                "rejected": summary.counts.rejected,
            },
        )
        return summary


def _with_last(outcomes: Iterable[Outcome]) -> Iterator[tuple[Outcome | None, bool]]:
    """Each outcome and whether it is the last; a payload without chunks has one empty last."""
    waiting: Outcome | None = None
    for outcome in outcomes:
        if waiting is not None:
            yield waiting, False
        waiting = outcome
    yield waiting, True
