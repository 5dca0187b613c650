"""The command in a process of its own, again and again: what an operator or a script waits for."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

REPEATS = 3


def version(given: Path, home: Path) -> Callable[[], dict[str, Any]]:
    """`dataspine --version`."""
    del given, home
    return lambda: _timed(["--version"])


def status(store: Path, home: Path) -> Callable[[], dict[str, Any]]:
    """`dataspine status` at a store that is there."""
    del home
    return lambda: _timed(["--home", str(store), "status"])


def _timed(arguments: list[str]) -> dict[str, Any]:
    """Median and longest wall time; the first call only fills the caches."""
    script = Path(sys.executable).with_name("dataspine")
    program = [str(script)] if script.exists() else [sys.executable, "-m", "dataspine"]
    waited_ms = []
    for _ in range(REPEATS + 1):
        started_s = time.perf_counter()
        subprocess.run([*program, *arguments], check=True, stdout=subprocess.DEVNULL)
        waited_ms.append(1000 * (time.perf_counter() - started_s))
    return {"wall_ms": median(waited_ms[1:]), "wall_max_ms": max(waited_ms[1:]), "calls": REPEATS}
