"""One attempt at one payload: archived bytes through the heart into the store, each chunk in one transaction.

A payload of one chunk is one transaction. A larger one is cut into chunks under one run whose rows stay hidden until
its last chunk commits; if the process dies before, the next attempt takes everything back first.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from dataspine.adapters.container import documents
from dataspine.errors import PayloadError
from dataspine.pipeline.flow import read_ahead, with_last
from dataspine.pipeline.publish import CrossChunkConflict, Publication
from dataspine.pipeline.spine import Spine, code_version, owner, profile_text
from dataspine.pipeline.stages import Outcome, Repeats, find_repeats, process_chunks
from dataspine.schemas.audit_event import EventType, NewEvent
from dataspine.schemas.codes import Code, Violation
from dataspine.schemas.dead_letter import RAW_BYTES_KEPT, LetterState, NewLetter, Scope
from dataspine.schemas.payload import CHUNK_RECORDS
from dataspine.schemas.run import RunCounts, RunStart, RunState, RunSummary, Standing
from dataspine.store import dead_letters, payloads, revisions, runs, sources
from dataspine.validation.contracts import CONTRACT_VERSION

if TYPE_CHECKING:
    from dataspine.schemas.payload import Payload
    from dataspine.schemas.source import SourceProfile
    from dataspine.store.sqlite import Connection

BREATH_S = 0.002
"""Pause between two transactions, so that another writer gets a turn; how long it waits: docs/BENCHMARKS.md."""

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
    with spine.workspace.source_lock(profile.name):
        recover(spine, profile.name)
        return ingest_locked(spine, profile, payload, options=options)


def ingest_locked(
    spine: Spine, profile: SourceProfile, payload: Payload, *, options: IngestOptions | None = None
) -> RunSummary:
    """The same for a caller that holds the source's lock and has recovered it."""
    return _Attempt(spine, profile, payload, options or IngestOptions()).run()


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
            event = NewEvent(
                EventType.RUN_INTERRUPTED, "run", str(run_id), RunState.RUNNING, RunState.INTERRUPTED
            )
            spine.record(tx, event)
    return lost


