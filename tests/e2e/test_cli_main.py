"""The command itself: global options, errors, crashes, broken pipes, interruptions, start-up."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from dataspine import __version__
from tests.e2e.command_line import (
    GOOD_ROW,
    PROGRAM,
    ROOT,
    TIMEOUT_S,
    dataspine,
    document,
    environment,
    write_bars,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A workspace with one stored record."""
    file = write_bars(tmp_path / "bars.csv", GOOD_ROW)
    home = tmp_path / "home"
    assert dataspine("ingest", "--file", file, "--preset", "generic_bars", home=home).returncode == 0
    return home


def test_version() -> None:
    assert dataspine("--version").stdout == f"dataspine {__version__}\n"
    assert dataspine("--home", "x", "--version").stdout == f"dataspine {__version__}\n"


def test_help_lists_every_noun() -> None:
    finished = dataspine("--help")
    assert finished.returncode == 0
    for noun in (
        "init",
        "run",
        "ingest",
        "sources",
        "records",
        "dlq",
        "account",
        "audit",
        "status",
        "doctor",
    ):
        assert f"\n  {noun} " in finished.stdout


def test_no_command_shows_help_on_stderr() -> None:
    finished = dataspine()
    assert (finished.returncode, finished.stdout) == (2, "")
    assert "Commands:" in finished.stderr


def test_unknown_command_suggests_one() -> None:
    finished = dataspine("adit")
    assert finished.returncode == 2
    assert "Did you mean 'audit'?" in finished.stderr


def test_home_may_stand_anywhere(home: Path) -> None:
    lines = [
        ("--home", str(home), "audit", "list", "--json"),
        ("audit", "--home", str(home), "list", "--json"),
        ("audit", "list", "--json", f"--home={home}"),
    ]
    heads = [document(dataspine(*line))["events"][0]["hash"] for line in lines]
    assert len(set(heads)) == 1


def test_home_comes_from_the_environment(home: Path) -> None:
    found = document(dataspine("audit", "list", "--json", DATASPINE_HOME=str(home)))
    assert len(found["events"]) == 2


def test_home_is_the_current_directory_where_that_is_a_workspace(tmp_path: Path) -> None:
    assert dataspine("init", cwd=tmp_path).returncode == 0
    assert (tmp_path / "workspace" / "dataspine.toml").exists()
    inside = tmp_path / "workspace"
    found = document(dataspine("audit", "list", "--json", cwd=inside))
    assert [event["event_type"] for event in found["events"]] == ["workspace_created"]


def test_missing_workspace_is_a_storage_error(tmp_path: Path) -> None:
    finished = dataspine("audit", "list", home=tmp_path / "nowhere")
    assert finished.returncode == 5
    assert finished.stderr.splitlines()[1].strip() == "Run `dataspine init`"
    assert not (tmp_path / "nowhere").exists()


def test_crash_leaves_a_private_report_without_values(home: Path) -> None:
    with sqlite3.connect(home / "dataspine.db") as connection:
        connection.execute("ALTER TABLE runs RENAME COLUMN rows_read TO secret_rows")
    connection.close()
    finished = dataspine("ingest", "--file", home.parent / "bars.csv", "--preset", "generic_bars", home=home)
    assert finished.returncode == 1
    assert len(finished.stderr.splitlines()) == 2
    assert "Traceback" not in finished.stderr + finished.stdout
    (report,) = (home / "logs").glob("crash-*.log")
    assert report.name in finished.stderr.replace("\n", "")
    assert report.stat().st_mode & 0o777 == 0o600
    text = report.read_text()
    assert "Traceback (most recent call last)" in text
    assert "command: --home ingest --file --preset\n" in text
    assert "187.25" not in text


def test_broken_pipe_is_quiet(home: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        finished = subprocess.run(
            [*PROGRAM, "--home", str(home), "audit", "export"],
            stdout=closed,
            stderr=subprocess.PIPE,
            check=False,
            cwd=ROOT,
            env=environment(),
            timeout=TIMEOUT_S,
        )
    assert (finished.returncode, finished.stderr) == (0, b"")


def test_interruption_ends_with_130_and_no_trace(home: Path) -> None:
    process = subprocess.Popen(
        [*PROGRAM, "--home", str(home), "audit", "follow", "--after", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env=environment(),
    )
    assert process.stdout is not None
    assert b"workspace_created" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, complaint) == (130, b"")


def test_output_survives_a_terminal_without_unicode(home: Path) -> None:
    finished = dataspine("audit", "list", home=home, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert finished.returncode == 0
    assert "run_succeeded" in finished.stdout


@pytest.mark.parametrize("arguments", [("audit", "list", "--json", "--limit", "5"), ("status", "--json")])
def test_reads_start_without_what_is_slow(home: Path, arguments: tuple[str, ...]) -> None:
    """Pydantic alone takes as long as the whole budget of a read allows besides Typer."""
    slow = ("pydantic", "polars", "rich", "textual", "httpx2", "apscheduler", "sqlite_utils")
    script = (
        "import sys\nfrom dataspine.cli.main import run_command\n"
        f"code = run_command({['--home', str(home), *arguments]!r})\n"
        f"print(*[name for name in {slow!r} if name in sys.modules], file=sys.stderr)\nsys.exit(code)"
    )
    finished = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=TIMEOUT_S,
        check=True,
    )
    assert finished.stderr.split() == []


def test_version_imports_nothing_of_ours_but_main() -> None:
    script = (
        "import sys\nsys.argv = ['dataspine', '--version']\n"
        "from dataspine.cli.main import entry\ntry:\n    entry()\nexcept SystemExit:\n    pass\n"
        "print(*sorted(name for name in sys.modules if name.startswith(('dataspine.', 'typer'))))"
    )
    finished = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=TIMEOUT_S,
        check=True,
    )
    assert finished.stdout.splitlines()[1].split() == ["dataspine.cli", "dataspine.cli.main"]
