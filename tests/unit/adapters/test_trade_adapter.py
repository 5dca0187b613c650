"""`TradeAdapter`: executions of a CSV file."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from dataspine.adapters.trade_adapter import TradeAdapter
from dataspine.clock import FrozenClock, us_from_datetime
from dataspine.schemas.trade_data import TradeData

if TYPE_CHECKING:
    from pathlib import Path

CLOCK = FrozenClock(us_from_datetime(datetime(2026, 1, 9, 22, tzinfo=UTC)))
HEADER = "trade_id,client_id,symbol,side,quantity,price,timestamp,venue"
ROW = "T1,C1,AAPL,Buy,100.50,267.650,2026-01-09T15:00:00.25Z,XNYS"


def write(tmp_path: Path, *lines: str, name: str = "executions.csv") -> dict[str, str]:
    path = tmp_path / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {"file_path": str(path)}


def test_an_execution_is_read_exactly(tmp_path: Path) -> None:
    adapter = TradeAdapter(clock=CLOCK)
    (record,) = adapter.ingest(write(tmp_path, HEADER, ROW))
    assert record == {
        "trade_id": "T1",
        "client_id": "C1",
        "symbol": "AAPL",
        "side": "BUY",
        "quantity": Decimal("100.5"),
        "price": Decimal("267.65"),
        "timestamp": datetime(2026, 1, 9, 15, 0, 0, 250000, tzinfo=UTC),
        "venue": "XNYS",
        "source": "trade_feed",
        "exec_type": "NEW",
        "ref_trade_id": None,
    }
    assert adapter.get_source_name() == "trade_feed"
    assert record == TradeData.model_validate(record).model_dump()


def test_corrections_keep_their_reference(tmp_path: Path) -> None:
    lines = [HEADER + ",exec_type,ref_trade_id", ROW + ",,", ROW.replace("T1,", "T2,") + ",CORRECT,T1"]
    found = TradeAdapter(clock=CLOCK).ingest(write(tmp_path, *lines))
    assert [(record["exec_type"], record["ref_trade_id"]) for record in found] == [
        ("NEW", None),
        ("CORRECT", "T1"),
    ]


def test_a_bad_execution_is_refused_with_every_reason(tmp_path: Path) -> None:
    adapter = TradeAdapter(clock=CLOCK)
    bad = "T2,C1,AAPL,SHORT,0,,2026-01-09 15:00:00,XNYS"
    assert len(adapter.ingest(write(tmp_path, HEADER, ROW, bad, ROW.replace("T1,", "T3,")))) == 2
    (rejection,) = adapter.rejected
    assert (rejection.position, rejection.raw) == (2, bad.encode())
    assert {reason.code for reason in rejection.reasons} == {
        "SIDE_VALUE",
        "QUANTITY_VALIDITY",
        "REQUIRED",
        "TIMESTAMP_FORMAT",
    }


def test_any_suffix_is_read_as_csv(tmp_path: Path) -> None:
    """There is one preset, so nothing has to be found out."""
    assert len(TradeAdapter(clock=CLOCK).ingest(write(tmp_path, HEADER, ROW, name="fills.txt"))) == 1


def test_a_file_without_a_needed_column_is_no_empty_day(tmp_path: Path) -> None:
    adapter = TradeAdapter(clock=CLOCK)
    assert adapter.ingest(write(tmp_path, HEADER.replace("price", "px"), ROW)) == []
    assert "price" in str(adapter.failure)


def test_a_file_without_executions_is_an_empty_day(tmp_path: Path) -> None:
    adapter = TradeAdapter(clock=CLOCK)
    assert adapter.ingest(write(tmp_path, HEADER)) == []
    assert adapter.failure is None
