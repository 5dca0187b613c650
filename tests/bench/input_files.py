"""Seeded payloads to measure with: the same size gives the same bytes on every machine."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

SEED = "dataspine-bench-1"
SYMBOLS = 500
CLIENTS = 200
POLL_RECORDS = 100
BAD_EVERY = 200
"""One record of so many is bad, which makes 0.5 %."""
OPEN_MS = 1_767_623_400_000
"""2026-01-05T14:30:00Z."""
STEP_MS = 23
"""Between two records; a million of them fill a session of six and a half hours."""
FUTURE_MS = 4_102_444_800_000
"""2100-01-01T00:00:00Z."""

_FIRST_BAD = 7
_LINES_AT_ONCE = 10_000


def symbols() -> list[str]:
    """Five hundred tickers of four letters."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return [letters[n // 26 % 26] + letters[n % 26] + letters[n * 7 % 26] + "X" for n in range(SYMBOLS)]


def quotes(rows: int, path: Path) -> None:
    """IEX quotes of five fields as one JSON array: interleaved over the symbols, in time order."""
    _write(path, rows, _quotes(), between=(",", "[", "]"))


def same_quotes(rows: int, path: Path) -> None:
    """The quotes of `quotes` in other bytes: a line feed ends them, so that the file is not known by its hash."""
    _write(path, rows, _quotes(), between=(",", "[", "]\n"))


def full_quotes(rows: int, path: Path) -> None:
    """IEX quotes with all their fields as one JSON array."""
    _write(path, rows, _full_quotes(), between=(",", "[", "]"))


def executions(rows: int, path: Path) -> None:
    """Executions as CSV in time order, their ids unique within the client."""
    head = "trade_id,client_id,symbol,side,quantity,price,timestamp,venue\r\n"
    _write(path, rows, _executions(), between=("", head, ""))


def polls(rows: int, path: Path) -> None:
    """A folder of small answers: `rows` payloads of a hundred quotes each, no two alike."""
    path.mkdir(parents=True)
    lines = _quotes()
    for number in range(rows):
        _write(path / f"poll_{number:04}.json", POLL_RECORDS, lines, between=(",", "[", "]"))


WRITERS: dict[str, Callable[[int, Path], None]] = {
    "quotes": quotes,
    "same_quotes": same_quotes,
    "full_quotes": full_quotes,
    "executions": executions,
    "polls": polls,
}


def make(path: Path, home: Path) -> Callable[[], dict[str, Any]]:
    """What the path's name asks for: `quotes-1000.json` is a thousand quotes."""
    del home
    kind, _, rows = path.stem.partition("-")

    def work() -> dict[str, Any]:
        WRITERS[kind](int(rows), path)
        return {}

    return work


def _write(path: Path, rows: int, lines: Iterator[str], *, between: tuple[str, str, str]) -> None:
    comma, head, tail = between
    with path.open("w", encoding="ascii", newline="") as file:
        file.write(head)
        for start in range(0, rows, _LINES_AT_ONCE):
            part = islice(lines, min(_LINES_AT_ONCE, rows - start))
            file.write((comma if start else "") + comma.join(part))
        file.write(tail)


def _quotes() -> Iterator[str]:
    for symbol, price, updated_ms, volume in _market():
        yield (
            f'{{"symbol":"{symbol}","latestPrice":{price},"latestUpdate":{updated_ms},'
            f'"volume":{volume},"latestSource":"IEX real time price"}}'
        )


def _market() -> Iterator[tuple[str, str, int, str]]:
    """Symbol, price, time and volume as JSON values, one bad record in two hundred, five kinds in turn."""
    rng = random.Random(f"{SEED}/market")
    names = symbols()
    cents = [rng.randrange(500, 50_000) for _ in names]
    volumes = [rng.randrange(1_000, 100_000) for _ in names]
    number = 0
    while True:
        place = number % SYMBOLS
        cents[place] = max(100, cents[place] + rng.randrange(-3, 4))
        volumes[place] += rng.randrange(1, 500)
        symbol, price = names[place], f"{cents[place] // 100}.{cents[place] % 100:02}"
        updated_ms, volume = OPEN_MS + number * STEP_MS, str(volumes[place])
        if number % BAD_EVERY == _FIRST_BAD:
            kind = number // BAD_EVERY % 5
            symbol = symbol.lower() if kind == 0 else symbol
            price = "-" + price if kind == 1 else "0" if kind == 2 else price
            updated_ms = FUTURE_MS + number if kind == 3 else updated_ms
            volume = "null" if kind == 4 else volume
        yield symbol, price, updated_ms, volume
        number += 1


def _full_quotes() -> Iterator[str]:
    """The template's text with the four values that move from quote to quote put in."""
    for symbol, price, updated_ms, volume in _market():
        values = {"@symbol": f'"{symbol}"', "@price": price, "@time": str(updated_ms), "@volume": volume}
        yield "".join(values.get(part, part) for part in _QUOTE_PARTS)


def _executions() -> Iterator[str]:
    rng = random.Random(f"{SEED}/executions")
    names, venues = symbols(), ("XNAS", "XNYS", "ARCX", "BATS", "IEXG")
    opened_at = datetime.fromtimestamp(OPEN_MS / 1000, UTC)
    number = 0
    while True:
        at = opened_at + timedelta(microseconds=number * STEP_MS * 1000 + rng.randrange(1000))
        side, quantity, symbol = (
            ("BUY", "SELL")[number & 1],
            rng.randrange(1, 2_000),
            names[rng.randrange(SYMBOLS)],
        )
        price = f"{rng.randrange(500, 50_000) / 100:.2f}"
        if number % BAD_EVERY == _FIRST_BAD:
            kind = number // BAD_EVERY % 4
            side = "HOLD" if kind == 0 else side
            quantity = -quantity if kind == 1 else quantity
            price = "" if kind == 2 else price
            symbol = symbol.lower() if kind == 3 else symbol
        yield (
            f"T{number:09},C{number * 7 % CLIENTS:03},{symbol},{side},{quantity},{price},"
            f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond:06}Z,{venues[number % 5]}\r\n"
        )
        number += 1


def _quote_parts() -> list[str]:
    """The JSON of a whole quote, cut at the places that move."""
    quote = json.loads(Path(__file__).with_name("full_quote.json").read_text(encoding="utf-8"))
    text = json.dumps(quote, separators=(",", ":"))
    for mark in ("@symbol", "@price", "@time", "@volume"):
        text = text.replace(f'"{mark}"', f"\0{mark}\0")
    return text.split("\0")


_QUOTE_PARTS = _quote_parts()
