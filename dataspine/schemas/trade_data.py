"""`TradeData`: one execution in canonical form."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from dataspine.schemas.codes import Code
from dataspine.schemas.fields import ChoiceRule, InstantRule, NumberRule, SymbolRule, TextRule
from dataspine.schemas.market_data import Price
from dataspine.schemas.record import CanonicalRecord

Text = Annotated[str, TextRule()]


class TradeData(CanonicalRecord):
    """One execution, or the correction or cancellation of one.

    Natural key: (source, client_id, trade_id).
    Raises: pydantic.ValidationError that lists every violation; each error's `type` is a reason code.
    Source: docs/reference/canonical_schemas.md#tradedata
    """

    trade_id: Text
    client_id: Text
    symbol: Annotated[str, SymbolRule()]
    side: Annotated[str, ChoiceRule(Code.SIDE_VALUE, ("BUY", "SELL"))]
    quantity: Annotated[Decimal, NumberRule(Code.QUANTITY_VALIDITY)]
    price: Price
    timestamp: Annotated[datetime, InstantRule()]
    venue: Text
    source: Text = "trade_feed"
    exec_type: Annotated[str, ChoiceRule(Code.VALUE, ("NEW", "CORRECT", "CANCEL"))] = "NEW"
    ref_trade_id: Text | None = None
    """Trade that a CORRECT or CANCEL refers to."""
