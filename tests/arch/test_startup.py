"""The commands start light: heavy libraries load only in the functions that need them."""

from __future__ import annotations

import subprocess
import sys

from tests.arch.source_tree import ROOT

HEAVY = ("textual", "polars", "exchange_calendars", "pandas", "apscheduler", "httpx2", "sqlite_utils")


def modules_after(statement: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after a statement."""
    script = f"{statement}\nimport sys\nprint(*sorted(sys.modules))"
    finished = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True, timeout=60
    )
    return set(finished.stdout.split())


def test_commands_load_nothing_heavy() -> None:
    assert modules_after("import dataspine.cli.main").intersection(HEAVY) == set()


def test_root_loads_none_of_ours() -> None:
    assert [name for name in modules_after("import dataspine") if name.startswith("dataspine.")] == []


def test_heavy_import_is_seen() -> None:
    assert modules_after("def f():\n    import apscheduler\nf()").intersection(HEAVY) == {"apscheduler"}
