"""Invariants of batches: each holds, breaks, and sits on its edge, for dicts, models and frames alike."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from dataspine.schemas.market_data import MarketData
from dataspine.validation.invariants import (
    check_completeness,
    check_idempotency,
    check_monotonic_timestamps,
    check_uniqueness,
    unknown_symbols,
)

if TYPE_CHECKING:
    from collections.abc import Callable

AT = datetime(2026, 1, 9, 15, tzinfo=UTC)


def quote(symbol: str = "AAPL", minute: int = 0, **values: Any) -> dict[str, Any]:
    at = AT + timedelta(minutes=minute)
    return {
        "symbol": symbol,
        "price": Decimal("1.5"),
        "timestamp": at,
        "volume": 5,
        "source": "desk",
        **values,
    }


def trade(trade_id: str | None = "T1", client_id: str = "C1", **values: Any) -> dict[str, Any]:
    return {"trade_id": trade_id, "client_id": client_id, "symbol": "AAPL", **values}


def as_models(batch: list[dict[str, Any]]) -> list[MarketData]:
    return [MarketData.model_construct(**record) for record in batch]


def as_frame(batch: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(batch)


def as_canonical_frame(batch: list[dict[str, Any]]) -> pl.DataFrame:
    """As the heart has it: microseconds, decimal text, no source."""
    frame = pl.DataFrame(batch).with_columns(
        pl.col("timestamp").dt.epoch("us"), pl.col("price").cast(pl.String)
    )
    return frame.drop("source")


FORMS = pytest.mark.parametrize("form", [list, as_models, as_frame, as_canonical_frame])


@FORMS
def test_order_is_judged_in_any_form(form: Callable[..., Any]) -> None:
    """Equal times are in order; an earlier one is not."""
    assert check_monotonic_timestamps(form([quote(), quote("MSFT"), quote(minute=1)]))
    assert not check_monotonic_timestamps(form([quote(minute=1), quote("MSFT")]))


@FORMS
def test_completeness_is_judged_in_any_form(form: Callable[..., Any]) -> None:
    assert check_completeness(form([quote(), quote(minute=1)]))
    assert not check_completeness(form([quote(), quote(minute=1, volume=None)]))


@FORMS
def test_idempotency_is_judged_in_any_form(form: Callable[..., Any]) -> None:
    batch = [quote(), quote("MSFT", 1)]
    assert check_idempotency(form(batch), form(batch[::-1]))
    assert not check_idempotency(form(batch), form([quote(), quote("MSFT", 1, price=Decimal("1.6"))]))


def test_every_invariant_holds_for_nothing() -> None:
    assert check_idempotency([], [])
    assert check_monotonic_timestamps([])
    assert check_completeness([])
    assert check_uniqueness([])
    assert unknown_symbols([], []) == []


def test_order_can_be_judged_by_symbol() -> None:
    """As an ingest counts it: another symbol's later record before this one is no disorder."""
    batch = [quote("AAPL", 5), quote("MSFT", 0), quote("AAPL", 6)]
    assert check_monotonic_timestamps(batch, by="symbol")
    assert not check_monotonic_timestamps(batch)
    assert not check_monotonic_timestamps([*batch, quote("MSFT", -1)], by="symbol")


@pytest.mark.parametrize(
    "times",
    [
        ("2026-01-09T15:00:00Z", "2026-01-09T16:00:00+00:30"),
        (1704067200000, 1704067200001),
        (datetime(2026, 1, 9, 15), datetime(2026, 1, 9, 15)),  # noqa: DTZ001 - compared as written
    ],
)
def test_times_of_one_sort_are_compared(times: tuple[Any, Any]) -> None:
    assert check_monotonic_timestamps([{"timestamp": at} for at in times])
    later, earlier = times[1], times[0]
    assert check_monotonic_timestamps([{"timestamp": later}, {"timestamp": earlier}]) is (later == earlier)


@pytest.mark.parametrize("record", [{}, {"timestamp": None}, {"timestamp": "yesterday"}, {"timestamp": 1.5}])
def test_a_record_without_readable_time_is_out_of_order(record: dict[str, Any]) -> None:
    assert not check_monotonic_timestamps([quote(), record])


@pytest.mark.parametrize("field", ["symbol", "price", "timestamp", "volume", "source"])
@pytest.mark.parametrize("value", [None, ""])
def test_no_required_field_may_be_without_value(field: str, value: object) -> None:
    assert not check_completeness([{**quote(), field: value}])


def test_a_field_that_is_missing_altogether_is_incomplete() -> None:
    assert not check_completeness([{name: value for name, value in quote().items() if name != "price"}])


def test_a_trade_needs_the_fields_of_a_trade() -> None:
    whole = trade(side="BUY", quantity=1, price=1, timestamp=AT, venue="X")
    assert check_completeness([whole])
    assert not check_completeness([{**whole, "side": None}])


def test_required_fields_can_be_named() -> None:
    assert check_completeness([{"a": 1}], required=["a"])
    assert not check_completeness([{"a": 1}], required=["a", "b"])


def test_ids_are_unique_within_a_client() -> None:
    assert check_uniqueness([trade("T1", "C1"), trade("T1", "C2"), trade("T2", "C1")])
    assert not check_uniqueness([trade("T1", "C1"), trade("T2", "C1"), trade("T1", "C1", price=2)])
    assert check_uniqueness([trade(source="a"), trade(source="b")])


def test_another_key_can_be_asked_for() -> None:
    assert not check_uniqueness([trade("T1"), trade("T2")], key="symbol")
    assert check_uniqueness([trade("T1"), trade("T2", symbol="MSFT")], key="symbol")


@pytest.mark.parametrize("batch", [[trade(None)], [{"client_id": "C1"}]])
def test_a_record_without_key_is_not_unique(batch: list[dict[str, Any]]) -> None:
    assert not check_uniqueness(batch)


@pytest.mark.parametrize(
    ("first", "second"),
    [([quote()], [quote(), quote()]), ([quote()], []), ([{}], []), ([quote()], [quote("MSFT")])],
)
def test_other_content_is_not_idempotent(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> None:
    assert not check_idempotency(first, second)
    assert not check_idempotency(second, first)


@pytest.mark.parametrize(
    "twin",
    [
        {"price": "1.50"},
        {"price": 1.5},
        {"price": "15e-1"},
        {"timestamp": "2026-01-09T16:00:00+01:00"},
        {"volume": 5.0},
        {"vwap": None},
    ],
)
def test_one_value_in_two_types_is_one_value(twin: dict[str, Any]) -> None:
    assert check_idempotency([quote()], [quote(**twin)])


def test_traded_symbols_must_stand_in_the_market() -> None:
    trades = [trade(), trade("T2", symbol="ZZZ"), trade("T3", symbol="QQQ"), trade("T4", symbol="ZZZ")]
    assert unknown_symbols(trades, [quote("AAPL"), quote("MSFT")]) == ["QQQ", "ZZZ"]
    assert unknown_symbols(trades[:1], as_frame([quote("AAPL")])) == []
    assert unknown_symbols(trades[:1], []) == ["AAPL"]


def test_a_failure_is_logged_with_counts_and_places(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "dataspine"):
        check_uniqueness([trade("T1"), trade("T2"), trade("T1")])
    (record,) = caplog.records
    assert record.message == "invariant_violated"
    assert (record.invariant, record.records, record.violations, record.positions) == (
        "uniqueness",
        3,
        2,
        [1, 3],
    )


def test_what_holds_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "dataspine"):
        check_completeness([quote()])
    assert caplog.records == []
