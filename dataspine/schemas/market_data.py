"""`MarketData`: one bar, quote or snapshot in canonical form."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from dataspine.schemas.codes import Code
from dataspine.schemas.fields import ChoiceRule, InstantRule, NumberRule, SymbolRule, TextRule
from dataspine.schemas.record import CanonicalRecord

Price = Annotated[Decimal, NumberRule(Code.PRICE_VALIDITY)]
Volume = Annotated[int | Decimal, NumberRule(Code.VOLUME_VALIDITY, "not_negative", "unless_declared")]
Count = Annotated[int, NumberRule(Code.COUNT_VALIDITY, "not_negative", "always")]


class MarketData(CanonicalRecord):
    """One bar, quote or snapshot. A bar's `price` is its close and its `timestamp` its start.

    Natural key: (source, symbol, timestamp, interval_s).
    Raises: pydantic.ValidationError that lists every violation; each error's `type` is a reason code.
    Source: docs/reference/canonical_schemas.md#marketdata
    """

    symbol: Annotated[str, SymbolRule()]
    price: Price
    timestamp: Annotated[datetime, InstantRule()]
    volume: Volume
    source: Annotated[str, TextRule()]
    open: Price | None = None
    high: Price | None = None
    low: Price | None = None
    vwap: Price | None = None
    trade_count: Count | None = None
    interval_s: Count = 0
    """Length of the bar in seconds; 0 for a quote or snapshot."""
    volume_kind: Annotated[str, ChoiceRule(Code.VALUE, ("interval", "cumulative"))] = "interval"
    """Whether `volume` counts the interval or the day so far."""
