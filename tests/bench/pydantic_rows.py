"""Record by record: JSON, a pydantic model for each record, refusals with all their reasons, one `executemany`.

It judges what our contracts judge and keeps no bytes, no run and no audit log.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from dataspine.schemas.market_data import MarketData
from tests.bench.bare import MARKET_ROW, open_store

REFUSED_TABLE = (
    "CREATE TABLE refused (position INTEGER PRIMARY KEY, raw TEXT NOT NULL, reasons TEXT NOT NULL)"
)
LATEST_AT = datetime.now(UTC) + timedelta(minutes=5)


def _not_in_future(value: datetime) -> datetime:
    if value > LATEST_AT:
        raise ValueError("timestamp is too far in the future")
    return value


class PlainQuote(BaseModel):
    """A quote with pydantic's own constraints, which run in its compiled core."""

    model_config = ConfigDict(frozen=True)

    symbol: Annotated[str, Field(pattern=r"^[A-Z0-9]{1,10}$")]
    price: Annotated[Decimal, Field(gt=0, max_digits=38, decimal_places=18)]
    timestamp: Annotated[AwareDatetime, AfterValidator(_not_in_future)]
    volume: Annotated[int, Field(ge=0)]
    source: str
    interval_s: int = 0
    volume_kind: Literal["interval", "cumulative"] = "interval"


Quote = MarketData | PlainQuote


def own_model(file: Path, home: Path) -> Callable[[], dict[str, Any]]:
    """With `dataspine.schemas.market_data.MarketData`."""
    now = {"now": datetime.now(UTC)}
    return _prepared(file, home, lambda fields: MarketData.model_validate(fields, context=now))


def plain_model(file: Path, home: Path) -> Callable[[], dict[str, Any]]:
    """With pydantic's own constraints."""
    return _prepared(file, home, PlainQuote.model_validate)


def _prepared(
    file: Path, home: Path, judge: Callable[[dict[str, Any]], Quote]
) -> Callable[[], dict[str, Any]]:
    home.mkdir(parents=True)
    connection = open_store(home)
    connection.execute(REFUSED_TABLE)
    connection.close()
    return lambda: _ingest(file, home, judge)


def _ingest(file: Path, home: Path, judge: Callable[[dict[str, Any]], Quote]) -> dict[str, Any]:
    connection = open_store(home)
    with file.open("rb") as content:
        # Prices as Decimal, so that no digit is lost.
        records = json.load(content, parse_float=Decimal)
    rows: list[tuple[Any, ...]] = []
    refused: list[tuple[int, str, str]] = []
    numbers: dict[str, int] = {}
    for position, record in enumerate(records, 1):
        try:
            quote = judge(_canonical(record))
        except ValidationError as error:
            refused.append((position, json.dumps(record, default=str), error.json(include_context=False)))
            continue
        symbol_id = numbers.setdefault(quote.symbol, len(numbers) + 1)
        at_us = round(quote.timestamp.timestamp() * 1_000_000)
        rows.append((symbol_id, at_us, format(quote.price, "f"), quote.volume, position))
    connection.execute("BEGIN")
    connection.executemany(MARKET_ROW, rows)
    connection.executemany("INSERT INTO refused VALUES (?, ?, ?)", refused)
    connection.execute("COMMIT")
    connection.close()
    return {"rows_read": len(records), "rows_stored": len(rows), "rejected": len(refused)}


def _canonical(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "symbol": record["symbol"],
        "price": record["latestPrice"],
        "timestamp": datetime.fromtimestamp(record["latestUpdate"] / 1000, UTC),
        "volume": record["volume"],
        "source": "quotes",
        "volume_kind": "cumulative",
    }
