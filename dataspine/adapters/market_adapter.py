"""`MarketAdapter`: market records of a JSON, NDJSON or CSV file in a shape that a preset knows."""

from __future__ import annotations

from dataspine.adapters.file_adapter import FileAdapter
from dataspine.schemas.source import Kind


class MarketAdapter(FileAdapter):
    """Quotes, snapshots and bars as dicts of `MarketData`'s fields.

    Source: docs/reference/source_registry.md
    """

    kind = Kind.MARKET
    source = "market_feed"
