"""A disk that fills up midway: a clear error, nothing acknowledged is lost, and it goes on when space is back."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from dataspine.errors import StorageFull
from dataspine.service.accounts import account_for
from tests.builders import make_desk, quote
from tests.simulation.ingest_process import ingest_file, open_spine
from tests.simulation.market_day import market_day
from tests.simulation.small_disk import grow, small_disk
from tests.simulation.stored import assert_sound, finished_runs, stored_of
from tests.simulation.visible import visible_content

if TYPE_CHECKING:
    from pathlib import Path

RECORDS = 4_000
SIZES_KIB = (500, 900, 1_300)
"""The first fills while the payload is kept or soon after, the others further into the chunks."""
ROOMY_KIB = 20_000


@pytest.mark.parametrize("size_kib", SIZES_KIB)
def test_a_full_disk_loses_nothing(tmp_path: Path, size_kib: int) -> None:
    day = market_day(7, records=RECORDS)
    before, after = tmp_path / "before.ndjson", tmp_path / "day.ndjson"
    before.write_bytes(b"".join(day.before.splitlines(keepends=True)[:200]))
    after.write_bytes(day.day)
    with (alone := open_spine(tmp_path / "alone")).workspace as workspace:
        ingest_file(alone, before)
        seen_before = visible_content(workspace.database, "day")
        ingest_file(alone, after)
        clean, runs = stored_of(workspace.database, "day"), finished_runs(workspace.database, "day")
    with small_disk(tmp_path / "disk", size_kib=size_kib) as disk:
        home = disk / "workspace"
        with (spine := open_spine(home)).workspace as workspace:
            ingest_file(spine, before)
            with pytest.raises(StorageFull, match=r"no space left.*Free space.*nothing acknowledged is lost"):
                ingest_file(spine, after)
            assert visible_content(workspace.database, "day") == seen_before
            grow(disk, size_kib=ROOMY_KIB)
            ingest_file(spine, after)
            assert stored_of(workspace.database, "day") == clean
            assert finished_runs(workspace.database, "day") == runs
            assert account_for(make_desk(spine), deep=True).balanced
            assert_sound(workspace.database, home)


def test_the_command_ends_with_the_exit_code_of_storage(tmp_path: Path) -> None:
    records = [
        quote(at=f"2026-01-09T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}Z")
        for number in range(RECORDS)
    ]
    (file := tmp_path / "quotes.ndjson").write_text("\n".join(map(json.dumps, records)), encoding="ascii")
    with small_disk(tmp_path / "disk", size_kib=SIZES_KIB[0]) as disk:
        code, output, errors = _ingest_command(disk / "workspace", file)
        assert (code, output) == (StorageFull.exit_code, "")
        assert "no space left" in errors
        assert "Free space" in errors
        grow(disk, size_kib=ROOMY_KIB)
        code, output, _ = _ingest_command(disk / "workspace", file)
        assert code == 0
        assert json.loads(output)["runs"][0]["inserted"] == RECORDS


def _ingest_command(home: Path, file: Path) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "dataspine", "ingest", "--home", str(home), "--file", str(file)]
    done = subprocess.run(
        [*command, "--preset", "generic_quotes", "--json"], check=False, capture_output=True, text=True
    )
    return done.returncode, done.stdout, done.stderr
