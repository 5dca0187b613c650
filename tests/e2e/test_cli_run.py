"""`dataspine run` and `dataspine init` in a real process: the fixtures, one round, a dry run, a new workspace."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command_line import BAD_ROW, FIXTURES, GOOD_ROW, dataspine, document, write_bars

COUNTERS = ("rows_read", "inserted", "unchanged", "corrected", "rejected", "duplicate")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A workspace over the fixtures after one run, and that run's document."""
    home = tmp_path_factory.mktemp("demo") / "workspace"
    return home, document(dataspine("run", "--fixtures", FIXTURES, "--json", home=home))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A configured workspace with one file to read, nothing read yet."""
    home = tmp_path / "home"
    assert dataspine("init", home=home).returncode == 0
    write_bars(home / "drop" / "bars.csv", GOOD_ROW, BAD_ROW)
    return home


def total(found: dict[str, Any], name: str, source: str | None = None) -> int:
    return sum(run[name] for run in found["runs"] if source in (None, run["source"]))


def test_fixtures_are_accounted_for(demo: tuple[Path, dict[str, Any]]) -> None:
    _, found = demo
    for run in found["runs"]:
        assert run["rows_read"] == sum(run[name] for name in COUNTERS[1:]), run
    assert total(found, "rows_read", "polygon_bars") == total(found, "inserted", "polygon_bars") == 23_400
    assert total(found, "rejected", "desk_bars_migrated") == 400
    assert total(found, "rejected", "executions") == 7
    assert found["failed_sources"] == found["empty_sources"] == []
    assert found["open_letters"] > 0


def test_second_run_inserts_nothing(demo: tuple[Path, dict[str, Any]]) -> None:
    home, first = demo
    second = document(dataspine("run", "--fixtures", FIXTURES, "--json", home=home))
    assert total(second, "inserted") == 0
    assert total(second, "rows_read") == total(first, "rows_read")
    assert second["open_letters"] == first["open_letters"]
    assert document(dataspine("audit", "verify", "--json", home=home))["ok"]


def test_people_see_the_result_in_80_columns(demo: tuple[Path, dict[str, Any]]) -> None:
    home, _ = demo
    finished = dataspine("run", "--fixtures", FIXTURES, home=home)
    assert (finished.returncode, finished.stderr) == (0, "")
    for words in ("polygon_bars", "23,400", "TIMESTAMP_FORMAT", "dlq list", "Audit log", "Database"):
        assert words in finished.stdout
    kept_whole = ("Database", "  ")
    too_wide = [
        line for line in finished.stdout.splitlines() if len(line) > 80 and not line.startswith(kept_whole)
    ]
    assert too_wide == []


def test_commands_to_try_next_work(demo: tuple[Path, dict[str, Any]]) -> None:
    home, _ = demo
    shown = dataspine("run", "--fixtures", FIXTURES, home=home).stdout
    lines = shown.partition("Try next:\n")[2].splitlines()
    assert len(lines) == 3
    for line in lines[:2]:
        arguments = line.partition(" --home ")[2].split()
        assert arguments[0] == str(home)
        assert dataspine(*arguments[1:], home=home).returncode == 0, line


def test_fixtures_leave_a_workspace_with_its_own_configuration_alone(home: Path) -> None:
    before = (home / "dataspine.toml").read_bytes()
    finished = dataspine("run", "--fixtures", FIXTURES, home=home)
    assert finished.returncode == 2
    assert "configuration of its own" in finished.stderr
    assert (home / "dataspine.toml").read_bytes() == before


def test_live_once_reads_every_source(home: Path, tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    found = document(
        dataspine("run", "--mode", "live", "--once", "--audit-log", log, "--json", home=home), code=1
    )
    assert [(run["source"], run["inserted"], run["rejected"]) for run in found["runs"]] == [("bars", 1, 1)]
    assert found["empty_sources"] == ["quotes", "executions"]
    assert [json.loads(line)["event_type"] for line in log.read_text().splitlines()] == ["run_succeeded"]


def test_dry_run_names_objects_and_stores_nothing(home: Path) -> None:
    found = document(dataspine("run", "--dry-run", "--json", home=home))
    assert found["mode"] == "live"
    assert [(planned["source"], planned["objects"]) for planned in found["sources"]] == [
        ("bars", ["drop/bars.csv"]),
        ("quotes", []),
        ("executions", []),
    ]
    assert found["sources"][0]["schedule"] == "*/5 * * * 1-5"
    with sqlite3.connect(home / "dataspine.db") as connection:
        assert connection.execute(
            "SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM payloads)"
        ).fetchone() == (0, 0)
    connection.close()
    assert not (home / "payloads").exists()


def test_dry_run_of_a_backfill_counts_both_ends(home: Path) -> None:
    arguments = (
        "run",
        "--mode",
        "backfill",
        "--start",
        "2026-01-05",
        "--end",
        "2026-01-07",
        "--dry-run",
        "--json",
    )
    assert document(dataspine(*arguments, home=home))["days"] == ["2026-01-05", "2026-01-06", "2026-01-07"]


def test_dry_run_says_which_source_cannot_be_read(home: Path) -> None:
    with (home / "dataspine.toml").open("a") as config:
        config.write('\n[sources.gone]\npreset = "generic_bars"\npath = "nowhere/x.csv"\n')
    finished = dataspine("run", "--dry-run", "--json", home=home)
    found = document(finished, code=4)
    assert [planned["source"] for planned in found["sources"] if planned["error"]] == ["gone"]
    assert "nowhere/x.csv" in finished.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--mode", "live", "--once", "--schedule", "* * * * *"), "--once reads now"),
        (("--mode", "live", "--schedule", "every now and then"), "schedule is not understood"),
        (
            ("--mode", "backfill", "--start", "2026-01-05", "--end", "2026-01-06"),
            "no source can be asked for single days",
        ),
        (("--mode", "backfill", "--once"), "does not belong to a backfill"),
        (("--mode", "backfill", "--dry-run", "--start", "2026-01-05"), "--end must be a day"),
        (
            ("--mode", "backfill", "--dry-run", "--start", "2026-01-06", "--end", "2026-01-05"),
            "--start must not",
        ),
        (("--mode", "live", "--dry-run", "--start", "2026-01-05"), "belong to a backfill"),
        (("--mode", "yesterday"), "--mode"),
        (("--fixtures", "nowhere"), "the fixtures have no configuration"),
        (("--fixtures", "fixtures", "--once"), "--fixtures stands alone"),
    ],
)
def test_what_cannot_be_is_said_and_ends_with_2(home: Path, arguments: tuple[str, ...], said: str) -> None:
    finished = dataspine("run", *arguments, home=home)
    assert (finished.returncode, finished.stdout) == (2, "")
    assert said in finished.stderr


def test_init_makes_a_private_workspace(tmp_path: Path) -> None:
    home = tmp_path / "new"
    found = document(dataspine("init", "--json", home=home))
    assert found["wrote_config"]
    assert home.stat().st_mode & 0o777 == 0o700
    for name in ("dataspine.toml", "dataspine.db"):
        assert (home / name).stat().st_mode & 0o777 == 0o600
    events = document(dataspine("audit", "list", "--json", home=home))["events"]
    assert [event["event_type"] for event in events] == ["workspace_created"]
    assert dataspine("ingest", "--all", home=home).returncode == 0


def test_init_keeps_a_configuration_unless_forced(tmp_path: Path) -> None:
    home = tmp_path / "new"
    home.mkdir(mode=0o700)
    config = home / "dataspine.toml"
    config.write_text('log_level = "DEBUG"\n')
    assert not document(dataspine("init", "--json", home=home))["wrote_config"]
    assert config.read_text() == 'log_level = "DEBUG"\n'
    assert document(dataspine("init", "--force-config", "--json", home=home))["wrote_config"]
    assert "[sources.bars]" in config.read_text()


def test_init_twice_makes_one_event(tmp_path: Path) -> None:
    for _ in range(2):
        assert dataspine("init", home=tmp_path / "new").returncode == 0
    assert len(document(dataspine("audit", "list", "--json", home=tmp_path / "new"))["events"]) == 1


def test_init_says_what_is_wrong_with_a_configuration_that_stays(tmp_path: Path) -> None:
    home = tmp_path / "new"
    home.mkdir(mode=0o700)
    (home / "dataspine.toml").write_text('log_levl = "DEBUG"\n')
    finished = dataspine("init", home=home)
    assert finished.returncode == 2
    assert "log_level" in finished.stderr
