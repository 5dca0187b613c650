"""Each fault file is ingested into a real store: right codes, right rows, every record accounted for."""

from __future__ import annotations

import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from dataspine.clock import FrozenClock, us_from_datetime
from dataspine.config import profile_from_table
from dataspine.pipeline.ingest import ingest_payload
from dataspine.pipeline.spine import Spine
from dataspine.schemas.audit_event import Actor, Channel
from dataspine.schemas.run import RunState
from dataspine.schemas.source import SourceProfile
from dataspine.store.workspace import Workspace

FAULTS = Path(__file__).parents[2] / "fixtures" / "faults"
EXPECTED = tomllib.loads((FAULTS / "expected.toml").read_text(encoding="utf-8"))
RECEIVED_AT: datetime = EXPECTED["received_at"]
CASES: list[dict[str, Any]] = EXPECTED["case"]


def profile_of(case: dict[str, Any]) -> SourceProfile:
    """The case's preset with its own keys over it."""
    table: dict[str, Any] = {"preset": case["preset"], **case["set"]}
    return profile_from_table("faulty", table)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["file"])
def test_file_becomes_what_its_line_says(case: dict[str, Any], tmp_path: Path) -> None:
    """Codes of all letters, rows gained, and read = inserted + unchanged + corrected + rejected + duplicate."""
    clock = FrozenClock(us_from_datetime(RECEIVED_AT))
    content = (FAULTS / case["file"]).read_bytes()
    with Workspace(tmp_path, clock) as workspace:
        spine = Spine(workspace, Actor("tester", Channel.LIBRARY))
        payload = workspace.archive.keep([content], object_name=case["file"], received_at_us=clock.now_us())
        summary = ingest_payload(spine, profile_of(case), payload)
        again = ingest_payload(spine, profile_of(case), payload)
        table = f"{profile_of(case).kind}_data"
        rows = workspace.database.one(f"SELECT count(*) FROM {table}")
        letters = workspace.database.rows("SELECT reasons_json, raw FROM dead_letters")
    codes = sorted({item for (reasons, _) in letters for item in _codes(reasons)})
    assert codes == sorted(case["codes"])
    assert rows == (case["accepted"],)
    assert len(letters) == case["letters"]
    counts = summary.counts
    parts = counts.inserted + counts.unchanged + counts.corrected + counts.rejected + counts.duplicate
    assert counts.rows_read == parts
    assert again.counts.inserted == again.counts.corrected == 0
    assert again.digest == summary.digest
    assert summary.state in (RunState.SUCCEEDED, RunState.REJECTED)


def _codes(reasons_json: str) -> list[str]:
    import json

    return [item["code"] for item in json.loads(reasons_json)]
