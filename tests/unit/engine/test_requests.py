"""What operators ask of jobs: pause, resume, cancel, retry; and which slice then goes first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dataspine.engine import requests
from dataspine.engine.jobs import Setback, claim, fail, put_back, succeed
from dataspine.errors import DataspineError, RequestError
from dataspine.schemas.job import JobState, Lane, SliceResult, SliceState
from dataspine.store import jobs
from dataspine.store.jobs import Wanted
from tests.unit.engine.engine_builder import (
    DAYS,
    bars_profile,
    events,
    make_job,
    make_setup,
    states,
    tenure_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataspine.engine.heartbeat import Tenure
    from dataspine.engine.jobs import Task
    from dataspine.schemas.job import Job


@pytest.fixture
def tenure(tmp_path) -> Iterator[Tenure]:
    with tenure_of(make_setup(tmp_path / "home", bars_profile(path="x/{date}.csv"))) as held:
        yield held


def claimed(tenure: Tenure, **wanted: object) -> Task | None:
    return claim(tenure.spine, Wanted(**wanted), token=tenure.token, also=lambda _tx, _source: None)


def finish(tenure: Tenure, task: Task, digest: str = "d") -> None:
    succeed(tenure.spine, task, SliceResult(digest=digest), also=lambda _tx: None)


def give_up(tenure: Tenure, task: Task) -> None:
    fail(tenure.spine, task, Setback(DataspineError("gone"), None), also=lambda _tx: None)


def job_of(tenure: Tenure, job_id: int) -> Job:
    return requests.found(tenure.spine.workspace.database.connection, job_id)


def test_live_goes_before_operators_and_backfills_whatever_was_asked_first(tenure):
    backfill = make_job(tenure.spine, "a", lane=Lane.BACKFILL)
    operator = make_job(tenure.spine, "b", lane=Lane.OPERATOR, partitions=DAYS[:1])
    live = make_job(tenure.spine, "c", lane=Lane.LIVE, partitions=DAYS[:1])
    assert [claimed(tenure).job.job_id for _ in range(3)] == [live, operator, backfill]


def test_a_long_backfill_yields_between_slices(tenure):
    make_job(tenure.spine, "a")
    finish(tenure, claimed(tenure))
    live = make_job(tenure.spine, "a", lane=Lane.LIVE, partitions=DAYS[:1])
    assert claimed(tenure).job.job_id == live


def test_a_source_in_hand_is_not_claimed_again(tenure):
    make_job(tenure.spine, "a")
    other = make_job(tenure.spine, "b")
    assert claimed(tenure).source == "a"
    assert claimed(tenure, without=frozenset({"a"})).job.job_id == other
    assert claimed(tenure, without=frozenset({"a", "b"})) is None


def test_only_live_slices_when_other_hands_are_full(tenure):
    make_job(tenure.spine, "a")
    assert claimed(tenure, last_lane=Lane.LIVE) is None


def test_slices_go_in_order_and_one_that_waits_is_passed(tenure):
    job_id = make_job(tenure.spine)
    first = claimed(tenure)
    fail(tenure.spine, first, Setback(DataspineError("later"), 5.0), also=lambda _tx: None)
    assert [claimed(tenure).slice.slice_no for _ in range(2)] == [2, 3]
    assert states(tenure.spine, job_id) == ["queued", "running", "running"]


def test_a_paused_job_begins_nothing_and_goes_on_when_resumed(tenure):
    job_id = make_job(tenure.spine)
    task = claimed(tenure)
    assert requests.pause(tenure.spine, job_id).state is JobState.PAUSED
    assert claimed(tenure) is None
    finish(tenure, task)
    assert job_of(tenure, job_id).state is JobState.PAUSED
    assert requests.resume(tenure.spine, job_id).state is JobState.RUNNING
    assert claimed(tenure).slice.slice_no == 2


def test_a_job_that_was_never_begun_is_queued_again_when_resumed(tenure):
    job_id = make_job(tenure.spine)
    requests.pause(tenure.spine, job_id)
    assert requests.resume(tenure.spine, job_id).state is JobState.QUEUED


def test_a_paused_job_whose_last_slice_finishes_is_over(tenure):
    job_id = make_job(tenure.spine, partitions=DAYS[:1])
    task = claimed(tenure)
    requests.pause(tenure.spine, job_id)
    finish(tenure, task)
    assert job_of(tenure, job_id).state is JobState.SUCCEEDED


def test_cancel_without_a_slice_in_hand_ends_at_once(tenure):
    job_id = make_job(tenure.spine)
    assert requests.cancel(tenure.spine, job_id).state is JobState.CANCELLED
    assert set(states(tenure.spine, job_id)) == {SliceState.CANCELLED}


@pytest.mark.parametrize("end", ["finish", "fail", "put_back"])
def test_cancel_waits_for_the_slice_in_hand_however_it_ends(tenure, end):
    job_id = make_job(tenure.spine)
    task = claimed(tenure)
    assert requests.cancel(tenure.spine, job_id).state is JobState.CANCELLING
    if end == "finish":
        finish(tenure, task)
    elif end == "fail":
        fail(tenure.spine, task, Setback(DataspineError("x"), 1.0), also=lambda _tx: None)
    else:
        put_back(tenure.spine, task, why="the engine was stopped")
    assert job_of(tenure, job_id).state is JobState.CANCELLED
    assert claimed(tenure) is None


def test_a_cancelled_job_can_be_taken_up_again(tenure):
    job_id = make_job(tenure.spine)
    requests.cancel(tenure.spine, job_id)
    assert requests.retry(tenure.spine, job_id) == len(DAYS)
    assert claimed(tenure).slice.slice_no == 1


def test_one_slice_is_retried_alone_with_all_its_attempts(tenure):
    job_id = make_job(tenure.spine)
    for _ in DAYS:
        give_up(tenure, claimed(tenure))
    assert job_of(tenure, job_id).state is JobState.FAILED
    assert requests.retry(tenure.spine, job_id, 2) == 1
    task = claimed(tenure)
    assert (task.slice.slice_no, task.slice.attempts, task.slice.is_dead) == (2, 1, False)
    finish(tenure, task)
    assert job_of(tenure, job_id).state is JobState.FAILED
    assert states(tenure.spine, job_id) == ["failed", "succeeded", "failed"]


def test_the_digest_is_over_slices_in_order_not_over_their_ends(tenure):
    digests = []
    for order in ((0, 1, 2), (2, 0, 1)):
        job_id = make_job(tenure.spine)
        tasks = [claimed(tenure) for _ in DAYS]
        for place in order:
            finish(tenure, tasks[place], digest=f"d{place}")
        digests.append(job_of(tenure, job_id).digest)
    assert digests[0] == digests[1]
    assert digests[0] is not None


@pytest.mark.parametrize(
    ("verb", "message"),
    [
        (requests.pause, "cannot be paused"),
        (requests.resume, "cannot be resumed"),
        (requests.cancel, "cannot be cancelled"),
        (requests.retry, "no slice to retry"),
    ],
)
def test_a_job_that_succeeded_is_left_alone(tenure, verb, message):
    job_id = make_job(tenure.spine, partitions=DAYS[:1])
    finish(tenure, claimed(tenure))
    with pytest.raises(RequestError, match=message):
        verb(tenure.spine, job_id)


def test_a_job_that_does_not_exist_is_named(tenure):
    with pytest.raises(RequestError, match="no such job, got 7"):
        requests.pause(tenure.spine, 7)


def test_every_change_is_an_event(tenure):
    job_id = make_job(tenure.spine)
    requests.pause(tenure.spine, job_id)
    requests.resume(tenure.spine, job_id)
    give_up(tenure, claimed(tenure))
    put_back(tenure.spine, claimed(tenure), why="x")
    requests.cancel(tenure.spine, job_id)
    requests.retry(tenure.spine, job_id)
    assert events(tenure.spine) == [
        *("lease_taken", "job_queued", "job_paused", "job_resumed", "job_started", "slice_started"),
        *("slice_failed", "slice_started", "slice_put_back", "job_cancel_asked", "job_cancelled"),
        "job_retried",
    ]


def test_what_an_engine_left_in_hand_is_put_back_by_the_next(tmp_path):
    setup = make_setup(tmp_path / "home", bars_profile(path="x/{date}.csv"))
    with tenure_of(setup) as first:
        job_id = make_job(first.spine)
        claimed(first)
    with tenure_of(setup) as second:
        assert second.take_over() == 1
        piece = jobs.find_slice(second.spine.workspace.database.connection, job_id, 1)
        assert (piece.state, piece.attempts) == (SliceState.QUEUED, 0)
