"""What was due, written down once for each instant, by the source's policy."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dataspine.clock import us_from_datetime
from dataspine.engine.jobs import claim, succeed
from dataspine.engine.timetable import Timetable
from dataspine.schemas.job import SliceResult
from dataspine.store import occurrences, sessions
from dataspine.store.jobs import Wanted
from tests.unit.engine.engine_builder import bars_profile, events, make_setup, tenure_of

HOURLY = "0 * * * *"
# The builders' clock stands at 13:30.


def instant(text: str) -> int:
    return us_from_datetime(datetime.fromisoformat(text).replace(tzinfo=UTC))


def written(tenure) -> list[tuple[str, str]]:
    """Planned hour and state of each occurrence, oldest first."""
    found = occurrences.page(tenure.spine.workspace.database.connection, source="bars")
    return [
        (datetime.fromtimestamp(item.planned_us / 1e6, UTC).strftime("%H:%M"), str(item.state))
        for item in reversed(found)
    ]


def timetable(setup, tenure) -> Timetable:
    return Timetable(setup, tenure.spine, before=tenure.before)


def work_off(tenure) -> None:
    task = claim(tenure.spine, Wanted(), token=tenure.token, also=lambda _tx, _source: None)
    succeed(tenure.spine, task, SliceResult(), also=lambda _tx: None)


def due_setup(tmp_path, **keys):
    return make_setup(tmp_path / "home", bars_profile(path="x.csv", schedule=HOURLY, **keys))


def test_nothing_is_due_at_the_first_start(tmp_path):
    setup = due_setup(tmp_path)
    with tenure_of(setup) as tenure:
        assert timetable(setup, tenure).look("bars") == 0
        assert written(tenure) == []


def test_a_fire_in_time_is_queued_as_a_live_job(tmp_path):
    setup = due_setup(tmp_path)
    with tenure_of(setup) as tenure:
        table = timetable(setup, tenure)
        setup.clock.advance_s(30 * 60 + 1)
        assert table.look("bars") == 1
        assert written(tenure) == [("14:00", "fired")]
        task = claim(tenure.spine, Wanted(), token=tenure.token, also=lambda _tx, _source: None)
        assert (task.slice.partition, task.slice.why, int(task.job.lane)) == (
            "2026-01-09T14:00:00Z",
            "due",
            0,
        )
        assert table.look("bars") == 0


def test_a_fire_whose_forerunner_is_not_done_overlaps(tmp_path):
    setup = due_setup(tmp_path)
    with tenure_of(setup) as tenure:
        table = timetable(setup, tenure)
        for _ in range(2):
            setup.clock.advance_s(3600)
            setup.clock._now_us = setup.clock.now_us() // 3_600_000_000 * 3_600_000_000 + 1_000_000
            table.look("bars")
        assert written(tenure) == [("14:00", "fired"), ("15:00", "overlapped")]
        assert "occurrence_overlapped" in events(tenure.spine)


@pytest.mark.parametrize(
    ("policy", "expected", "queued"),
    [
        ("latest", [("15:00", "missed"), ("16:00", "missed"), ("17:00", "late")], 1),
        ("skip", [("15:00", "skipped"), ("16:00", "skipped"), ("17:00", "skipped")], 0),
        ("all", [("15:00", "late"), ("16:00", "late"), ("17:00", "late")], 3),
    ],
)
def test_fires_that_passed_without_an_engine_follow_the_policy(tmp_path, policy, expected, queued):
    setup = due_setup(tmp_path, catch_up=policy)
    with tenure_of(setup) as first:
        table = timetable(setup, first)
        setup.clock.advance_s(30 * 60 + 1)
        table.look("bars")
        work_off(first)
    setup.clock.advance_s(3 * 3600 + 600)
    with tenure_of(setup) as second:
        assert timetable(setup, second).look("bars") == queued
        assert written(second)[1:] == expected


def test_a_source_that_never_fired_is_caught_up_from_the_last_sign_of_life(tmp_path):
    setup = due_setup(tmp_path)
    with tenure_of(setup) as first:
        timetable(setup, first)
    setup.clock.advance_s(3600)
    with tenure_of(setup) as second:
        assert timetable(setup, second).look("bars") == 1
        assert written(second) == [("14:00", "late")]


def test_an_instant_is_dealt_with_once_even_if_the_clock_goes_back(tmp_path):
    setup = due_setup(tmp_path)
    with tenure_of(setup) as tenure:
        setup.clock.advance_s(30 * 60 - 10)
        table = timetable(setup, tenure)
        setup.clock.advance_s(11)
        assert table.look("bars") == 1
        work_off(tenure)
        setup.clock.advance_s(-600)
        assert table.look("bars") == 0
        setup.clock.advance_s(601)
        assert table.look("bars") == 0
        assert written(tenure) == [("14:00", "fired")]


def test_an_override_of_a_session_moves_its_fires(tmp_path):
    profile = bars_profile(path="x.csv", schedule="close+20m", calendar="XNYS")
    setup = make_setup(tmp_path / "home", profile)
    with tenure_of(setup) as tenure:
        table = timetable(setup, tenure)
        assert not table.refresh()
        database = tenure.spine.workspace.database
        day = datetime(2026, 1, 9, tzinfo=UTC).date()
        session = sessions.calendar_in_force(database.connection, "XNYS").session(day)
        with database.transaction() as tx:
            early = session._replace(close_us=instant("2026-01-09T18:00:00"), is_half_day=True)
            sessions.insert_override(tx, "XNYS", day, early, reason="snow", now_us=setup.clock.now_us())
        assert table.refresh()
        setup.clock._now_us = instant("2026-01-09T18:20:01")
        assert table.look("bars") == 1
        assert written(tenure) == [("18:20", "fired")]
