"""The pages on scheduling and retry say what the code does: their blocks run, their numbers are its numbers."""

from __future__ import annotations

import re

import pytest

from dataspine.scheduling.rate import reserve
from dataspine.scheduling.retry import MAX_DEAD_LETTERS, next_delay_s, policy_from_settings
from dataspine.scheduling.scheduler import DRIFT_MAX_S, STOP_TIMEOUT_S
from dataspine.scheduling.triggers import DUE_MAX, GRACE_S, REPEAT_MAX_S, due, schedule_from_text
from dataspine.schemas.job import Lane, OccurrenceState, SourceState
from dataspine.schemas.source import RateSettings, RetrySettings
from tests.arch.source_tree import ROOT
from tests.unit.calendars.calendar_builder import us

PAGES = {
    name: (ROOT / "docs/reference" / f"{name}.md").read_text(encoding="utf-8")
    for name in ("scheduling", "retry")
}


def first_cells(name: str) -> set[str]:
    return set(re.findall(r"^\| `(\w+)` \|", PAGES[name], re.MULTILINE))


@pytest.mark.parametrize("name", PAGES)
def test_every_block_runs(name):
    blocks = re.findall(r"^```python\n(.*?)^```", PAGES[name], re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, name, "exec"), {})  # noqa: S102 - the page's own code is what is tested


def test_every_state_and_policy_has_its_row():
    assert first_cells("scheduling") == {state.value for state in OccurrenceState} | {"skip", "latest", "all"}
    assert first_cells("retry") == {state.value for state in SourceState}


@pytest.mark.parametrize(("now", "column"), [("2026-01-05T11:30Z", 1), ("2026-01-05T12:00Z", 2)])
@pytest.mark.parametrize("policy", ["skip", "latest", "all"])
def test_catching_up_is_as_in_the_table(policy, now, column):
    found = due(schedule_from_text("0 * * * *"), us("2026-01-05T08:30Z"), us(now), policy)
    (row,) = [line for line in PAGES["scheduling"].splitlines() if line.startswith(f"| `{policy}` |")]
    assert row.split("|")[column + 1].strip() == ", ".join(state.value for _, state in found)


def test_numbers_of_the_scheduling_page():
    page = PAGES["scheduling"]
    assert f"within {GRACE_S} s of its time" in page
    assert f"One look lists {DUE_MAX:,} fires" in page
    assert f"more than {DRIFT_MAX_S:g} s" in page
    assert f"Back by {REPEAT_MAX_S} s or less" in page
    assert f"waits up to {STOP_TIMEOUT_S:g} s" in page


def test_waits_of_the_retry_page():
    policy = policy_from_settings(RetrySettings())
    expected = []
    for attempt in range(1, policy.max_attempts):
        waits = [next_delay_s(policy, attempt, elapsed_s=0, fraction=fraction) for fraction in (0.0, 1.0)]
        expected.append(f"{waits[0]:g} to {waits[1]:g}")
    assert f"| wait | {' | '.join(expected)} | given up |" in PAGES["retry"]
    assert f"{MAX_DEAD_LETTERS:,} at most" in PAGES["retry"]


def test_reserves_of_the_retry_page():
    settings = RateSettings(burst=10)
    for lane in (Lane.OPERATOR, Lane.BACKFILL):
        assert f"| stops at {reserve(settings, lane)} |" in PAGES["retry"]
