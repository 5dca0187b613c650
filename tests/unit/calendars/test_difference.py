"""The difference of two calendars: each kind, and none."""

from __future__ import annotations

from dataspine.calendars.difference import calendar_difference
from tests.unit.calendars.calendar_builder import calendar, session


def test_added_removed_and_changed_are_told_apart():
    old = calendar(session("2026-01-05"), session("2026-01-06"), session("2026-01-07"), session("2026-01-09"))
    shorter = session("2026-01-07", closes="18:00", is_half_day=True)
    new = calendar(session("2026-01-05"), shorter, session("2026-01-08"), session("2026-01-09"))
    found = calendar_difference(old, new)
    assert not found.is_empty
    assert [item.day.day for item in found.added] == [8]
    assert [item.day.day for item in found.removed] == [6]
    assert [(change.old.close_us < change.new.close_us, change.new) for change in found.changed] == [
        (False, shorter)
    ]


def test_the_same_sessions_are_no_difference():
    found = calendar_difference(calendar(session("2026-01-05")), calendar(session("2026-01-05")))
    assert found.is_empty
    assert (found.added, found.removed, found.changed) == ((), (), ())


def test_more_days_covered_are_a_difference_without_sessions():
    found = calendar_difference(
        calendar(session("2026-01-05")), calendar(session("2026-01-05"), margin_days=1)
    )
    assert not found.is_empty
    assert (found.added, found.removed, found.changed) == ((), (), ())


def test_a_half_day_flag_alone_is_a_change():
    found = calendar_difference(
        calendar(session("2026-01-05")), calendar(session("2026-01-05", is_half_day=True))
    )
    assert len(found.changed) == 1
