"""Work at a glance: one line for each thing that there is, and none for what there is not."""

from __future__ import annotations

from dataspine.cli.work_shown import work_document, work_text
from dataspine.schemas.job import Lease, SourceHealth, SourceState
from dataspine.service.engine import EngineState
from dataspine.service.work import Work
from tests.builders import NOW_US

LEASE = Lease(3, "desk:42", NOW_US, NOW_US, NOW_US + 15_000_000)
ALIVE = EngineState(LEASE, is_alive=True, beat_age_s=1.2)


def make_work(engine: EngineState = ALIVE, **keys: object) -> Work:
    return Work(engine, **{"jobs": (), "next_fires_us": {}, "unwell": (), "dead_tasks": 0, **keys})


def test_an_engine_that_lives_is_named_with_its_age():
    assert work_text(make_work(), width=80) == "engine desk:42, alive 1 s ago"


def test_no_engine_is_said():
    assert (
        work_text(make_work(EngineState(None, is_alive=False, beat_age_s=None)), width=80)
        == "engine none runs"
    )


def test_one_that_died_is_not_taken_for_living():
    dead = EngineState(LEASE, is_alive=False, beat_age_s=3661.0)
    text = work_text(make_work(dead, next_fires_us={"bars": NOW_US}), width=80)
    assert text == "engine desk:42 has died or stands still, last seen 3,661 s ago"


def test_three_fires_are_named_and_the_others_counted():
    fires = {f"s{number}": NOW_US + number for number in range(5)}
    _, line = work_text(make_work(next_fires_us=fires), width=120).splitlines()
    assert line == "next   s0 01-09T13:30Z, s1 01-09T13:30Z, s2 01-09T13:30Z and 2 more"


def test_what_needs_somebody_is_named():
    unwell = (SourceHealth("bars", SourceState.FAILED, 10, "down"),)
    text = work_text(make_work(unwell=unwell, dead_tasks=1200), width=80)
    assert text.splitlines()[1:] == [
        "health bars failed",
        "dead   1,200 tasks; see `dataspine jobs list --dead`",
    ]


def test_the_document_has_every_key_whatever_there_is():
    document = work_document(make_work(EngineState(None, is_alive=False, beat_age_s=None)))
    assert document == {
        "engine": {"is_alive": False, "owner": None, "heartbeat_at": None},
        "jobs": [],
        "next": {},
        "health": {},
        "dead_tasks": 0,
    }
