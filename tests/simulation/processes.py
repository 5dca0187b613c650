"""Other processes: started until they are ready, let go together, awaited."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dataspine.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable

DEADLINE_S = 60.0
READY = "ready"


def started(*arguments: object) -> subprocess.Popen[str]:
    """A process of `tests.simulation.ingest_process` that has said it is ready."""
    command = [sys.executable, "-m", "tests.simulation.ingest_process", *map(str, arguments)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == READY, process.communicate()[1]
    return process


def release(*processes: subprocess.Popen[str]) -> None:
    """Let processes that are ready go on."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, output and errors of a process, awaited."""
    output, errors = process.communicate(timeout=120)
    return process.returncode, output, errors


def has_open(process: subprocess.Popen[str], path: Path) -> bool:
    """Whether a process holds this file open (Linux)."""
    return any(entry.resolve() == path for entry in Path(f"/proc/{process.pid}/fd").iterdir())


def wait_until(condition: Callable[[], bool]) -> None:
    """Look again and again until it is so; a minute without it is a failure."""
    clock = SystemClock()
    deadline_s = clock.monotonic_s() + DEADLINE_S
    while not condition():
        assert clock.monotonic_s() < deadline_s, "it never came to that"
        clock.sleep_s(0.01)
