"""Reference pages made of code say what the code says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_pages_are_as_the_generator_writes_them() -> None:
    """`python docs/build_reference.py` writes nothing new."""
    command = [sys.executable, "docs/build_reference.py", "--check"]
    done = subprocess.run(
        command, cwd=ROOT, env={"PYTHONPATH": "."}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
