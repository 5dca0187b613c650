"""Token buckets: how many requests each vendor takes now, shared by every process and lane."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataspine.store.sqlite import Connection


def read(connection: Connection, vendor: str) -> tuple[float, int] | None:
    """Tokens of a vendor and the instant at which that number was right; None for one never asked."""
    row = connection.execute(
        "SELECT tokens, refilled_us FROM rate_buckets WHERE vendor = ?", (vendor,)
    ).fetchone()
    return None if row is None else (float(row[0]), int(row[1]))


def save(tx: Connection, vendor: str, *, tokens: float, refilled_us: int) -> None:
    """Keep a vendor's tokens."""
    tx.execute(
        "INSERT INTO rate_buckets (vendor, tokens, refilled_us) VALUES (?, ?, ?)"
        " ON CONFLICT (vendor) DO UPDATE SET tokens = excluded.tokens, refilled_us = excluded.refilled_us",
        (vendor, tokens, refilled_us),
    )
