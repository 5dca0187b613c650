"""One measured thing in a process of its own: `python -m tests.bench.contender PROGRAM INPUT HOME`.

It imports and opens what it needs, says `ready`, does its work against the clock, and prints one JSON object. Only the
standard library is imported here, so that other environments can run it too.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

PROGRAMS = {
    "bare-quotes": "bare:quotes",
    "bare-executions": "bare:executions",
    "dataspine-quotes": "product:quotes",
    "dataspine-executions": "product:executions",
    "dataspine-polls": "product:polls",
    "dataspine-verify": "product:verify",
    "pydantic-own": "pydantic_rows:own_model",
    "pydantic-plain": "pydantic_rows:plain_model",
    "dlt-quotes": "dlt_rows:quotes",
    "command-version": "command_line:version",
    "command-status": "command_line:status",
    "writer-alone": "neighbour:alone",
    "writer-beside-ingest": "neighbour:beside_ingest",
    "make-input": "input_files:make",
    "make-store": "stores:large_store",
    "make-audit-log": "stores:audit_log",
}
READY = "ready"
_UNITS_A_MIB = 1024 * 1024 if sys.platform == "darwin" else 1024
"""`ru_maxrss` counts bytes on macOS and KiB elsewhere."""


def measured(program: str, given: Path, home: Path) -> dict[str, Any]:
    """Prepare the program, run it once, and what it took; a program may answer measurements of its own."""
    module, _, function = PROGRAMS[program].partition(":")
    prepare = getattr(importlib.import_module(f"tests.bench.{module}"), function)
    work = prepare(given, home)
    print(READY, flush=True)
    started_s, cpu_before_s = time.perf_counter(), time.process_time()
    found = work()
    elapsed_s, cpu_s = time.perf_counter() - started_s, time.process_time() - cpu_before_s
    count = found.get("rows_read")
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _UNITS_A_MIB
    rate = {"rows_per_s": count / elapsed_s} if count else {}
    return {"elapsed_s": elapsed_s, "cpu_s": cpu_s, "peak_mib": peak_mib, **rate, **found}


if __name__ == "__main__":
    print(json.dumps(measured(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))))
