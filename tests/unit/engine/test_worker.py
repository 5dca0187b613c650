"""One slice carried out: stored, compared, tried again, given up, or taken only once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from dataspine.engine.jobs import claim
from dataspine.engine.requests import retry
from dataspine.engine.worker import Bench, work
from dataspine.schemas.job import JobState, Lane, SliceState
from dataspine.store import jobs, source_health
from dataspine.store.jobs import Wanted
from tests.loopback import hang, in_turn, reply, running_loopback
from tests.unit.engine.engine_builder import (
    DAYS,
    HEADER,
    bars_profile,
    events,
    line,
    make_job,
    make_setup,
    run_next,
    serve,
    states,
    tenure_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.loopback import Loopback

LIVE = ("2026-01-05T15:00:00Z",)


@pytest.fixture
def loopback() -> Iterator[Loopback]:
    with running_loopback() as running:
        yield running


def rows(tenure) -> int:
    return tenure.spine.workspace.database.rows("SELECT count(*) FROM market_data")[0][0]


def test_slices_are_stored_in_order_and_the_job_gets_a_digest(tmp_path, loopback):
    url = serve(loopback, *(HEADER + line(day=day) for day in DAYS))
    setup = make_setup(tmp_path / "home", bars_profile(url=url))
    with tenure_of(setup) as tenure:
        job_id = make_job(tenure.spine)
        done = [run_next(setup, tenure) for _ in DAYS]
        assert [piece.partition for piece in done] == list(DAYS)
        assert [piece.counts.inserted for piece in done] == [1, 1, 1]
        job = jobs.find(tenure.spine.workspace.database.connection, job_id)
        assert job.state is JobState.SUCCEEDED
        assert job.digest is not None
        assert run_next(setup, tenure) is None
        again = make_job(tenure.spine)
        for _ in DAYS:
            run_next(setup, tenure)
        assert jobs.find(tenure.spine.workspace.database.connection, again).digest == job.digest
        assert rows(tenure) == 3


def test_a_failure_that_may_pass_waits_by_policy_and_is_tried_again(tmp_path, loopback):
    good = reply((HEADER + line()).encode())
    loopback.serve(f"/{DAYS[0]}", in_turn(reply(status=503, headers={"Retry-After": "30"}), good))
    profile = bars_profile(url=loopback.url("/{date}"), retry={"base_delay_s": 2})
    setup = make_setup(tmp_path / "home", profile)
    with tenure_of(setup) as tenure:
        job_id = make_job(tenure.spine, partitions=DAYS[:1])
        waiting = run_next(setup, tenure)
        assert (waiting.state, waiting.attempts) == (SliceState.QUEUED, 1)
        assert waiting.not_before_us == setup.clock.now_us() + 30_000_000
        assert "503" in waiting.error
        assert run_next(setup, tenure) is None
        setup.clock.advance_s(29.9)
        assert run_next(setup, tenure) is None
        setup.clock.advance_s(0.1)
        done = run_next(setup, tenure)
        assert (done.state, done.attempts, done.error) == (SliceState.SUCCEEDED, 2, None)
        assert jobs.find(tenure.spine.workspace.database.connection, job_id).state is JobState.SUCCEEDED


def test_a_failure_that_stays_is_given_up_at_once_and_stops_no_other_slice(tmp_path, loopback):
    url = serve(loopback, HEADER + line(), HEADER, HEADER + line(day=DAYS[2]))
    loopback.serve(f"/{DAYS[1]}", reply(status=404))
    setup = make_setup(tmp_path / "home", bars_profile(url=url))
    with tenure_of(setup) as tenure:
        job_id = make_job(tenure.spine)
        for _ in DAYS:
            run_next(setup, tenure)
        connection = tenure.spine.workspace.database.connection
        assert states(tenure.spine, job_id) == ["succeeded", "failed", "succeeded"]
        assert jobs.find(connection, job_id).state is JobState.FAILED
        assert [piece.slice_no for piece in jobs.dead(connection)] == [2]
        loopback.serve(f"/{DAYS[1]}", reply((HEADER + line(day=DAYS[1])).encode()))
        assert retry(tenure.spine, job_id) == 1
        assert jobs.dead(connection) == []
        run_next(setup, tenure)
        assert jobs.find(connection, job_id).state is JobState.SUCCEEDED
        assert {"slice_failed", "job_failed", "job_retried", "job_succeeded"} <= set(events(tenure.spine))


def test_attempts_end_with_the_policy(tmp_path, loopback):
    loopback.serve(f"/{DAYS[0]}", reply(status=500))
    profile = bars_profile(url=loopback.url("/{date}"), retry={"max_attempts": 2, "degraded_after": 2})
    setup = make_setup(tmp_path / "home", profile)
    with tenure_of(setup) as tenure:
        make_job(tenure.spine, partitions=DAYS[:1])
        assert run_next(setup, tenure).state is SliceState.QUEUED
        setup.clock.advance_s(10)
        last = run_next(setup, tenure)
        assert (last.state, last.is_dead, last.attempts) == (SliceState.FAILED, True, 2)
        health = source_health.find(tenure.spine.workspace.database.connection, "bars")
        assert (health.state, health.failures) == ("degraded", 2)
        assert events(tenure.spine).count("source_health_changed") == 1


def test_a_source_that_is_not_configured_any_more_is_a_dead_task(tmp_path):
    setup = make_setup(tmp_path / "home")
    with tenure_of(setup) as tenure:
        make_job(tenure.spine, partitions=DAYS[:1])
        gone = run_next(setup, tenure)
        assert gone.is_dead
        assert "no such source any more" in gone.error


def test_a_plan_keeps_its_profile_whatever_is_configured(tmp_path, loopback):
    planned = bars_profile(url=serve(loopback, HEADER + line()))
    setup = make_setup(tmp_path / "home", bars_profile(url="http://127.0.0.1:9/{date}"))
    with tenure_of(setup) as tenure:
        frozen = planned.model_dump(mode="json", by_alias=True)
        make_job(tenure.spine, partitions=DAYS[:1], profile=frozen)
        assert run_next(setup, tenure).state is SliceState.SUCCEEDED


def test_shadow_counts_what_would_be_and_writes_no_row(tmp_path, loopback):
    url = serve(loopback, HEADER + line(0) + line(1), HEADER)
    setup = make_setup(tmp_path / "home", bars_profile(url=url))
    with tenure_of(setup) as tenure:
        make_job(tenure.spine, partitions=DAYS[:1])
        real = run_next(setup, tenure)
        body = HEADER + line(0) + line(1, price="188") + line(2) + line(3, price="-1") + line(2)
        loopback.serve(f"/{DAYS[0]}", reply(body.encode()))
        before = tenure.spine.workspace.database.rows("SELECT * FROM market_data")
        make_job(tenure.spine, partitions=DAYS[:1], mode="shadow")
        shadow = run_next(setup, tenure)
        counts = shadow.counts
        assert (counts.rows_read, counts.unchanged, counts.corrected, counts.inserted) == (5, 1, 1, 1)
        assert (counts.rejected, counts.duplicate, shadow.runs) == (1, 1, ())
        assert shadow.digest != real.digest
        database = tenure.spine.workspace.database
        assert database.rows("SELECT * FROM market_data") == before
        assert database.rows("SELECT count(*) FROM runs") == [(1,)]
        assert database.rows("SELECT count(*) FROM dead_letters") == [(0,)]
        # The real thing then does what the shadow said.
        make_job(tenure.spine, partitions=DAYS[:1])
        after = run_next(setup, tenure)
        assert after.counts == counts
        assert after.digest == shadow.digest


def test_stopping_puts_a_slice_back_without_counting_the_attempt(tmp_path, loopback):
    setup = make_setup(tmp_path / "home", bars_profile(url=serve(loopback, HEADER + line())))
    with tenure_of(setup) as tenure:
        job_id = make_job(tenure.spine, partitions=DAYS[:1])
        bench = Bench(setup)
        bench.stopping.set()
        task = claim(tenure.spine, Wanted(), token=tenure.token, also=lambda _tx, _source: None)
        work(bench, tenure.spine, task)
        piece = jobs.find_slice(tenure.spine.workspace.database.connection, job_id, 1)
        assert (piece.state, piece.attempts) == (SliceState.QUEUED, 0)
        assert rows(tenure) == 0
        assert run_next(setup, tenure).state is SliceState.SUCCEEDED


def test_a_hanging_vendor_is_left_at_its_deadline(tmp_path, loopback):
    loopback.serve(f"/{DAYS[0]}", hang())
    profile = bars_profile(url=loopback.url("/{date}"), http={"timeout_s": 0.2})
    setup = make_setup(tmp_path / "home", profile)
    with tenure_of(setup) as tenure:
        make_job(tenure.spine, partitions=DAYS[:1])
        waiting = run_next(setup, tenure)
        assert waiting.state is SliceState.QUEUED
        assert "no whole answer within 0.2 s" in waiting.error


def live(setup, tenure):
    job_id = make_job(tenure.spine, partitions=LIVE, lane=Lane.LIVE)
    return run_next(setup, tenure, job_id=job_id)


def drop(folder: Path, name: str, text: str, *, age_s: float = 60) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    then = 1_767_965_400 - age_s
    os.utime(path, (then, then))
    return path


def test_a_complete_file_is_taken_once_and_stays(tmp_path):
    home = tmp_path / "home"
    setup = make_setup(home, bars_profile(path="drop/*.csv", take="complete"))
    with tenure_of(setup) as tenure:
        first = drop(home / "drop", "a.csv", HEADER + line(0))
        assert live(setup, tenure).counts.inserted == 1
        assert live(setup, tenure).runs == ()
        # The same bytes with another time were taken, too; other bytes under the name were not.
        drop(home / "drop", "a.csv", HEADER + line(0), age_s=30)
        assert live(setup, tenure).runs == ()
        drop(home / "drop", "a.csv", HEADER + line(0) + line(1), age_s=20)
        assert live(setup, tenure).counts.inserted == 1
        assert first.exists()


def test_a_file_that_was_written_just_now_is_looked_at_twice(tmp_path):
    home = tmp_path / "home"
    setup = make_setup(home, bars_profile(path="drop/*.csv", take="complete"))
    with tenure_of(setup) as tenure:
        path = drop(home / "drop", "a.csv", HEADER + line(0), age_s=0.5)
        drop(home / "drop", "old.csv", HEADER + line(5))

        def grow(seconds: float) -> None:
            setup_clock_sleep(seconds)
            with path.open("a") as file:
                file.write(line(1))

        setup_clock_sleep = setup.clock.sleep_s
        setup.clock.sleep_s = grow
        assert live(setup, tenure).counts.inserted == 1, "only the one that stands still"
        setup.clock.sleep_s = setup_clock_sleep
        setup.clock.advance_s(60)
        done = live(setup, tenure)
        assert done.counts.rows_read >= 2
        assert rows(tenure) == 3


def test_a_file_with_a_marker_is_taken_when_the_marker_is_there(tmp_path):
    home = tmp_path / "home"
    setup = make_setup(home, bars_profile(path="drop/*.csv", take="complete", done_marker=".done"))
    with tenure_of(setup) as tenure:
        drop(home / "drop", "a.csv", HEADER + line(0))
        assert live(setup, tenure).runs == ()
        drop(home / "drop", "a.csv.done", "")
        assert live(setup, tenure).counts.inserted == 1
        assert live(setup, tenure).runs == ()


def test_a_growing_file_is_read_on_from_where_it_was_left(tmp_path):
    home = tmp_path / "home"
    setup = make_setup(home, bars_profile(path="drop/bars.csv", take="grow"))
    with tenure_of(setup) as tenure:
        path = drop(home / "drop", "bars.csv", HEADER + line(0) + line(1)[:9])
        assert live(setup, tenure).counts.rows_read == 1
        with path.open("a") as file:
            file.write(line(1)[9:] + line(2))
        part = live(setup, tenure)
        assert (part.counts.rows_read, part.counts.rejected) == (2, 0)
        assert live(setup, tenure).runs == ()
        assert rows(tenure) == 3
        names = tenure.spine.workspace.database.rows("SELECT object_name FROM payloads ORDER BY payload_id")
        assert [name for (name,) in names] == ["drop/bars.csv@30-67", "drop/bars.csv@67-141"]


def test_a_backfill_reads_again_what_was_taken(tmp_path):
    home = tmp_path / "home"
    setup = make_setup(home, bars_profile(path="drop/{date}.csv", take="complete"))
    with tenure_of(setup) as tenure:
        drop(home / "drop", f"{DAYS[0]}.csv", HEADER + line(0))
        assert live(setup, tenure).counts.inserted == 1
        make_job(tenure.spine, partitions=DAYS[:1])
        assert run_next(setup, tenure).counts.unchanged == 1
