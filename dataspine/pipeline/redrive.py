"""Redrive: dead letters through the heart again, under today's profile and the receipt of their payload.

Letters of one payload are tried in one run and one transaction. An operator's edit is archived as a payload of its
own first, so that its bytes have the same standing as a vendor's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from dataspine.adapters.container import documents
from dataspine.errors import BusyError, PayloadError
from dataspine.pipeline.canonical import key_columns
from dataspine.pipeline.ingest import IngestOptions, ingest_locked, recover
from dataspine.pipeline.publish import Publication
from dataspine.pipeline.rejudge import judge_letters
from dataspine.pipeline.spine import code_version, owner, profile_text
from dataspine.pipeline.stages import Outcome, process_chunks
from dataspine.schemas.audit_event import EventType, NewEvent
from dataspine.schemas.codes import Violation
from dataspine.schemas.dead_letter import DeadLetter, LetterState, Scope
from dataspine.schemas.run import RunStart, RunState
from dataspine.store import dead_letters, payloads, runs, sources
from dataspine.store.rows import Receipt
from dataspine.validation.contracts import CONTRACT_VERSION

if TYPE_CHECKING:
    from dataspine.pipeline.spine import Spine
    from dataspine.schemas.payload import Payload
    from dataspine.schemas.source import SourceProfile
    from dataspine.store.sqlite import Connection


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a letter became, or would become."""

    letter_id: int
    passes: bool
    reasons: tuple[Violation, ...] = ()
    """Why it is refused again."""
    key: str | None = None
    """Canonical key of the row it becomes."""
    run_id: int | None = None
    """Run that stored or refused it; None for a rehearsal."""


def rehearse(spine: Spine, profile: SourceProfile, letters: Iterable[DeadLetter]) -> list[Verdict]:
    """What a retry of these letters would do; writes nothing.

    Raises: BusyError if a letter is not open.
    """
    verdicts: list[Verdict] = []
    for group in _groups(letters):
        _require_open(group)
        if group[0].scope == Scope.RECORD:
            verdicts += _Retry(spine, profile, group).rehearse()
        else:
            verdicts += [_rehearse_whole(spine, profile, letter) for letter in group]
    return verdicts


def redrive(spine: Spine, profile: SourceProfile, letters: Iterable[DeadLetter]) -> list[Verdict]:
    """Try letters again: what passes now is stored and its letter resolved, what fails keeps its new reasons.

    Raises: BusyError if a letter is not open or was changed since it was read; nothing of its payload is stored then.
    """
    verdicts: list[Verdict] = []
    for group in _groups(letters):
        _require_open(group)
        if group[0].scope == Scope.RECORD:
            with spine.workspace.source_lock(profile.name):
                recover(spine, profile.name)
                verdicts += _Retry(spine, profile, group).run()
        else:
            verdicts += [_whole(spine, profile, letter) for letter in group]
    return verdicts


def _groups(letters: Iterable[DeadLetter]) -> list[list[DeadLetter]]:
    """Letters that are tried together: those of one payload; an edited one stands alone."""
    groups: dict[tuple[int, int], list[DeadLetter]] = {}
    for letter in letters:
        alone = letter.letter_id if letter.edited is not None or letter.scope != Scope.RECORD else 0
        groups.setdefault((letter.payload_id, alone), []).append(letter)
    return [sorted(group, key=lambda letter: letter.position) for group in groups.values()]


def _require_open(letters: Iterable[DeadLetter]) -> None:
    for letter in letters:
        if letter.state != LetterState.OPEN:
            raise BusyError("only an open letter can be tried", found=letter.state, where=_name(letter))


