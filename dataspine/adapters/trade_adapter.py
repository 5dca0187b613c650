"""`TradeAdapter`: executions of a CSV file in the shape of the preset `execution_csv`."""

from __future__ import annotations

from dataspine.adapters.file_adapter import FileAdapter
from dataspine.schemas.source import Kind


class TradeAdapter(FileAdapter):
    """Executions as dicts of `TradeData`'s fields.

    Source: docs/reference/source_registry.md#execution_csv
    """

    kind = Kind.TRADE
    source = "trade_feed"
