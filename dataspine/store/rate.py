"""Token buckets: how many requests each vendor takes now, shared by every process and lane."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataspine.store.sqlite import Connection

MILLION = 1_000_000


def read(connection: Connection, vendor: str) -> tuple[float, int] | None:
    """Tokens of a vendor and the instant at which that number was right; None for one never asked."""
    row = connection.execute(
        "SELECT tokens_millionths, refilled_us FROM rate_buckets WHERE vendor = ?", (vendor,)
    ).fetchone()
    return None if row is None else (row[0] / MILLION, int(row[1]))


def save(tx: Connection, vendor: str, *, tokens: float, refilled_us: int) -> None:
    """Keep a vendor's tokens."""
    tx.execute(
        "INSERT INTO rate_buckets (vendor, tokens_millionths, refilled_us) VALUES (?, ?, ?)"
        " ON CONFLICT (vendor) DO UPDATE SET tokens_millionths = excluded.tokens_millionths,"
        " refilled_us = excluded.refilled_us",
        (vendor, int(tokens * MILLION), refilled_us),
    )
