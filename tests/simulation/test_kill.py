"""kill -9 at any instant of a long ingest: what is ingested after it equals a run that nobody disturbed."""

from __future__ import annotations

import random
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from dataspine.service.accounts import account_for
from dataspine.service.records import RecordQuery, digest_of
from tests.builders import make_desk
from tests.simulation.ingest_process import NEVER, ingest_file, open_spine
from tests.simulation.market_day import market_day
from tests.simulation.processes import release, started
from tests.simulation.stored import Rows, Stored, assert_sound, finished_runs, stored_of
from tests.simulation.visible import visible_content

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

RECORDS = 3_000
QUICK_SEEDS, SOAK_SEEDS = (1, 2, 3, 4), tuple(range(5, 29))
STATEMENTS_PER_RECORD, SECONDS_PER_RECORD = 2.4, 0.0004
"""How long an ingest of `market_day` takes, about; one that ends before its kill is simply not disturbed."""


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """What a run from start to end leaves."""

    stored: Stored
    runs: Rows
    digest: str
    before: str
    """What readers see before it, and after it."""
    after: str


def _write_day(folder: Path, seed: int, records: int) -> tuple[Path, Path]:
    day = market_day(seed, records=records, has_far_conflicts=seed % 2 == 0)
    before, after = folder / "before.ndjson", folder / "day.ndjson"
    before.write_bytes(day.before)
    after.write_bytes(day.day)
    return before, after


def _undisturbed(home: Path, before: Path, after: Path) -> Undisturbed:
    with (spine := open_spine(home)).workspace as workspace:
        ingest_file(spine, before)
        seen_before = visible_content(workspace.database, "day")
        ingest_file(spine, after)
        return Undisturbed(
            stored_of(workspace.database, "day"),
            finished_runs(workspace.database, "day"),
            digest_of(make_desk(spine), RecordQuery("day")).digest,
            seen_before,
            visible_content(workspace.database, "day"),
        )


def _kill_once(home: Path, after: Path, seed: int, records: int) -> int:
    """Start an ingest and kill it: odd seeds before a statement, even ones after a time. Its exit code."""
    source = random.Random(seed)
    statement = source.randrange(1, int(records * STATEMENTS_PER_RECORD)) if seed % 2 else NEVER
    child = started("ingest", home, after, "day", statement)
    release(child)
    if statement == NEVER:
        try:
            child.wait(timeout=source.uniform(0.0, records * SECONDS_PER_RECORD))
        except subprocess.TimeoutExpired:
            child.kill()
    child.communicate()
    return child.returncode


def _check(tmp_path: Path, seed: int, records: int, *, kills: int) -> None:
    print(f"seed {seed}, {records} records")
    before, after = _write_day(tmp_path, seed, records)
    clean = _undisturbed(tmp_path / "clean", before, after)
    home = tmp_path / "killed"
    with (spine := open_spine(home)).workspace:
        ingest_file(spine, before)
    reader = started("poll", home, "day")
    codes = [_kill_once(home, after, seed + attempt, records) for attempt in range(kills)]
    print(f"exit codes {codes}")
    with (spine := open_spine(home)).workspace as workspace:
        first = ingest_file(spine, after)
        again = ingest_file(spine, after)
        seen = _seen_by(reader)
        assert set(seen) <= {clean.before, clean.after}, "a reader saw a run that was not finished"
        assert seen[-1] == clean.after
        assert stored_of(workspace.database, "day") == clean.stored
        assert first.digest == again.digest == clean.runs[-1][-1]
        assert (again.counts.inserted, again.counts.corrected) == (0, 0)
        assert finished_runs(workspace.database, "day")[: len(clean.runs)] == clean.runs
        assert digest_of(make_desk(spine), RecordQuery("day")).digest == clean.digest
        assert_sound(workspace.database, home)
        assert account_for(make_desk(spine), deep=True).balanced


def _seen_by(reader: subprocess.Popen[str]) -> Sequence[str]:
    output, errors = reader.communicate("stop\n", timeout=60)
    assert reader.returncode == 0, errors
    return output.split()


@pytest.mark.parametrize("seed", QUICK_SEEDS)
def test_a_killed_ingest_leaves_no_trace(tmp_path: Path, seed: int) -> None:
    _check(tmp_path, seed, RECORDS, kills=1)


@pytest.mark.soak
@pytest.mark.parametrize("seed", SOAK_SEEDS)
def test_a_killed_long_ingest_leaves_no_trace(tmp_path: Path, seed: int) -> None:
    _check(tmp_path, seed, 20_000, kills=3)
