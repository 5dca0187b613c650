"""Processes at one workspace at once: one set of rows, every run accounted for, every operator told the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dataspine.clock import HeldClock
from dataspine.pipeline.ingest import ingest_locked
from dataspine.pipeline.spine import Spine
from dataspine.schemas.audit_event import Actor, Channel
from dataspine.service.accounts import account_for
from dataspine.store.workspace import Workspace
from tests.builders import NOW_US, make_desk
from tests.simulation.ingest_process import NEVER, day_profile, ingest_file, open_spine
from tests.simulation.market_day import market_day
from tests.simulation.processes import ended, has_open, release, started, wait_until
from tests.simulation.stored import assert_sound, finished_runs, stored_of

if TYPE_CHECKING:
    from pathlib import Path

ATTEMPTS = 4


def _write(file: Path, seed: int) -> Path:
    file.write_bytes(market_day(seed, records=3_000).day)
    return file


def test_one_file_ingested_by_two_processes_is_stored_once(tmp_path: Path) -> None:
    """The workspace is new to both, so they also make its database at once."""
    file, home = _write(tmp_path / "day.ndjson", 1), tmp_path / "shared"
    children = [started("ingest", home, file, "day", NEVER) for _ in range(2)]
    release(*children)
    for child in children:
        code, _, errors = ended(child)
        assert code == 0, errors
    with (alone := open_spine(tmp_path / "alone")).workspace as workspace:
        ingest_file(alone, file)
        clean, (run,) = stored_of(workspace.database, "day"), finished_runs(workspace.database, "day")
    with (spine := open_spine(home)).workspace as workspace:
        assert stored_of(workspace.database, "day") == clean
        first, second = finished_runs(workspace.database, "day")
        assert first == run
        assert second[2:5] == (0, run[2], 0), "the second finds everything known"
        assert second[-1] == run[-1]
        assert account_for(make_desk(spine), deep=True).balanced
        assert_sound(workspace.database, home)


def test_sources_are_ingested_side_by_side(tmp_path: Path) -> None:
    home = tmp_path / "shared"
    files = [_write(tmp_path / f"day_{seed}.ndjson", seed) for seed in (1, 2)]
    children = [started("ingest", home, file, f"source_{number}", NEVER) for number, file in enumerate(files)]
    release(*children)
    for child in children:
        code, _, errors = ended(child)
        assert code == 0, errors
    with (alone := open_spine(tmp_path / "alone")).workspace as workspace:
        for number, file in enumerate(files):
            ingest_file(alone, file, source=f"source_{number}")
        clean = [stored_of(workspace.database, f"source_{number}") for number in range(2)]
    with (spine := open_spine(home)).workspace as workspace:
        assert [stored_of(workspace.database, f"source_{number}") for number in range(2)] == clean
        assert account_for(make_desk(spine), deep=True).balanced
        assert_sound(workspace.database, home)


@pytest.mark.soak
@pytest.mark.parametrize("attempt", range(ATTEMPTS))
def test_a_crowd_at_a_new_workspace(tmp_path: Path, attempt: int) -> None:
    """Four processes, two sources, nothing there yet."""
    file, home = _write(tmp_path / "day.ndjson", attempt), tmp_path / "shared"
    children = [started("ingest", home, file, f"source_{number % 2}", NEVER) for number in range(4)]
    release(*children)
    assert [ended(child)[0] for child in children] == [0, 0, 0, 0]
    with (spine := open_spine(home)).workspace as workspace:
        counts = workspace.database.rows("SELECT inserted > 0, count(*) FROM runs GROUP BY 1 ORDER BY 1")
        assert counts == [(0, 2), (1, 2)]
        assert account_for(make_desk(spine), deep=True).balanced
        assert_sound(workspace.database, home)


def test_a_process_that_waited_judges_by_the_first_receipt(tmp_path: Path) -> None:
    """The bytes came while it waited for the lock; a record too far in the future then stays refused."""
    file, home = tmp_path / "day.ndjson", tmp_path / "shared"
    just_in_time_s = NOW_US // 1_000_000 + 300
    file.write_text(
        f'{{"symbol": "A", "timestamp": {just_in_time_s}, "price": "1", "volume": 1}}\n', encoding="ascii"
    )
    child = started("ingest", home, file, "day", NEVER)
    earlier = Spine(Workspace(home, HeldClock(NOW_US - 2_000_000)), Actor("tester", Channel.LIBRARY))
    with earlier.workspace as workspace:
        with workspace.source_lock("day"):
            release(child)
            wait_until(lambda: has_open(child, home / "locks" / "day.lock"))
            payload = workspace.archive.keep(
                [file.read_bytes()], object_name=file.name, received_at_us=earlier.clock.now_us()
            )
            ingest_locked(earlier, day_profile(), payload)
        code, _, errors = ended(child)
        assert code == 0, errors
        assert workspace.database.rows("SELECT inserted, rejected FROM runs") == [(0, 1), (0, 1)]
        assert workspace.database.rows("SELECT code FROM dead_letters") == [("TIMESTAMP_FUTURE",)]
