"""The real command in a process of its own: run it, read its document, find what could act on a terminal."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "fixtures"
TIMEOUT_S = 120
PROGRAM = (sys.executable, "-m", "dataspine")

HEADER = "symbol,timestamp,close,volume\n"
GOOD_ROW = "AAPL,2026-01-09T14:30:00Z,187.25,100\n"
BAD_ROW = "AAPL,2026-01-09T14:31:00Z,-1,100\n"
STYLING = re.compile(r"\x1b\[[0-9;]*m")


def environment() -> dict[str, str]:
    """The test's own, with our package on the path."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def dataspine(
    *arguments: str | Path, home: Path | None = None, cwd: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    where = ["--home", str(home)] if home else []
    return subprocess.run(
        [*PROGRAM, *where, *map(str, arguments)],
        capture_output=True,
        check=False,
        cwd=cwd or ROOT,
        encoding="utf-8",
        env={**environment(), **variables},
        timeout=TIMEOUT_S,
    )


def document(finished: subprocess.CompletedProcess[str], *, code: int = 0) -> dict[str, Any]:
    """The one JSON document on stdout of a command that ended with this code."""
    assert finished.returncode == code, finished.stderr + finished.stdout
    return json.loads(finished.stdout)


def write_bars(path: Path, *rows: str) -> Path:
    """A file of the preset `generic_bars`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEADER + "".join(rows), encoding="utf-8")
    return path


def acting_characters(text: str) -> set[str]:
    """Characters that could act on a terminal or deceive its reader; line feeds may stay."""
    return {
        char
        for char in text
        if char != "\n" and unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
    }
