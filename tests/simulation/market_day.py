"""A seeded day of quotes with every fate: new, known, corrected, repeated, contradicted and bad."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass

BASE_US = 1_767_960_000
"""2026-01-09T12:00:00Z in seconds."""
SYMBOLS = tuple(f"S{number:03}" for number in range(40))


@dataclass(frozen=True, slots=True)
class MarketDay:
    """Two payloads: what the store knows before, and the day that is ingested."""

    before: bytes
    day: bytes
    records: int


def market_day(seed: int, *, records: int = 20_000, has_far_conflicts: bool = True) -> MarketDay:
    """The same bytes for the same seed; about 2 % of the records are bad and 3 % repeat another.

    With `has_far_conflicts`, some keys come back with another price far from their first record.
    """
    source = random.Random(seed)
    known = [_quote(number, price=100 + number % 7) for number in range(records // 4)]
    day = [_quote(number, price=_price(number, source)) for number in range(records)]
    for number in source.sample(range(records), records // 50):
        day[number]["price"] = source.choice(["-1", "0", "abc", "", "1e999999"])
    for _ in source.sample(range(records), records // 50):
        day.insert(source.randrange(len(day)), dict(source.choice(day)))
    for number in source.sample(range(1, records), records // 200):
        day.insert(number, {**day[number], "volume": 7_000_000})
    if has_far_conflicts:
        day.append({**day[0], "volume": 9_000_000})
    return MarketDay(_lines(known), _lines(day), len(day))


def _price(number: int, source: random.Random) -> int:
    """As it was before for most known keys, another one for some: those are corrections."""
    return 100 + number % 7 + (source.random() < 0.1)


def _quote(number: int, *, price: int) -> dict[str, object]:
    return {
        "symbol": SYMBOLS[number % len(SYMBOLS)],
        "timestamp": BASE_US + number // len(SYMBOLS),
        "price": f"{price}.25",
        "volume": number,
    }


def _lines(records: list[dict[str, object]]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)
