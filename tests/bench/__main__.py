"""`python -m tests.bench`: measure, print the tables, and with `--write` make the page of them."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dataspine.pipeline.spine import code_version
from tests.bench import report
from tests.bench.machine import load, machine
from tests.bench.runner import ROOT, Options, run_benchmark
from tests.bench.suite import BENCHMARKS, ROUNDS, ROWS


def main() -> None:
    """Read the command line and measure."""
    given = _arguments()
    measured = json.loads(given.read.read_text(encoding="utf-8")) if given.read else rounded(_measure(given))
    for benchmark in BENCHMARKS:
        if benchmark.name in measured["benchmarks"]:
            print(f"\n## {benchmark.name}\n\n{report.section(benchmark, measured)}")
    if given.json:
        given.json.write_text(text_of(measured), encoding="utf-8")
    if given.write:
        whole = merged(measured, report.MEASURED) if given.only else measured
        report.MEASURED.write_text(text_of(whole), encoding="utf-8")
        report.PAGE.write_text(report.page(whole), encoding="utf-8")


def merged(measured: report.Measured, known: Path) -> report.Measured:
    """Some benchmarks measured anew among the others that the page shows.

    Raises: SystemExit if those are of another machine or size: a page compares what can be compared.
    """
    before = json.loads(known.read_text(encoding="utf-8")) if known.exists() else measured
    for key in ("machine", "rows"):
        if before[key] != measured[key]:
            raise SystemExit(
                f"{known.name} has another {key}: {before[key]}, now {measured[key]}. Leave out --only."
            )
    return {**measured, "benchmarks": {**before["benchmarks"], **measured["benchmarks"]}}


def text_of(measured: report.Measured) -> str:
    """Measurements as the file holds them."""
    return json.dumps(measured, indent=1) + "\n"


def rounded(value: Any) -> Any:
    """The same with four significant digits, which is more than they are worth."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list) else value


def _measure(given: argparse.Namespace) -> report.Measured:
    if given.work:
        given.work.mkdir(parents=True, exist_ok=True)
        return _measure_in(given.work.resolve(), given)
    with tempfile.TemporaryDirectory(prefix="dataspine-bench-") as work:
        return _measure_in(Path(work), given)


def _measure_in(work: Path, given: argparse.Namespace) -> report.Measured:
    options = Options(given.rows, given.rounds, work, given.comparators, _narrate)
    chosen = [benchmark for benchmark in BENCHMARKS if not given.only or benchmark.name in given.only]
    found = {}
    for benchmark in chosen:
        stamp = {"measured_at": given.date, "code": code_version(), "load": load(), "rounds": given.rounds}
        result = run_benchmark(benchmark, options)
        found[benchmark.name] = {**stamp, "runs": result.runs, "left_out": result.left_out}
    return {"machine": machine(), "rows": given.rows, "benchmarks": found}


def _narrate(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    names = [benchmark.name for benchmark in BENCHMARKS]
    parser = argparse.ArgumentParser("python -m tests.bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=names, help="this benchmark; may be repeated")
    parser.add_argument(
        "--rows", type=int, default=ROWS, help="records of the main payload; other sizes follow"
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument(
        "--work", type=Path, help="folder for inputs and stores; inputs stay. Default: a temporary one"
    )
    parser.add_argument("--comparators", type=Path, default=ROOT / ".venv-bench", help="environment with dlt")
    parser.add_argument(
        "--date", default=datetime.now(UTC).date().isoformat(), help="day that the page names"
    )
    parser.add_argument("--json", type=Path, help="write the measurements there")
    parser.add_argument(
        "--from", dest="read", type=Path, help="take measurements from there instead of measuring"
    )
    parser.add_argument("--write", action="store_true", help="make docs/BENCHMARKS.md of the measurements")
    return parser.parse_args()


if __name__ == "__main__":
    main()