def _whole(spine: Spine, profile: SourceProfile, letter: DeadLetter) -> Verdict:
    """A letter for a whole payload or batch: the payload again, without the breaker for the operator insists."""
    database = spine.workspace.database
    payload, _ = payloads.find_payload(database.connection, letter.payload_id)
    with spine.workspace.source_lock(profile.name):
        recover(spine, profile.name)
        known = dead_letters.find(database.connection, letter.letter_id)
        if known is None or known.version != letter.version:
            raise _changed_first(letter)
        summary = ingest_locked(spine, profile, payload, options=IngestOptions(breaker=False))
    if summary.state == RunState.SUCCEEDED:
        return Verdict(letter.letter_id, passes=True, key=f"run {summary.run_id}", run_id=summary.run_id)
    with database.transaction() as tx:
        if not dead_letters.change(tx, letter, now_us=spine.clock.now_us(), attempts=letter.attempts + 1):
            raise _changed_first(letter)
    reasons = tuple(Violation(code, "", "the payload is refused again") for code in summary.counts.reasons)
    return Verdict(letter.letter_id, passes=False, reasons=reasons, run_id=summary.run_id)


def _rehearse_whole(spine: Spine, profile: SourceProfile, letter: DeadLetter) -> Verdict:
    """Whether the payload can be read: if so it is published, whatever share of it is refused."""
    payload, _ = payloads.find_payload(spine.workspace.database.connection, letter.payload_id)
    try:
        with closing(spine.workspace.archive.open(payload.sha256)) as content:
            found = documents(content, object_name=payload.object_name, member_glob=profile.member)
            for _ in process_chunks(payload, found, profile):
                continue
    except PayloadError as error:
        return Verdict(letter.letter_id, passes=False, reasons=(Violation(error.code, "", str(error)),))
    return Verdict(letter.letter_id, passes=True)


def _verdicts(
    letters: Sequence[DeadLetter], outcome: Outcome, profile: SourceProfile, *, run_id: int | None = None
) -> list[Verdict]:
    keys = {
        row[0]: " ".join(str(part) for part in row[1:])
        for row in outcome.accepted.select("position", *key_columns(profile.kind)).iter_rows()
    }
    refusals = {row["position"]: row for row in outcome.rejected.iter_rows(named=True)}
    found = []
    for letter in letters:
        refusal = refusals.get(letter.position)
        if refusal is None:
            # A repeat of a record that passes beside it is stored as that record.
            found.append(Verdict(letter.letter_id, passes=True, key=keys.get(letter.position), run_id=run_id))
        else:
            reasons = json.loads(refusal["reasons_json"])
            found.append(
                Verdict(
                    letter.letter_id,
                    passes=False,
                    reasons=tuple(
                        Violation(item["code"], item["field"], item["message"]) for item in reasons
                    ),
                    run_id=run_id,
                )
            )
    return found


class _Rehearsed(Exception):
    """Ends a rehearsal's transaction; nobody sees it."""


