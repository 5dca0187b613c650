"""Runs a benchmark: its contenders in turn, round after round, each in a fresh process with warm files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.suite import INPUTS, Benchmark, Contender

ROOT = Path(__file__).parents[2]
BLOCK_BYTES = 4 * 1024**2
Runs = dict[str, list[dict[str, Any]]]
"""What each contender measured in each round."""


@dataclass(frozen=True, slots=True)
class Options:
    """How much is measured, and where."""

    rows: int
    rounds: int
    work: Path
    """Inputs stay here; stores go after every round."""
    comparators: Path
    """Virtual environment of what others ingest with."""
    say: Callable[[str], None] = print


@dataclass(frozen=True, slots=True)
class Result:
    """One benchmark's measurements."""

    runs: Runs
    left_out: dict[str, str]
    """Contender to the reason."""


def run_benchmark(benchmark: Benchmark, options: Options) -> Result:
    """Every round of a benchmark: A B A B, so that a machine that slows down slows all of them."""
    left_out = {one.name: reason for one in benchmark.contenders if (reason := _missing(one, options))}
    runs: Runs = {one.name: [] for one in benchmark.contenders if one.name not in left_out}
    for name, reason in left_out.items():
        options.say(f"{benchmark.name}/{name}: left out, {reason}")
    inputs = {one.name: ready_input(one, options) for one in benchmark.contenders if one.name in runs}
    for number in range(1, options.rounds + 1):
        homes = options.work / "homes"
        shutil.rmtree(homes, ignore_errors=True)
        for one in benchmark.contenders:
            if one.name not in runs:
                continue
            measured = _run(one, inputs[one.name], homes / (one.home_of or one.name), options)
            runs[one.name].append(measured)
            options.say(f"{benchmark.name}/{one.name} {number}/{options.rounds}: {_brief(measured)}")
        shutil.rmtree(homes, ignore_errors=True)
    return Result(runs, left_out)


def ready_input(contender: Contender, options: Options) -> Path:
    """The contender's input, made where it is not there yet."""
    if not contender.given:
        return options.work
    suffix, program = INPUTS[contender.given]
    path = options.work / "inputs" / f"{contender.given}-{contender.size(options.rows)}{suffix}"
    if not path.exists():
        # Made aside and moved, so that what stands at its name is whole.
        making = options.work / "making"
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        options.say(f"making {path.name}")
        spawn(program, making / path.name, making / "home", python=Path(sys.executable))
        path.parent.mkdir(exist_ok=True)
        (making / path.name).rename(path)
    return path


def spawn(program: str, given: Path, home: Path, *, python: Path) -> dict[str, Any]:
    """One program to its end; what it measured, and `process_s` from its start to its end.

    Raises: RuntimeError with the end of its stderr if it fails.
    """
    command = [str(python), "-m", "tests.bench.contender", program, str(given), str(home)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DATASPINE_")}
    started_s = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    process_s = time.perf_counter() - started_s
    if done.returncode:
        raise RuntimeError(f"{program} failed:\n{done.stderr[-4000:]}")
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**measured, "process_s": process_s}


def _run(contender: Contender, given: Path, home: Path, options: Options) -> dict[str, Any]:
    _warm(given)
    # What the one before left for the disk to write is no business of this one.
    os.sync()
    python = options.comparators / "bin" / "python" if contender.needs else Path(sys.executable)
    return spawn(contender.program, given, home, python=python)


def _warm(path: Path) -> None:
    """Read a file once, so that it comes from memory for everyone. A folder is of small files, or a database."""
    if path.is_file():
        with path.open("rb") as content:
            while content.read(BLOCK_BYTES):
                pass


def _missing(contender: Contender, options: Options) -> str:
    """Why a contender cannot run; empty if it can."""
    if not contender.needs:
        return ""
    python = options.comparators / "bin" / "python"
    if not python.exists():
        return f"there is no environment {options.comparators.name} (`make bench` makes it)"
    done = subprocess.run([str(python), "-c", f"import {contender.needs}"], capture_output=True, check=False)
    return f"{contender.needs} is not installed in {options.comparators.name}" if done.returncode else ""


def _brief(measured: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {value:,.3g}" if isinstance(value, float) and value < 1000 else f"{name} {value:,.0f}"
        for name, value in measured.items()
    )
