"""Refreshing and overriding calendars at a desk: shown first, reasoned, audited, undone, and never half applied."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import date

import pytest

from dataspine.calendars.session_text import calendar_from_text
from dataspine.calendars.shipped import CALENDARS, shipped_calendar
from dataspine.errors import BusyError, RequestError, StorageCorrupt
from dataspine.schemas.audit_event import EventType
from dataspine.service import audit
from dataspine.service import sessions as service
from dataspine.service.sessions import Hours
from dataspine.store import audit_events
from dataspine.store import sessions as stored
from dataspine.store.sqlite import sqlite
from tests.unit.calendars.calendar_builder import us

FRIDAY, SATURDAY = date(2026, 1, 9), date(2026, 1, 10)
CLOSED = Hours(is_closed=True)


def events(spine, kind):
    """The events of one kind, oldest first."""
    found = audit_events.newest(spine.workspace.database.connection, limit=100)
    return [event for event in reversed(found) if event.event_type == kind]


def without(calendar, day):
    """The calendar with one date closed."""
    return replace(calendar, sessions=tuple(item for item in calendar.sessions if item.day != day))


def put_in_force(spine, calendar):
    """Store a calendar as a refresh would."""
    with spine.workspace.database.transaction() as tx:
        stored.insert(tx, calendar, reason="test", now_us=spine.clock.now_us())


def test_shipped_calendars_are_in_force_at_first(desk):
    states = service.states(desk)
    assert [state.calendar.name for state in states] == list(CALENDARS)
    assert all(state.is_shipped and state.overrides == 0 for state in states)
    assert service.calendar(desk, "XNYS") == shipped_calendar("XNYS")


def test_a_closure_is_in_force_at_once_and_audited(desk, spine):
    made = service.override(desk, "XNYS", FRIDAY, CLOSED, reason=" day of mourning ")
    assert not service.calendar(desk, "XNYS").is_session(FRIDAY)
    assert service.calendar(desk, "XNAS").is_session(FRIDAY)
    (event,) = events(spine, EventType.SESSION_OVERRIDDEN)
    assert (event.entity_type, event.entity_id) == ("session", "XNYS 2026-01-09")
    assert (event.old_state, event.new_state) == ("2026-01-09T14:30:00Z/2026-01-09T21:00:00Z", "closed")
    assert event.metadata == {"override_id": made.override_id, "reason": "day of mourning"}


def test_undo_brings_back_what_stood_below(desk, spine):
    half = service.override(desk, "XNYS", FRIDAY, Hours(closes="13:00"), reason="storm")
    closed = service.override(desk, "XNYS", FRIDAY, CLOSED, reason="worse storm")
    assert service.undo(desk, closed.override_id, reason="it passed") == half.session
    assert service.calendar(desk, "XNYS").session(FRIDAY) == half.session
    assert service.undo(desk, half.override_id, reason="it never came") == shipped_calendar("XNYS").session(
        FRIDAY
    )
    assert service.calendar(desk, "XNYS").version == shipped_calendar("XNYS").version
    undone = events(spine, EventType.SESSION_OVERRIDE_UNDONE)
    assert [(event.old_state, event.metadata["reason"]) for event in undone] == [
        ("closed", "it passed"),
        ("2026-01-09T14:30:00Z/2026-01-09T18:00:00Z", "it never came"),
    ]


def test_undoing_the_one_below_leaves_the_one_above(desk):
    half = service.override(desk, "XNYS", FRIDAY, Hours(closes="13:00"), reason="storm")
    service.override(desk, "XNYS", FRIDAY, CLOSED, reason="worse storm")
    assert service.undo(desk, half.override_id, reason="tidy") is None
    assert not service.calendar(desk, "XNYS").is_session(FRIDAY)


def test_page_shows_sessions_and_standing_overrides(desk):
    undone = service.override(desk, "XNYS", FRIDAY, Hours(closes="13:00"), reason="storm")
    service.undo(desk, undone.override_id, reason="wrong day")
    closed = service.override(desk, "XNYS", FRIDAY, CLOSED, reason="storm")
    service.override(desk, "XNYS", date(2026, 2, 2), CLOSED, reason="later")
    page = service.page(desk, "XNYS", date(2026, 1, 8), date(2026, 1, 12))
    assert [item.day.day for item in page.sessions] == [8, 12]
    assert page.overrides == (closed,)


def test_overrides_read_back_as_they_were_made(desk, spine):
    made = service.override(
        desk, "XHKG", SATURDAY, Hours(opens="09:30", closes="16:00"), reason="make-up day"
    )
    assert made.session.break_start_us == us("2026-01-10T12:00:00+08:00")
    assert stored.standing_overrides(spine.workspace.database.connection, "XHKG") == [made]


@pytest.mark.parametrize(
    ("hours", "reason", "said"),
    [
        (CLOSED, "  ", "a reason is needed"),
        (Hours(), "storm", "say either --closed, or when it is open.*got neither"),
        (Hours(is_closed=True, closes="13:00"), "storm", "say either --closed.*got both"),
        (Hours(closes="16:00"), "storm", "this is what stands already, got 2026-01-09T14:30:00Z"),
    ],
)
def test_a_refused_override_leaves_nothing(desk, spine, hours, reason, said):
    with pytest.raises(RequestError, match=said):
        service.override(desk, "XNYS", FRIDAY, hours, reason=reason)
    assert stored.standing_overrides(spine.workspace.database.connection, "XNYS") == []
    assert events(spine, EventType.SESSION_OVERRIDDEN) == []


def test_closing_a_closed_date_is_refused(desk):
    with pytest.raises(RequestError, match=r"stands already, got closed \(XNYS, 2026-01-10\)"):
        service.override(desk, "XNYS", SATURDAY, CLOSED, reason="storm")


def test_undo_needs_a_standing_override(desk):
    with pytest.raises(RequestError, match="there is no such override, got 7"):
        service.undo(desk, 7, reason="none")
    made = service.override(desk, "XNYS", FRIDAY, CLOSED, reason="storm")
    service.undo(desk, made.override_id, reason="passed")
    with pytest.raises(RequestError, match="this override was undone before"):
        service.undo(desk, made.override_id, reason="again")


def test_overrides_never_change_and_never_go(desk, spine):
    service.override(desk, "XNYS", FRIDAY, CLOSED, reason="storm")
    for statement in ("UPDATE session_overrides SET reason = 'x'", "DELETE FROM session_overrides"):
        with pytest.raises(sqlite.IntegrityError, match="an override"):
            spine.workspace.database.connection.execute(statement)


def test_refresh_without_a_difference_writes_nothing(desk, spine):
    differences = service.propose_refresh(desk, ["24/7", "24/5"])
    assert [item.is_empty for item in differences] == [True, True]
    assert service.apply_refresh(desk, differences, reason="yearly") == 0
    assert events(spine, EventType.CALENDAR_REFRESHED) == []


def test_refresh_shows_every_kind_of_difference_before_it_applies(desk, spine):
    ours = shipped_calendar("24/5")
    shorter = ours.session(date(2026, 1, 12))._replace(is_half_day=True)
    altered = without(ours, FRIDAY)
    altered = replace(
        altered, sessions=tuple(shorter if item.day == shorter.day else item for item in altered.sessions)
    )
    put_in_force(spine, altered)
    (difference,) = service.propose_refresh(desk, ["24/5"])
    assert [item.day for item in difference.added] == [FRIDAY]
    assert [(change.old, change.new.is_half_day) for change in difference.changed] == [(shorter, False)]
    assert difference.removed == ()
    assert service.calendar(desk, "24/5") == altered

    assert service.apply_refresh(desk, [difference], reason="corrected") == 1
    assert service.calendar(desk, "24/5") == ours
    (event,) = events(spine, EventType.CALENDAR_REFRESHED)
    assert (event.entity_id, event.old_state, event.new_state) == ("24/5", altered.version, ours.version)
    assert event.metadata == {
        "reason": "corrected",
        "made_by": "rule",
        "first_day": "2016-01-01",
        "last_day": "2027-12-31",
        "added_count": 1,
        "removed_count": 0,
        "changed_count": 1,
        "added": ["2026-01-09"],
        "removed": [],
        "changed": ["2026-01-12"],
    }
    row = spine.workspace.database.one(
        "SELECT version, session_count, reason FROM sessions ORDER BY version_id DESC"
    )
    assert row == (ours.version, len(ours.sessions), "corrected")


def test_refresh_reaches_further_back_and_never_forgets(desk):
    (difference,) = service.propose_refresh(desk, ["24/7"], first_day=date(2015, 1, 1))
    assert (len(difference.added), len(difference.removed)) == (365, 0)
    service.apply_refresh(desk, [difference], reason="older files")
    (again,) = service.propose_refresh(desk, ["24/7"])
    assert again.is_empty
    assert service.calendar(desk, "24/7").first_day == date(2015, 1, 1)
    state = next(state for state in service.states(desk) if state.calendar.name == "24/7")
    assert not state.is_shipped


def test_a_year_later_another_year_is_added(desk):
    desk.clock.advance_s(366 * 86_400)
    (difference,) = service.propose_refresh(desk, ["24/7"])
    assert difference.new.last_day == date(2028, 12, 31)
    assert difference.new.first_day == date(2016, 1, 1)
    assert len(difference.added) == 366


def test_shipped_sessions_that_reach_further_take_over(desk, spine):
    ours = shipped_calendar("24/5")
    shorter = replace(
        ours, last_day=date(2025, 12, 31), sessions=ours.sessions_between(ours.first_day, date(2025, 12, 31))
    )
    put_in_force(spine, shorter)
    assert service.calendar(desk, "24/5") == ours


def test_overrides_outlive_a_refresh(desk):
    service.override(desk, "24/5", FRIDAY, CLOSED, reason="holiday")
    differences = service.propose_refresh(desk, ["24/5"], first_day=date(2015, 1, 1))
    service.apply_refresh(desk, differences, reason="older files")
    found = service.calendar(desk, "24/5")
    assert found.is_session(date(2015, 1, 2))
    assert not found.is_session(FRIDAY)


def test_a_refresh_that_was_overtaken_is_refused_whole(desk, spine):
    stale = service.propose_refresh(desk, ["24/7", "24/5"], first_day=date(2015, 1, 1))
    put_in_force(spine, without(shipped_calendar("24/5"), FRIDAY))
    with pytest.raises(BusyError, match="somebody else refreshed this calendar first"):
        service.apply_refresh(desk, stale, reason="older files")
    assert service.calendar(desk, "24/7") == shipped_calendar("24/7")


def test_a_refresh_needs_a_reason(desk):
    with pytest.raises(RequestError, match="a reason is needed"):
        service.apply_refresh(desk, [], reason="")


def test_refresh_without_the_library_changes_nothing(desk, monkeypatch):
    monkeypatch.setitem(sys.modules, "exchange_calendars", None)
    with pytest.raises(RequestError, match="needs exchange_calendars"):
        service.propose_refresh(desk)
    assert service.calendar(desk, "XNYS").is_session(FRIDAY)


def test_exported_files_are_what_is_shipped(desk, tmp_path):
    differences = service.propose_refresh(desk, ["24/5"])
    (path,) = service.export_files(differences, tmp_path / "out")
    assert path.name == "24-5.json"
    assert calendar_from_text(path.read_text(encoding="ascii")) == shipped_calendar("24/5")


def test_a_damaged_stored_calendar_is_found(desk, spine):
    put_in_force(spine, shipped_calendar("24/5"))
    connection = spine.workspace.database.connection
    connection.execute("DROP TRIGGER sessions_no_update")
    connection.execute(
        "UPDATE sessions SET sessions_text = replace(sessions_text, '2026-01-01', '2026-01-02')"
    )
    with pytest.raises(StorageCorrupt, match=r"stored sessions cannot be read .*not those of version"):
        service.calendar(desk, "24/5")


def test_versions_of_a_calendar_never_change(spine):
    put_in_force(spine, shipped_calendar("24/5"))
    for statement in ("UPDATE sessions SET reason = 'x'", "DELETE FROM sessions"):
        with pytest.raises(sqlite.IntegrityError, match="a version of a calendar"):
            spine.workspace.database.connection.execute(statement)


def test_the_audit_chain_holds_over_all_of_it(desk, spine):
    made = service.override(desk, "XNYS", FRIDAY, CLOSED, reason="Störung \udcff")
    assert made.reason == "Störung \\udcff"
    service.undo(desk, made.override_id, reason="passed")
    service.apply_refresh(
        desk, service.propose_refresh(desk, ["24/7"], first_day=date(2015, 1, 1)), reason="older"
    )
    report = audit.verify(desk)
    assert report.ok
    assert report.events == 3