class _Retry:
    """One run over letters of one payload."""

    def __init__(self, spine: Spine, profile: SourceProfile, letters: Sequence[DeadLetter]) -> None:
        self._spine = spine
        self._profile = profile
        self._letters = letters
        self._payload, _ = payloads.find_payload(spine.workspace.database.connection, letters[0].payload_id)
        self._edited = letters[0].edited

    def run(self) -> list[Verdict]:
        """The attempt, in one transaction."""
        kept = self._kept_edit()
        judged = judge_letters(self._letters, self._profile, self._payload)
        with self._spine.workspace.database.transaction() as tx:
            publication, outcome = self._publish(tx, judged, kept)
            verdicts = _verdicts(self._letters, outcome, self._profile, run_id=publication.run_id)
            self._change_letters(tx, outcome, verdicts, publication.run_id)
            self._close(tx, publication, publication.run_id)
        return verdicts

    def rehearse(self) -> list[Verdict]:
        """What the attempt would do: the same against the same rows, and rolled back."""
        judged = judge_letters(self._letters, self._profile, self._payload)
        outcomes = []
        with suppress(_Rehearsed), self._spine.workspace.database.transaction() as tx:
            outcomes.append(self._publish(tx, judged, None)[1])
            raise _Rehearsed
        return _verdicts(self._letters, outcomes[0], self._profile)

    def _publish(self, tx: Connection, judged: Outcome, kept: Payload | None) -> tuple[Publication, Outcome]:
        """Write what passes against the rows that are stored by now; the outcome as it was stored."""
        publication = self._start(tx, kept)
        receipt = Receipt(self._payload.received_at_us, self._letters[0].payload_id)
        return publication, publication.write(tx, publication.without_newer(tx, judged, receipt))

    def _kept_edit(self) -> Payload | None:
        """The operator's bytes in the archive, before anything is derived from them."""
        if self._edited is None:
            return None
        return self._spine.workspace.archive.keep(
            [self._edited],
            object_name=f"edit of letter {self._letters[0].letter_id}",
            received_at_us=self._payload.received_at_us,
        )

    def _start(self, tx: Connection, kept: Payload | None) -> Publication:
        text, config_hash = profile_text(self._profile)
        now_us = self._spine.clock.now_us()
        source_id = sources.source_row(
            tx,
            self._profile.name,
            kind=self._profile.kind,
            config_hash=config_hash,
            profile_json=text,
            now_us=now_us,
        )
        payload_id = self._letters[0].payload_id
        if kept is not None:
            payload_id = payloads.payload_row(tx, kept, source_id=source_id, origin="edit")
        begin = RunStart(source_id, payload_id, "redrive", config_hash, code_version(), now_us, owner())
        run_id = runs.start(tx, begin)
        return Publication(
            self._profile,
            source_id=source_id,
            payload_id=payload_id,
            run_id=run_id,
            received_at_us=self._payload.received_at_us,
        )

    def _change_letters(self, tx: Connection, outcome: Outcome, verdicts: list[Verdict], run_id: int) -> None:
        refusals = {row["position"]: row for row in outcome.rejected.iter_rows(named=True)}
        now_us = self._spine.clock.now_us()
        for letter, verdict in zip(self._letters, verdicts, strict=True):
            attempts = letter.attempts + 1
            if verdict.passes:
                values: dict[str, object] = {"resolved_by_run": run_id, "resolved_key": verdict.key}
                state = LetterState.RESOLVED
            else:
                refusal = refusals[letter.position]
                values = {name: refusal[name] for name in ("reasons_json", "code", "fingerprint")}
                state = LetterState.OPEN
            values |= {"attempts": attempts, "rule_version": CONTRACT_VERSION}
            if not dead_letters.change(tx, letter, now_us=now_us, state=state, **values):
                raise _changed_first(letter)
            if verdict.passes:
                metadata = {"run_id": run_id, "key": verdict.key, "edited": letter.edited is not None}
                event = NewEvent(
                    EventType.LETTER_RESOLVED,
                    "dead_letter",
                    str(letter.letter_id),
                    letter.state,
                    state,
                    metadata,
                )
                self._spine.record(tx, event)

    def _close(self, tx: Connection, publication: Publication, run_id: int) -> None:
        counts = publication.tally.counts()
        metadata = {
            "source": self._profile.name,
            "kind": "redrive",
            "code_version": code_version(),
            **asdict(counts),
        }
        event = NewEvent(
            EventType.RUN_SUCCEEDED, "run", str(run_id), RunState.RUNNING, RunState.SUCCEEDED, metadata
        )
        sequence = self._spine.record(tx, event)
        runs.finish(
            tx,
            run_id,
            RunState.SUCCEEDED,
            counts,
            digest=publication.digest.hexdigest(),
            batch_seq=sequence,
            now_us=self._spine.clock.now_us(),
        )
        sources.count_run(tx, publication.source_id, run_id, inserted=counts.inserted)


def _changed_first(letter: DeadLetter) -> BusyError:
    return BusyError("somebody else changed this letter first", where=_name(letter), cure="Look at it again")


def _name(letter: DeadLetter) -> str:
    return f"dead letter {letter.letter_id}"
