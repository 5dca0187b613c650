"""`Normalizer`: vendors' dicts become canonical dicts, or say every reason why not."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from dataspine.normalization.normalizer import REJECTIONS_LOGGED, Normalizer, RecordRefused
from dataspine.schemas.market_data import MarketData
from dataspine.schemas.source import Symbology

AT = datetime(2024, 1, 1, tzinfo=UTC)
GENERIC = {
    "symbol": "AAPL",
    "price": "150.25",
    "timestamp": "2024-01-01T00:00:00Z",
    "volume": "1000",
    "source": "desk",
}
IEX = {
    "symbol": "AAPL",
    "latestPrice": 150.25,
    "latestUpdate": 1704067200000,
    "latestVolume": 1000,
    "volume": None,
    "close": 1,
}
POLYGON = {"T": "AAPL", "c": 150.25, "t": 1704067200000, "v": 1000.0}
TRADE = {
    "trade_id": "T1",
    "client_id": "C1",
    "symbol": "AAPL",
    "side": "Buy",
    "quantity": 100,
    "price": "150.25",
    "timestamp": AT,
    "venue": "XNYS",
}


@pytest.mark.parametrize(
    ("record", "source"), [(GENERIC, "desk"), (IEX, "market_feed"), (POLYGON, "market_feed")]
)
def test_each_vendors_shape_gives_the_same_record(record: dict[str, object], source: str) -> None:
    found = Normalizer().normalize_market(record)
    wanted = {"symbol": "AAPL", "price": Decimal("150.25"), "timestamp": AT, "volume": 1000, "source": source}
    assert {name: found[name] for name in wanted} == wanted
    assert found.keys() == MarketData.model_fields.keys()
    assert type(found["volume"]) is int


def test_a_trade_is_normalised() -> None:
    found = Normalizer().normalize_trade(TRADE)
    assert found["side"] == "BUY"
    assert found["quantity"] == Decimal(100)
    assert found["source"] == "trade_feed"
    assert found["exec_type"] == "NEW"


def test_what_was_normalised_is_normalised_to_itself() -> None:
    once = Normalizer().normalize_market(POLYGON)
    assert Normalizer().normalize_market(once) == once


def test_the_record_that_came_stays_as_it_was() -> None:
    record = dict(POLYGON)
    Normalizer().normalize_market(record)
    assert record == POLYGON


def test_every_violation_is_named() -> None:
    with pytest.raises(RecordRefused) as refusal:
        Normalizer().normalize_market({"symbol": "aapl", "price": -1, "timestamp": 1704067200})
    assert [reason.code for reason in refusal.value.reasons] == [
        "SYMBOL_FORMAT",
        "PRICE_VALIDITY",
        "TYPE",
        "REQUIRED",
    ]
    assert "PRICE_VALIDITY: price must be positive, got -1" in str(refusal.value)


@pytest.mark.parametrize("field", ["symbol", "price", "timestamp", "volume"])
def test_a_missing_field_is_an_error(field: str) -> None:
    record = {name: value for name, value in GENERIC.items() if name != field}
    with pytest.raises(ValueError, match=f"REQUIRED: {field} is required"):
        Normalizer().normalize_market(record)


def test_symbols_are_not_upper_cased() -> None:
    wide = Symbology(charset="abcdefghijklmnopqrstuvwxyz")
    assert Normalizer(symbology=wide).normalize_market({**GENERIC, "symbol": "aapl"})["symbol"] == "aapl"


def test_a_fractional_volume_needs_to_be_declared() -> None:
    record = {**GENERIC, "volume": "0.5"}
    assert Normalizer(volume="decimal").normalize_market(record)["volume"] == Decimal("0.5")
    with pytest.raises(ValueError, match="VOLUME_VALIDITY"):
        Normalizer().normalize_market(record)


def test_a_batch_goes_on_past_bad_records(caplog: pytest.LogCaptureFixture) -> None:
    normalizer = Normalizer(source="desk")
    bad = {**POLYGON, "c": 0}
    with caplog.at_level(logging.INFO, "dataspine"):
        found = normalizer.normalize_batch([POLYGON, bad, [], IEX], "market")
    assert [record["source"] for record in found] == ["desk", "desk"]
    assert [(rejection.position, rejection.raw) for rejection in normalizer.rejected] == [(2, bad), (3, [])]
    assert [record.message for record in caplog.records] == [
        "record_rejected",
        "record_rejected",
        "batch_normalized",
    ]
    assert (caplog.records[-1].accepted, caplog.records[-1].rejected) == (2, 2)


def test_the_next_batch_starts_without_rejections() -> None:
    normalizer = Normalizer()
    normalizer.normalize_batch([{}], "market")
    assert normalizer.normalize_batch([TRADE], "trade")
    assert normalizer.rejected == []


def test_many_rejections_do_not_flood_the_log(caplog: pytest.LogCaptureFixture) -> None:
    Normalizer().normalize_batch([{}] * (REJECTIONS_LOGGED + 1), "trade")
    assert [record.message for record in caplog.records].count("record_rejected") == REJECTIONS_LOGGED
    assert caplog.records[-1].message == "more_records_rejected"


def test_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(ValueError, match="orders"):
        Normalizer().normalize_batch([], "orders")
