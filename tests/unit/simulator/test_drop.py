"""The broker's files: complete under each style, torn where they grow, and continued after a restart."""

from __future__ import annotations

import json

import pytest

from dataspine.clock import FrozenClock
from dataspine.errors import RequestError
from dataspine.simulator.drop import DropPlan, DropStyle, ExecutionDrop
from dataspine.simulator.drop_lines import HEADER, file_bytes
from dataspine.simulator.ground_truth import GroundTruth
from tests.unit.simulator.market_under_test import MONDAY, SEED, TUESDAY, at, plan

WHOLE = file_bytes(plan().drop_lines(MONDAY))
GROWN = "executions_20260105.csv"


def make_drop(folder, style, *faults, truth=None, seed=SEED, sessions=(MONDAY,)) -> ExecutionDrop:
    made = plan(*faults, seed=seed)
    log = GroundTruth(truth, made.schedule, clock=FrozenClock(0))
    return ExecutionDrop(DropPlan(folder, style), sessions, lines_of=made.drop_lines, truth=log)


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def records(content: bytes) -> list[bytes]:
    return content.splitlines()[1:]


def test_a_file_appears_whole_when_its_time_is_over(tmp_path):
    drop = make_drop(tmp_path / "new" / "drop", DropStyle.RENAME)
    folder = tmp_path / "new" / "drop"
    assert drop.deliver_due(at("09:59:59.9")) == []
    assert drop.deliver_due(at("10:00")) == ["executions_20260105_001.csv"]
    assert drop.deliver_due(at("10:00:01")) == []
    assert drop.deliver_due(at("11:00")) == ["executions_20260105_002.csv", "executions_20260105_003.csv"]
    assert names(folder) == [f"executions_20260105_00{number}.csv" for number in (1, 2, 3)]
    assert (folder / "executions_20260105_001.csv").read_bytes().startswith(f"{HEADER}\n".encode())


@pytest.mark.parametrize("style", [DropStyle.RENAME, DropStyle.DONE])
def test_the_files_of_a_day_hold_every_line_once(tmp_path, style):
    make_drop(tmp_path, style).deliver_due(MONDAY.close_us)
    files = sorted(tmp_path.glob("*.csv"))
    assert len(files) == 13
    assert [line for file in files for line in records(file.read_bytes())] == records(WHOLE)


def test_a_marker_stands_beside_each_complete_file(tmp_path):
    make_drop(tmp_path, DropStyle.DONE).deliver_due(at("10:30"))
    assert names(tmp_path) == [
        "executions_20260105_001.csv",
        "executions_20260105_001.csv.done",
        "executions_20260105_002.csv",
        "executions_20260105_002.csv.done",
    ]


def test_a_file_without_its_marker_is_written_again(tmp_path):
    (tmp_path / "executions_20260105_001.csv").write_bytes(b"half")
    make_drop(tmp_path, DropStyle.DONE).deliver_due(at("10:00"))
    assert (tmp_path / "executions_20260105_001.csv").read_bytes().startswith(f"{HEADER}\n".encode())


def test_a_growing_file_only_ever_gets_longer(tmp_path):
    drop, sizes, torn = make_drop(tmp_path, DropStyle.GROWING), [], 0
    for minute in range(392):
        drop.deliver_due(MONDAY.open_us + minute * 60_000_000)
        content = (tmp_path / GROWN).read_bytes()
        assert WHOLE.startswith(content)
        sizes.append(len(content))
        torn += not content.endswith(b"\n")
    assert sizes == sorted(sizes)
    assert torn > 200
    assert content == WHOLE


def test_a_growing_file_begins_with_its_header(tmp_path):
    make_drop(tmp_path, DropStyle.GROWING).deliver_due(MONDAY.open_us)
    assert (tmp_path / GROWN).read_bytes() == f"{HEADER}\n".encode()


@pytest.mark.parametrize("style", DropStyle)
def test_a_restart_continues_where_it_stopped(tmp_path, style):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    make_drop(whole, style).deliver_due(MONDAY.close_us)
    make_drop(broken, style).deliver_due(at("12:10"))
    before = {path.name: path.stat().st_mtime_ns for path in broken.glob("*_00*.csv")}
    make_drop(broken, style).deliver_due(MONDAY.close_us)
    assert names(broken) == names(whole)
    assert all((broken / name).read_bytes() == (whole / name).read_bytes() for name in names(whole))
    assert {name: (broken / name).stat().st_mtime_ns for name in before} == before


@pytest.mark.parametrize("style", DropStyle)
def test_the_files_of_another_market_are_not_touched(tmp_path, style):
    make_drop(tmp_path, style, seed=SEED + 1).deliver_due(at("11:00"))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(RequestError, match="another market"):
        make_drop(tmp_path, style).deliver_due(at("12:00"))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_file_that_was_taken_away_is_not_dropped_again(tmp_path):
    drop = make_drop(tmp_path, DropStyle.RENAME)
    drop.deliver_due(at("10:00"))
    (tmp_path / "executions_20260105_001.csv").unlink()
    assert drop.deliver_due(at("10:10")) == []


def test_late_lines_come_in_files_after_the_close(tmp_path):
    drop = make_drop(tmp_path, DropStyle.RENAME, "executions.late_prints@15:00+1h:90")
    drop.deliver_due(MONDAY.close_us)
    on_time = len(list(tmp_path.glob("*.csv")))
    late = drop.deliver_due(at("18:00"))
    assert (on_time, late) == (11, [f"executions_20260105_0{number}.csv" for number in (15, 16)])
    dropped = [line for file in tmp_path.glob("*.csv") for line in records(file.read_bytes())]
    assert sorted(dropped) == sorted(records(WHOLE))


def test_sessions_do_not_mix(tmp_path):
    drop = make_drop(tmp_path, DropStyle.GROWING, sessions=(MONDAY, TUESDAY))
    assert drop.deliver_due(MONDAY.close_us) == [GROWN]
    assert drop.deliver_due(TUESDAY.open_us) == ["executions_20260106.csv"]
    assert (tmp_path / GROWN).read_bytes() == WHOLE


@pytest.mark.parametrize("style", DropStyle)
def test_each_touched_line_is_written_down_once(tmp_path, style):
    truth, folder = tmp_path / "truth.jsonl", tmp_path / "drop"
    fault = "executions.bad_records@10:00+1h:4"
    drop = make_drop(folder, style, fault, truth=truth)
    for minute in range(0, 450, 7):
        drop.deliver_due(MONDAY.open_us + minute * 60_000_000)
    played = [json.loads(line) for line in truth.read_text().splitlines()[1:]]
    noted = [key for line in played for key in line["keys"]]
    wanted = [line.trade_id for line in plan(fault).drop_lines(MONDAY) if line.faults]
    assert noted == wanted
    assert {line["vendor"] for line in played} == {"executions"}


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="--drop-dir"):
        make_drop(tmp_path / "file" / "drop", DropStyle.RENAME)


def test_a_folder_that_is_gone_is_named(tmp_path):
    drop = make_drop(tmp_path / "drop", DropStyle.RENAME)
    (tmp_path / "drop").rmdir()
    with pytest.raises(RequestError, match="cannot be dropped"):
        drop.deliver_due(at("10:00"))
