"""The floor: what a script does that only parses and inserts, without archive, contracts, letters or audit.

It writes into the same table through the same SQLite library, in one transaction, with the settings of our store.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from dataspine.store.sqlite import Connection, sqlite

SQL = Path(__file__).parents[2] / "dataspine" / "store" / "sql" / "0001_spine.sql"
MARKET_ROW = (
    "INSERT OR IGNORE INTO market_data (source_id, symbol_id, timestamp_us, interval_s, price, volume, volume_kind,"
    " run_id, position) VALUES (1, ?, ?, 0, ?, ?, 'cumulative', 1, ?)"
)
TRADE_ROW = (
    "INSERT OR IGNORE INTO trade_data (source_id, client_id, trade_id, symbol_id, timestamp_us, side, quantity, price,"
    " venue, exec_type, run_id, position) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, 'NEW', 1, ?)"
)


def quotes(file: Path, home: Path) -> Callable[[], dict[str, Any]]:
    """`json.load`, then one `executemany`."""
    home.mkdir(parents=True)
    open_store(home).close()

    def work() -> dict[str, Any]:
        connection = open_store(home)
        with file.open("rb") as content:
            records = json.load(content)
        return stored(connection, MARKET_ROW, _market_rows(records), read=len(records))

    return work


def executions(file: Path, home: Path) -> Callable[[], dict[str, Any]]:
    """`csv.reader`, then one `executemany`."""
    home.mkdir(parents=True)
    open_store(home).close()

    def work() -> dict[str, Any]:
        connection = open_store(home)
        with file.open(newline="", encoding="utf-8") as content:
            lines = csv.reader(content)
            next(lines)
            found = stored(connection, TRADE_ROW, _trade_rows(lines), read=0)
        return {**found, "rows_read": found["rows_stored"]}

    return work


def open_store(home: Path) -> Connection:
    """A database with the tables of `0001_spine.sql` and the settings of our store."""
    path = home / "bare.db"
    is_new = not path.exists()
    connection: Connection = sqlite.connect(str(path), isolation_level=None)
    for setting in ("journal_mode = WAL", "synchronous = FULL", "cache_size = -65536"):
        connection.execute(f"PRAGMA {setting}")
    if is_new:
        connection.executescript(SQL.read_text(encoding="utf-8"))
    return connection


def stored(
    connection: Connection, statement: str, rows: Iterator[tuple[Any, ...]], *, read: int
) -> dict[str, Any]:
    """Insert in one transaction, close, and count."""
    connection.execute("BEGIN")
    written = connection.executemany(statement, rows).rowcount
    connection.execute("COMMIT")
    connection.close()
    return {"rows_read": read, "rows_stored": written}


def _market_rows(records: list[dict[str, Any]]) -> Iterator[tuple[Any, ...]]:
    numbers: dict[str, int] = {}
    for position, record in enumerate(records, 1):
        symbol_id = numbers.setdefault(record["symbol"], len(numbers) + 1)
        at_us = record["latestUpdate"] * 1000
        yield symbol_id, at_us, str(record["latestPrice"]), record["volume"], position


def _trade_rows(lines: Iterator[list[str]]) -> Iterator[tuple[Any, ...]]:
    numbers: dict[str, int] = {}
    for position, (trade_id, client_id, symbol, side, quantity, price, at, venue) in enumerate(lines, 1):
        symbol_id = numbers.setdefault(symbol, len(numbers) + 1)
        at_us = round(datetime.fromisoformat(at).timestamp() * 1_000_000)
        yield client_id, trade_id, symbol_id, at_us, side, quantity, price, venue, position
