"""What a reader sees of a source through the views, as one hash."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataspine.store.database import Database


def visible_content(database: Database, source: str) -> str:
    """SHA-256 of the source's visible rows in canonical order."""
    rows = database.rows(
        "SELECT symbol, timestamp, interval_s, price, volume FROM market_data_view WHERE source = ?"
        " ORDER BY symbol, timestamp, interval_s",
        (source,),
    )
    return hashlib.sha256(repr(rows).encode()).hexdigest()
