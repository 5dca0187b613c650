"""The canonical model of each kind of source."""

from __future__ import annotations

from dataspine.schemas.market_data import MarketData
from dataspine.schemas.record import CanonicalRecord
from dataspine.schemas.source import Kind
from dataspine.schemas.trade_data import TradeData

MODELS: dict[Kind, type[CanonicalRecord]] = {Kind.MARKET: MarketData, Kind.TRADE: TradeData}
