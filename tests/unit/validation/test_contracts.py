"""Contracts: each rule passes, fails, and sits exactly on the edge; a lone record hears of all its violations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest

from dataspine.clock import us_from_datetime
from dataspine.normalization.coerce import Origin, canonical_columns
from dataspine.schemas.market_data import MarketData
from dataspine.schemas.source import ContractLimits, Kind, SourceProfile, Symbology
from dataspine.schemas.trade_data import TradeData
from dataspine.validation.contracts import ContractValidator, contract_checks, rules_of, symbol_pattern

NOW = datetime(2026, 1, 9, 22, tzinfo=UTC)
QUOTE = {
    "symbol": "AAPL",
    "price": "100",
    "timestamp": "2026-01-09T21:00:00Z",
    "volume": "5",
    "source": "desk",
}
TRADE = {
    "trade_id": "T1",
    "client_id": "C1",
    "symbol": "AAPL",
    "side": "BUY",
    "quantity": "1",
    "price": "100",
    "timestamp": "2026-01-09T21:00:00Z",
    "venue": "XNYS",
}


def market(**values: object) -> list[str]:
    return ContractValidator(now=NOW).validate_market_data({**QUOTE, **values})[1]


def trade(**values: object) -> list[str]:
    return ContractValidator(now=NOW).validate_trade_data({**TRADE, **values})[1]


def test_good_records_keep_the_contract() -> None:
    assert ContractValidator(now=NOW).validate_market_data(QUOTE) == (True, [])
    assert ContractValidator(now=NOW).validate_trade_data(TRADE) == (True, [])


@pytest.mark.parametrize(
    ("field", "right", "wrong", "code"),
    [
        ("price", "0.000000000000000001", "0", "PRICE_VALIDITY"),
        ("price", "9" * 20, "9" * 21, "NUMBER_DIGITS"),
        ("price", "0." + "1" * 18, "0." + "1" * 19, "NUMBER_DIGITS"),
        ("price", "1e3", "1e3.0", "NUMBER_FORMAT"),
        ("price", "1", "-0", "PRICE_VALIDITY"),
        ("price", Decimal(1), Decimal("NaN"), "NUMBER_FORMAT"),
        ("price", 1.5, True, "TYPE"),
        ("volume", "0", "-1", "VOLUME_VALIDITY"),
        ("volume", "5.0", "5.5", "VOLUME_VALIDITY"),
        ("volume", str(2**63 - 1), str(2**63), "NUMBER_DIGITS"),
        ("volume", 0, -(2**63) - 1, "VOLUME_VALIDITY"),
        ("trade_count", "0", "0.5", "COUNT_VALIDITY"),
        ("symbol", "ABCDEFGHIJ", "ABCDEFGHIJK", "SYMBOL_FORMAT"),
        ("symbol", "0700", "AAPL\n", "SYMBOL_FORMAT"),
        ("source", "x" * 64, "x" * 65, "TEXT_FORMAT"),
        ("source", "a b", "a ", "TEXT_FORMAT"),
        ("timestamp", "2026-01-09T22:05:00Z", "2026-01-09T22:05:00.000001Z", "TIMESTAMP_FUTURE"),
        ("timestamp", "1990-01-01T00:00:00Z", "1989-12-31T23:59:59.999999Z", "TIMESTAMP_RANGE"),
        ("timestamp", "2026-01-09T21:00:00Z", "2026-01-09T21:00:00", "TIMESTAMP_FORMAT"),
        ("timestamp", NOW, NOW.replace(tzinfo=None), "TIMESTAMP_FORMAT"),
        ("timestamp", NOW, 1704067200, "TYPE"),
        ("timestamp", NOW, "9999-12-31T23:59:59-23:59", "TIMESTAMP_FUTURE"),
        ("timestamp", NOW, "0001-01-01T00:00:00+23:59", "TIMESTAMP_RANGE"),
        ("volume_kind", "cumulative", "daily", "VALUE"),
    ],
)
def test_a_market_rule_at_its_edge(field: str, right: object, wrong: object, code: str) -> None:
    assert market(**{field: right}) == []
    violations = market(**{field: wrong})
    assert [violation.partition(":")[0] for violation in violations] == [code]
    assert field in violations[0]


@pytest.mark.parametrize(
    ("field", "right", "wrong", "code"),
    [
        ("side", "SELL", "sell", "SIDE_VALUE"),
        ("quantity", "0.5", "0", "QUANTITY_VALIDITY"),
        ("trade_id", "T 1", "T1\n", "TEXT_FORMAT"),
        ("exec_type", "CANCEL", "BUST", "VALUE"),
    ],
)
def test_a_trade_rule_at_its_edge(field: str, right: object, wrong: object, code: str) -> None:
    assert trade(**{field: right}) == []
    assert [violation.partition(":")[0] for violation in trade(**{field: wrong})] == [code]


@pytest.mark.parametrize("value", [None, ""])
@pytest.mark.parametrize("field", MarketData.required())
def test_a_required_field_without_value_is_missing(field: str, value: object) -> None:
    assert market(**{field: value}) == [f"REQUIRED: {field} is required, got nothing"]


@pytest.mark.parametrize(
    ("prices", "is_right"),
    [
        ({"open": "1", "high": "1", "low": "1", "price": "1"}, True),
        ({"open": "1", "high": "2", "low": "0.5", "price": "2"}, True),
        ({"high": "1", "low": "1.000000000000000001", "price": "1"}, False),
        ({"open": "3", "high": "2", "low": "1", "price": "1"}, False),
        ({"high": "2", "price": "3"}, False),
        ({"low": "2", "price": "1"}, False),
        ({"open": "5", "price": "1"}, True),
    ],
)
def test_high_and_low_enclose_the_others(prices: dict[str, str], is_right: bool) -> None:
    assert [violation.partition(":")[0] for violation in market(**prices)] == (
        [] if is_right else ["OHLC_ORDER"]
    )


def test_every_violation_is_named_at_once() -> None:
    found = market(symbol="aapl", price="-1", volume=None, high="1", low="2")
    assert [violation.partition(":")[0] for violation in found] == [
        "SYMBOL_FORMAT",
        "PRICE_VALIDITY",
        "REQUIRED",
        "OHLC_ORDER",
    ]


def test_the_message_of_the_contract() -> None:
    """Scripts and people read it."""
    assert market(price="-10.5") == ["PRICE_VALIDITY: price must be positive, got -10.5"]


def test_a_long_value_is_cut_in_the_message() -> None:
    assert market(symbol="A" * 81) == [
        "SYMBOL_FORMAT: symbol does not fit the symbology, got " + "A" * 80 + "…"
    ]


@pytest.mark.parametrize("found", ["{}", "{field}", "{message}", "%s", "\\1"])
def test_a_value_that_looks_like_a_template_is_shown_as_it_is(found: str) -> None:
    assert market(symbol=found) == [f"SYMBOL_FORMAT: symbol does not fit the symbology, got {found}"]


def test_an_unvalidated_instance_is_judged_too() -> None:
    """`model_construct` checks nothing."""
    record = MarketData.model_construct(**{**QUOTE, "price": Decimal(-1)})
    assert ContractValidator(now=NOW).validate_market_data(record)[1] == [
        "PRICE_VALIDITY: price must be positive, got -1"
    ]
    assert ContractValidator(now=NOW).validate_trade_data(TradeData.model_construct(**TRADE))[0]


@pytest.mark.parametrize("record", [None, 5, "text", [("symbol", "AAPL")]])
def test_what_is_no_record_is_a_violation_not_a_crash(record: object) -> None:
    ok, violations = ContractValidator(now=NOW).validate_market_data(record)
    assert not ok
    assert len(violations) == 1


def test_limits_and_volume_of_a_source_count() -> None:
    limits = ContractLimits(max_future_s=0, earliest="2026-01-09")
    validator = ContractValidator(limits=limits, volume="decimal", now=NOW)
    assert validator.validate_market_data({**QUOTE, "volume": "0.5", "timestamp": NOW})[0]
    assert not validator.validate_market_data({**QUOTE, "timestamp": NOW + timedelta(microseconds=1)})[0]
    assert not validator.validate_market_data({**QUOTE, "timestamp": "2026-01-08T23:59:59Z"})[0]


@pytest.mark.parametrize(
    ("symbology", "right", "wrong"),
    [
        (Symbology(charset="AB]^-\\"), "A]^-\\B", "C"),
        (Symbology(charset="AB:X", prefixes={"X:": "crypto"}), "X:AB", "AB"),
        (Symbology(mapping={"x": "AAPL"}, unmapped="dead"), "x", "AAPL"),
        (Symbology(case="upper"), "aapl", "aapl."),
    ],
)
def test_the_symbology_of_a_source_counts(symbology: Symbology, right: str, wrong: str) -> None:
    validator = ContractValidator(symbology=symbology, now=NOW)
    assert validator.validate_market_data({**QUOTE, "symbol": right})[0]
    assert not validator.validate_market_data({**QUOTE, "symbol": wrong})[0]


def test_a_symbol_pattern_takes_its_characters_literally() -> None:
    pattern = symbol_pattern(Symbology(charset="A]^-\\.é", max_len=2))
    texts = pl.Series(["]^", "-\\", ".", "é", "B", "AAA", "A\n", ""])
    assert texts.str.contains(pattern).to_list() == [True, True, True, True, False, False, False, False]


def test_a_whole_number_below_64_bits_is_refused_in_a_chunk() -> None:
    """It has no integer value; without a violation it would be stored as no volume at all."""
    fields = {name: {"column": name} for name in ("symbol", "price", "volume", "timestamp")}
    profile = SourceProfile.model_validate(
        {"name": "desk", "kind": "market", "format": "csv", "fields": fields}
    )
    frame = pl.DataFrame(
        {**{name: [QUOTE[name]] for name in fields}, "volume": ["-9223372036854775809"], "position": [1]}
    )
    columns = canonical_columns(frame, profile, rules_of(Kind.MARKET), origin=Origin())
    checks = contract_checks(columns, profile, received_at_us=us_from_datetime(NOW))
    assert [(check.field, str(check.code)) for check in checks if check.violated.any()] == [
        ("volume", "VOLUME_VALIDITY")
    ]