class _Attempt:
    """One payload on its way through the heart into the store."""

    def __init__(
        self, spine: Spine, profile: SourceProfile, payload: Payload, options: IngestOptions
    ) -> None:
        self._spine = spine
        self._profile = profile
        self._options = options
        self._profile_json, self._config_hash = profile_text(profile)
        self._payload = payloads.as_received(
            spine.workspace.database.connection, payload, source=profile.name
        )
        self._publication: Publication | None = None
        self._repeats: Repeats | None = None  # known only where a second pass was needed

    def run(self) -> RunSummary:
        """The attempt, from the first byte to the closed run."""
        standing = self._standing()
        if standing is not None:
            return self._confirm(standing)
        try:
            try:
                return self._publish(self._outcomes())
            except CrossChunkConflict:
                self._start_over()
                self._repeats = self._found_repeats()
                return self._publish(self._outcomes())
        except PayloadError as error:
            letter = self._whole_letter(Scope.PAYLOAD, Violation(error.code, "", str(error)), records=1)
            return self._refuse(letter, RunCounts(1, rejected=1, reasons={error.code: 1}))

    def _standing(self) -> Standing | None:
        """The result of an earlier run that must come out again: same bytes, profile and code, and the store as it was.

        A letter tried again, another payload, a changed profile or an insisting operator: then nothing is known.
        """
        if self._payload.payload_id is None or not self._options.breaker:
            return None
        tx = self._spine.workspace.database.connection
        found = runs.standing(
            tx, self._payload.payload_id, config_hash=self._config_hash, code_version=code_version()
        )
        return None if found is None or self._is_too_bad(found.counts) else found

    def _confirm(self, standing: Standing) -> RunSummary:
        """A run that finds everything as it is."""
        counts = standing.counts
        kept = counts.inserted + counts.unchanged + counts.corrected
        counts = replace(counts, inserted=0, corrected=0, unchanged=kept)
        with self._spine.workspace.database.transaction() as tx:
            publication = self._start(tx)
            event = self._event(EventType.RUN_SUCCEEDED, publication.run_id, RunState.SUCCEEDED, counts)
            metadata = {**event.metadata, "digest": standing.digest, "as_in_run": standing.run_id}
            sequence = self._spine.record(tx, replace(event, metadata=metadata))
            summary = self._close(
                tx, publication, RunState.SUCCEEDED, counts, digest=standing.digest, sequence=sequence
            )
        return self._announced(summary)

    def _is_too_bad(self, counts: RunCounts) -> bool:
        limits = self._profile.contract
        return (
            counts.rows_read >= limits.breaker_min_records and counts.reject_ratio > limits.max_reject_ratio
        )

    def _outcomes(self) -> Generator[Outcome]:
        payload, chunk_records = self._payload, self._options.chunk_records
        with closing(self._spine.workspace.archive.open(payload.sha256)) as content:
            found = documents(content, object_name=payload.object_name, member_glob=self._profile.member)
            for outcome in process_chunks(
                payload, found, self._profile, chunk_records=chunk_records, repeats=self._repeats
            ):
                yield outcome
                self._report(content.tell())

    def _found_repeats(self) -> Repeats:
        payload = self._payload
        with closing(self._spine.workspace.archive.open(payload.sha256)) as content:
            found = documents(content, object_name=payload.object_name, member_glob=self._profile.member)
            return find_repeats(payload, found, self._profile)

    def _report(self, done_bytes: int) -> None:
        if self._options.on_progress and self._publication:
            progress = Progress(self._publication.tally.rows_read, done_bytes, self._payload.size_bytes)
            self._options.on_progress(progress)

    def _publish(self, outcomes: Generator[Outcome]) -> RunSummary:
        """Write every chunk; the last one closes the run in its own transaction."""
        summary = None
        with closing(read_ahead(outcomes)) as coming:
            for outcome, is_last in with_last(coming):
                if self._publication is not None:
                    self._spine.clock.sleep_s(BREATH_S)
                summary = self._commit(outcome, is_last=is_last)
        if summary is None:
            raise AssertionError("a payload has a last chunk")
        return self._announced(summary)

    def _commit(self, outcome: Outcome | None, *, is_last: bool) -> RunSummary | None:
        """One chunk in one transaction; the run's account if it was the last."""
        summary = None
        with self._spine.workspace.database.transaction() as tx:
            publication = self._publication or self._start(tx)
            if outcome is not None:
                stored = publication.write(tx, outcome)
                publication.write_letters(tx, stored, now_us=self._spine.clock.now_us())
            if is_last and self._repeats is None:
                publication.check_repeats()
            if is_last:
                summary = self._finish(tx, publication)
        # Only a committed run is remembered: a rolled-back transaction has no run to go on with.
        self._publication = publication
        return summary

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
        run_id = runs.start(tx, begin)
        return Publication(
            self._profile,
            source_id=source_id,
            payload_id=payload_id,
            run_id=run_id,
            received_at_us=self._payload.received_at_us,
            known_letters=dead_letters.of_payload(tx, payload_id),
        )

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
        return source_id, payloads.payload_row(tx, self._payload, source_id=source_id)

    def _finish(self, tx: Connection, publication: Publication) -> RunSummary:
        counts = publication.tally.counts()
        if self._options.breaker and self._is_too_bad(counts):
            publication.roll_back(tx)
            held = {**counts.reasons, str(Code.REJECT_RATIO): counts.rows_read - counts.rejected}
            refused = RunCounts(
                counts.rows_read,
                rejected=counts.rows_read,
                skipped=counts.skipped,
                reasons=held,
                skipped_by=counts.skipped_by,
            )
            return self._close_refused(tx, publication, self._batch_letter(counts), refused)
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
        known = publication.known_letters.get((letter.scope, letter.position))
        if known and dead_letters.reopen(tx, known.letter_id, now_us=self._spine.clock.now_us()):
            reopened = NewEvent(
                EventType.LETTER_REOPENED, "dead_letter", str(known.letter_id), "resolved", "open"
            )
            self._spine.record(tx, reopened)
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
        metadata = {
            "source": self._profile.name,
            "corrected": publication.tally.corrected,
            "changes": changes,
        }
        self._spine.record(
            tx, NewEvent(EventType.RECORD_CORRECTED, "run", str(publication.run_id), metadata=metadata)
        )

    def _resolve_letters(self, tx: Connection, publication: Publication) -> None:
        """Close letters of this payload whose records have been published, those for all of it included."""
        whole = [
            letter.letter_id
            for (scope, _), letter in publication.known_letters.items()
            if scope != Scope.RECORD and letter.state == LetterState.OPEN
        ]
        # An operator may have discarded one since this run read them.
        marked = dead_letters.resolve_many(
            tx, [*publication.resolved, *whole], run_id=publication.run_id, now_us=self._spine.clock.now_us()
        )
        for letter_id in marked:
            metadata = {"run_id": publication.run_id}
            self._spine.record(
                tx,
                NewEvent(
                    EventType.LETTER_RESOLVED, "dead_letter", str(letter_id), "open", "resolved", metadata
                ),
            )

    def _start_over(self) -> None:
        """Undo what the run at hand wrote, for another pass under the same number."""
        if self._publication is None:
            return
        with self._spine.workspace.database.transaction() as tx:
            self._publication.roll_back(tx)
        self._publication = self._publication.afresh()

    def _batch_letter(self, counts: RunCounts) -> NewLetter:
        limit = self._profile.contract.max_reject_ratio
        worst = ", ".join(f"{code} {records}" for code, records in list(counts.reasons.items())[:3])
        message = (
            f"{counts.rejected} of {counts.rows_read} records refused ({counts.reject_ratio:.1%}, limit {limit:.1%}):"
            f" {worst}; nothing was published"
        )
        return self._whole_letter(
            Scope.BATCH, Violation(Code.REJECT_RATIO, "", message), records=counts.rows_read
        )

    def _whole_letter(self, scope: Scope, reason: Violation, *, records: int) -> NewLetter:
        with closing(self._spine.workspace.archive.open(self._payload.sha256)) as content:
            head = content.read(RAW_BYTES_KEPT)
        reasons = [{"code": reason.code, "field": reason.field, "message": reason.message}]
        return NewLetter(
            scope, 0, head, json.dumps(reasons), reason.code, reason.code, CONTRACT_VERSION, records
        )

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
