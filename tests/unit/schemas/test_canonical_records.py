"""`MarketData` and `TradeData` as programs use them: frozen, exact, and clear about what is wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from pydantic import ValidationError

from dataspine.schemas.market_data import MarketData
from dataspine.schemas.trade_data import TradeData

AT = datetime(2026, 1, 9, 15, tzinfo=UTC)
QUOTE = {
    "symbol": "AAPL",
    "price": "150.25",
    "timestamp": "2026-01-09T15:00:00Z",
    "volume": 5,
    "source": "desk",
}
TRADE = {
    "trade_id": "T1",
    "client_id": "C1",
    "symbol": "AAPL",
    "side": "BUY",
    "quantity": "100",
    "price": "150.25",
    "timestamp": AT,
    "venue": "XNYS",
}


def test_a_quote_is_exact_and_in_utc() -> None:
    record = MarketData.model_validate(QUOTE)
    assert (record.price, record.volume, record.timestamp) == (Decimal("150.25"), 5, AT)
    assert (record.interval_s, record.volume_kind, record.high) == (0, "interval", None)


def test_a_trade_has_its_defaults() -> None:
    record = TradeData.model_validate(TRADE)
    assert (record.quantity, record.source, record.exec_type) == (Decimal(100), "trade_feed", "NEW")


@pytest.mark.parametrize("model", [MarketData.model_validate(QUOTE), TradeData.model_validate(TRADE)])
def test_a_record_is_frozen(model: MarketData | TradeData) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        model.symbol = "MSFT"


def test_a_dump_is_the_same_record_again() -> None:
    record = MarketData.model_validate({**QUOTE, "open": "150", "high": "151", "low": "149.5"})
    assert MarketData.model_validate(record.model_dump()) == record


def test_no_digit_is_lost() -> None:
    """A float would keep 15 to 17 of these."""
    price = "12345678901234567890.123456789012345678"
    assert str(MarketData.model_validate({**QUOTE, "price": price}).price) == price


def test_the_future_is_judged_by_the_context() -> None:
    context = {"now": datetime(2026, 1, 9, 14, 55, tzinfo=UTC)}
    assert MarketData.model_validate(QUOTE, context=context)
    early = {"now": datetime(2026, 1, 9, 14, 54, 59, tzinfo=UTC)}
    with pytest.raises(ValidationError, match="too far in the future"):
        MarketData.model_validate(QUOTE, context=early)


def test_an_error_has_our_codes_and_shows_no_input() -> None:
    """Pydantic's own text would repeat the whole record, secrets included."""
    with pytest.raises(ValidationError) as refusal:
        MarketData.model_validate({**QUOTE, "price": "-1", "volume": None, "note": "hunter2"})
    assert [detail["type"] for detail in refusal.value.errors()] == ["PRICE_VALIDITY", "missing"]
    assert "hunter2" not in str(refusal.value)


def test_disorder_of_a_bar_is_an_error_of_the_whole() -> None:
    with pytest.raises(ValidationError) as refusal:
        MarketData.model_validate({**QUOTE, "high": "149", "low": "150"})
    (detail,) = refusal.value.errors()
    assert detail["type"] == "OHLC_ORDER"
    assert detail["msg"] == "open none, high 149, low 150, close 150.25 are out of order"


def test_an_unknown_field_is_ignored() -> None:
    assert "note" not in MarketData.model_validate({**QUOTE, "note": "x"}).model_dump()
