"""dlt as its documentation loads records: declared columns, a frozen schema contract, SQLite as the destination.

It checks columns and types and judges no value. Runs in an environment of its own and imports nothing of ours.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

COLUMNS: dict[str, dict[str, Any]] = {
    "symbol": {"data_type": "text", "nullable": False},
    "latestPrice": {"data_type": "double", "nullable": False},
    "latestUpdate": {"data_type": "bigint", "nullable": False},
    "volume": {"data_type": "bigint", "nullable": True},
    "latestSource": {"data_type": "text", "nullable": True},
}


def quotes(file: Path, home: Path) -> Callable[[], dict[str, Any]]:
    """`json.load`, then `pipeline.run`; its state and its database stand under `home`."""
    home.mkdir(parents=True)
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"
    os.environ["DLT_DATA_DIR"] = str(home / "dlt")

    import dlt

    destination = dlt.destinations.sqlalchemy(f"sqlite:///{home / 'dlt.db'}")
    pipeline = dlt.pipeline(
        "bench", destination=destination, dataset_name="main", pipelines_dir=str(home / "state")
    )

    def work() -> dict[str, Any]:
        with file.open("rb") as content:
            records = json.load(content)
        resource = dlt.resource(
            records,
            name="market_data",
            columns=COLUMNS,
            write_disposition="append",
            schema_contract={"tables": "evolve", "columns": "freeze", "data_type": "freeze"},
        )
        pipeline.run(resource).raise_on_failed_jobs()
        stored = pipeline.last_trace.last_normalize_info.row_counts["market_data"]
        return {"rows_read": len(records), "rows_stored": stored}

    return work
