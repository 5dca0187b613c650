"""How vendors fare: failures in a row, and when one that failed is asked again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dataspine.schemas.job import SourceHealth, SourceState

if TYPE_CHECKING:
    from dataspine.store.sqlite import Connection

_COLUMNS = "source, state, failures, last_error, last_ok_us, next_try_us"


def find(connection: Connection, source: str) -> SourceHealth:
    """How a source fares; one that was never tried is well."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM source_health WHERE source = ?", (source,)).fetchone()
    return SourceHealth(source) if row is None else _health(row)


def every(connection: Connection) -> list[SourceHealth]:
    """Every source that was ever tried by an engine, by name."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM source_health ORDER BY source")
    return [_health(row) for row in rows.fetchall()]


def save(tx: Connection, health: SourceHealth) -> None:
    """Keep how a source fares."""
    values = (
        health.source,
        health.state,
        health.failures,
        health.last_error,
        health.last_ok_us,
        health.next_try_us,
    )
    tx.execute(f"INSERT OR REPLACE INTO source_health ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", values)


def _health(row: tuple[Any, ...]) -> SourceHealth:
    source, state, *rest = row
    return SourceHealth(source, SourceState(state), *rest)
