"""Calendars of a workspace: the shipped or refreshed sessions with the standing overrides over them."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from dataspine.calendars.lookup import Calendar, Session
from dataspine.calendars.overrides import SessionOverride, with_overrides
from dataspine.calendars.session_text import calendar_from_text, text_from_calendar
from dataspine.calendars.shipped import shipped_calendar
from dataspine.errors import StorageCorrupt

if TYPE_CHECKING:
    from dataspine.store.sqlite import Connection

_OVERRIDE_COLUMNS = (
    "override_id, calendar, session_date, open_us, close_us, break_start_us, break_end_us, is_half_day,"
    " reason, created_at_us, undone_at_us"
)


def calendar_in_force(tx: Connection, name: str) -> Calendar:
    """The calendar that everything in this workspace goes by.

    Raises: RequestError if there is none of that name; StorageCorrupt if its stored sessions were changed.
    """
    return with_overrides(base_calendar(tx, name), standing_overrides(tx, name))


def base_calendar(tx: Connection, name: str) -> Calendar:
    """The calendar without overrides: the refreshed one, or the shipped one where that reaches further.

    Raises: as `calendar_in_force`.
    """
    shipped = shipped_calendar(name)
    found = tx.execute(
        "SELECT last_day, sessions_text, version_id FROM sessions WHERE calendar = ? ORDER BY version_id DESC LIMIT 1",
        (name,),
    ).fetchone()
    if found is None or found[0] < str(shipped.last_day):
        return shipped
    try:
        return calendar_from_text(found[1])
    except ValueError as error:
        raise StorageCorrupt(
            f"stored sessions cannot be read ({error})",
            where=f"sessions, version_id {found[2]}",
            cure="Restore a backup beside the database",
        ) from error


def insert(tx: Connection, calendar: Calendar, *, reason: str, now_us: int) -> int:
    """Store a generated calendar, which is in force from now on; its number."""
    cursor = tx.execute(
        "INSERT INTO sessions (calendar, version, first_day, last_day, session_count, made_by, sessions_text, reason,"
        " applied_at_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            calendar.name,
            calendar.version,
            str(calendar.first_day),
            str(calendar.last_day),
            len(calendar.sessions),
            calendar.made_by,
            text_from_calendar(calendar),
            reason,
            now_us,
        ),
    )
    return int(cursor.lastrowid or 0)


def standing_overrides(tx: Connection, name: str) -> list[SessionOverride]:
    """Overrides of a calendar that were not undone, oldest first."""
    rows = tx.execute(
        f"SELECT {_OVERRIDE_COLUMNS} FROM session_overrides WHERE calendar = ? AND undone_at_us IS NULL"
        " ORDER BY override_id",
        (name,),
    )
    return [_override_from_row(row) for row in rows.fetchall()]


def find_override(tx: Connection, override_id: int) -> SessionOverride | None:
    """One override, undone or not."""
    row = tx.execute(
        f"SELECT {_OVERRIDE_COLUMNS} FROM session_overrides WHERE override_id = ?", (override_id,)
    ).fetchone()
    return None if row is None else _override_from_row(row)


def insert_override(
    tx: Connection, name: str, day: date, session: Session | None, *, reason: str, now_us: int
) -> int:
    """Lay hours, or a closure, over a date; the override's number."""
    edges = (None, None, None, None) if session is None else session[1:5]
    cursor = tx.execute(
        "INSERT INTO session_overrides (calendar, session_date, open_us, close_us, break_start_us, break_end_us,"
        " is_half_day, reason, created_at_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (name, str(day), *edges, int(session is not None and session.is_half_day), reason, now_us),
    )
    return int(cursor.lastrowid or 0)


def undo_override(tx: Connection, override_id: int, *, now_us: int) -> bool:
    """Mark a standing override as undone; whether it stood."""
    cursor = tx.execute(
        "UPDATE session_overrides SET undone_at_us = ? WHERE override_id = ? AND undone_at_us IS NULL",
        (now_us, override_id),
    )
    return int(cursor.rowcount) == 1


def state_of_calendars(connection: Connection) -> tuple[int, ...]:
    """Numbers that change whenever any calendar does."""
    row = connection.execute(
        "SELECT (SELECT coalesce(max(version_id), 0) FROM sessions),"
        " (SELECT coalesce(max(override_id), 0) FROM session_overrides),"
        " (SELECT count(*) FROM session_overrides WHERE undone_at_us IS NULL)"
    ).fetchone()
    return tuple(map(int, row))


def _override_from_row(row: tuple[Any, ...]) -> SessionOverride:
    override_id, name, day_text, open_us, close_us, break_start_us, break_end_us, is_half_day, *rest = row
    day = date.fromisoformat(day_text)
    session = (
        None
        if open_us is None
        else Session(day, open_us, close_us, break_start_us, break_end_us, is_half_day=bool(is_half_day))
    )
    reason, created_at_us, undone_at_us = rest
    return SessionOverride(override_id, name, day, session, reason, created_at_us, undone_at_us)
