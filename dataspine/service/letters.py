"""The dead-letter queue: list, look, rehearse, edit, retry, discard, restore, export."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from dataspine.errors import BusyError, RequestError
from dataspine.schemas.dead_letter import DeadLetter, LetterState, Scope

if TYPE_CHECKING:
    from dataspine.pipeline.redrive import Verdict
    from dataspine.pipeline.spine import Spine
    from dataspine.schemas.audit_event import EventType
    from dataspine.schemas.source import SourceProfile
    from dataspine.service.desk import Desk

PAGE_LETTERS = 500
"""Letters read together where all of a selection are wanted."""
MAX_EDIT_BYTES = 1024**2


@dataclass(frozen=True, slots=True)
class Selection:
    """Which letters: by number, or all that fit the filters."""

    letter_ids: tuple[int, ...] = ()
    reason: str | None = None
    source: str | None = None
    state: str | None = None
    fingerprint: str | None = None

    def filters(self) -> dict[str, str | None]:
        """The filters by column."""
        return {
            "code": self.reason,
            "source": self.source,
            "state": self.state,
            "fingerprint": self.fingerprint,
        }


@dataclass(frozen=True, slots=True)
class LetterGroup:
    """Letters of one source that are wrong in the same way."""

    source: str
    fingerprint: str
    code: str
    letters: int
    first_id: int
    last_id: int


def page(
    desk: Desk, selection: Selection, *, after: int = 0, limit: int = 100
) -> tuple[list[DeadLetter], int | None]:
    """Letters in order of number, and the `after` of the next page; None where there is none."""
    from dataspine.store import dead_letters

    with desk.reading() as database:
        found = dead_letters.page(
            database.connection, after=after, limit=limit + 1, filters=selection.filters()
        )
    return found[:limit], found[limit - 1].letter_id if len(found) > limit else None


def groups(desk: Desk, *, state: str = "open", source: str | None = None) -> list[LetterGroup]:
    """Letters of one state by source and fingerprint, most first."""
    from dataspine.store import dead_letters

    with desk.reading() as database:
        return [
            LetterGroup(*row) for row in dead_letters.groups(database.connection, state=state, source=source)
        ]


def show(desk: Desk, letter_id: int) -> DeadLetter:
    """One letter, whole.

    Raises: RequestError if there is none of that number.
    """
    from dataspine.store import dead_letters

    with desk.reading() as database:
        found = dead_letters.find(database.connection, letter_id)
    return _present(found, letter_id)


def selected(desk: Desk, selection: Selection) -> list[DeadLetter]:
    """Every letter of a selection, in order of number; filters without a state mean open letters.

    Raises: RequestError if a number names no letter.
    """
    from dataspine.store import dead_letters

    with desk.reading() as database:
        if selection.letter_ids:
            numbers = dict.fromkeys(selection.letter_ids)
            return [_present(dead_letters.find(database.connection, number), number) for number in numbers]
        filters = {**selection.filters(), "state": selection.state or LetterState.OPEN.value}
        found: list[DeadLetter] = []
        while True:
            after = found[-1].letter_id if found else 0
            part = dead_letters.page(database.connection, after=after, limit=PAGE_LETTERS, filters=filters)
            found += part
            if len(part) < PAGE_LETTERS:
                return found


def rehearse(desk: Desk, letters: Sequence[DeadLetter]) -> list[Verdict]:
    """What a retry would do to each letter; nothing is written."""
    from dataspine.pipeline import redrive

    with desk.acting() as spine:
        return [
            verdict
            for source, part in _by_source(letters)
            for verdict in redrive.rehearse(spine, _profile(desk, spine, source), part)
        ]


def retry(desk: Desk, letters: Sequence[DeadLetter]) -> list[Verdict]:
    """Try open letters again: what passes is stored, what fails keeps its new reasons.

    Raises: BusyError if a letter is not open or somebody changed it since it was read.
    """
    from dataspine.pipeline import redrive

    with desk.acting() as spine:
        return [
            verdict
            for source, part in _by_source(letters)
            for verdict in redrive.redrive(spine, _profile(desk, spine, source), part)
        ]


def edit(desk: Desk, letter: DeadLetter, replacement: bytes) -> Verdict:
    """Lay other bytes beside a record letter's own, to be tried at the next retry; what a retry would do with them.

    Raises: RequestError for a letter that stands for a whole payload, or bytes over 1 MiB; BusyError if it is not open
    or somebody changed it first.
    """
    from dataspine.pipeline import redrive
    from dataspine.schemas.audit_event import EventType

    require_editable(letter)
    if len(replacement) > MAX_EDIT_BYTES:
        raise RequestError(
            "an edit must not exceed 1 MiB", found=f"{len(replacement)} bytes", where=_name(letter)
        )
    with desk.acting() as spine:
        profile = _profile(desk, spine, letter.source)
        metadata: dict[str, object] = {
            "old_sha256": sha256(letter.bytes_to_try).hexdigest(),
            "new_sha256": sha256(replacement).hexdigest(),
        }
        _change(
            spine,
            letter,
            event_type=EventType.LETTER_EDITED,
            state=LetterState(letter.state),
            metadata=metadata,
            edited=replacement,
        )
        edited = _present(_read(spine, letter.letter_id), letter.letter_id)
        return redrive.rehearse(spine, profile, [edited])[0]


def require_editable(letter: DeadLetter) -> None:
    """Raises: RequestError for a letter that stands for a whole payload; BusyError for one that is not open."""
    if letter.scope != Scope.RECORD:
        raise RequestError(
            "only a record can be edited", found=f"a {letter.scope} letter", where=_name(letter)
        )
    if letter.state != LetterState.OPEN:
        raise BusyError("only an open letter can be edited", found=letter.state, where=_name(letter))


def discard(desk: Desk, letters: Sequence[DeadLetter], *, reason: str) -> int:
    """Mark open letters as not wanted; their bytes stay. The number marked.

    Raises: RequestError without a reason; BusyError if one is not open or was changed since it was read.
    """
    from dataspine.schemas.audit_event import EventType

    return _mark(
        desk,
        letters,
        reason=reason,
        event_type=EventType.LETTER_DISCARDED,
        old=LetterState.OPEN,
        new=LetterState.DISCARDED,
    )


def restore(desk: Desk, letters: Sequence[DeadLetter], *, reason: str) -> int:
    """Open discarded letters again. The number opened.

    Raises: RequestError without a reason; BusyError if one is not discarded or was changed since it was read.
    """
    from dataspine.schemas.audit_event import EventType

    return _mark(
        desk,
        letters,
        reason=reason,
        event_type=EventType.LETTER_RESTORED,
        old=LetterState.DISCARDED,
        new=LetterState.OPEN,
    )


def _mark(
    desk: Desk,
    letters: Sequence[DeadLetter],
    *,
    reason: str,
    event_type: EventType,
    old: LetterState,
    new: LetterState,
) -> int:
    """Move letters from one state to another, all or none."""
    if not reason.strip():
        raise RequestError("a reason is required", cure='Say why: --reason "vendor withdrew the file"')
    with desk.acting() as spine, spine.workspace.database.transaction():
        for letter in letters:
            if letter.state != old:
                raise BusyError(f"the letter must be {old}", found=letter.state, where=_name(letter))
            _set(spine, letter, event_type=event_type, state=new, metadata={"reason": reason}, note=reason)
    return len(letters)


def _change(
    spine: Spine,
    letter: DeadLetter,
    *,
    event_type: EventType,
    state: LetterState,
    metadata: dict[str, object],
    **values: object,
) -> None:
    with spine.workspace.database.transaction():
        _set(spine, letter, event_type=event_type, state=state, metadata=metadata, **values)


def _set(
    spine: Spine,
    letter: DeadLetter,
    *,
    event_type: EventType,
    state: LetterState,
    metadata: dict[str, object],
    **values: object,
) -> None:
    """Change one letter by compare-and-set, with its audit event, in the open transaction."""
    from dataspine.schemas.audit_event import NewEvent
    from dataspine.store import dead_letters

    tx = spine.workspace.database.connection
    if not dead_letters.change(tx, letter, now_us=spine.clock.now_us(), state=state, **values):
        raise BusyError(
            "somebody else changed this letter first", where=_name(letter), cure="Look at it again"
        )
    spine.record(
        tx, NewEvent(event_type, "dead_letter", str(letter.letter_id), letter.state, state, metadata)
    )


def _read(spine: Spine, letter_id: int) -> DeadLetter | None:
    from dataspine.store import dead_letters

    return dead_letters.find(spine.workspace.database.connection, letter_id)


def _present(letter: DeadLetter | None, letter_id: int) -> DeadLetter:
    if letter is None:
        raise RequestError(
            "there is no such dead letter", found=letter_id, cure="`dataspine dlq list` names them"
        )
    return letter


def _profile(desk: Desk, spine: Spine, source: str) -> SourceProfile:
    """The source as it is configured; one that files were ingested for by hand, as it was used last.

    Raises: RequestError if there is neither.
    """
    from dataspine.schemas.source import SourceProfile
    from dataspine.store import sources

    text = sources.last_profile_json(spine.workspace.database.connection, source)
    if source in desk.settings.sources or text is None:
        return desk.profile(source)
    return SourceProfile.model_validate_json(text)


def _by_source(letters: Sequence[DeadLetter]) -> Iterator[tuple[str, list[DeadLetter]]]:
    sources: dict[str, list[DeadLetter]] = {}
    for letter in letters:
        sources.setdefault(letter.source, []).append(letter)
    yield from sources.items()


def _name(letter: DeadLetter) -> str:
    return f"dead letter {letter.letter_id}"
